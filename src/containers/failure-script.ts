/**
 * Sets `_d_own`, the number that this node's files of the attempt bear. It is DROVER_NODE_RANK but for an array that is spread
 * over nodes: there an element is rank 0 of a job of one node, on whichever node it runs.
 */
export const OWN_RANK = `_d_own=$DROVER_NODE_RANK
if [ ! -e "$DROVER_ATTEMPT_DIR/exit/$_d_own" ]; then
  for _d_each in "$DROVER_ATTEMPT_DIR"/exit/[0-9]*; do [ ! -e "$_d_each" ] || _d_own=\${_d_each##*/}; done
fi`

/**
 * Shell functions by which a container's wrapper says that the container, not the script, is to blame; they need `_d_own`.
 *
 * `_d_fail KIND TEXT` tells a person on stderr and Drover by a line `container kind=… element=… text=…` in the rank's events,
 * text with `%20` for a space and `%25` for `%`, then ends with 125. KIND: `image`, `driver` or `out_of_memory`.
 * `_d_explain TEXT`: why the runtime said that, and what to do, in _d_why.
 */
export const FAILURES = `
_d_tell() {
  _d_text=$(printf '%s' "$2" | tr '\\n\\t\\r' '   ' | cut -c1-500 | sed -e 's/%/%25/g' -e 's/ /%20/g')
  printf '%s container kind=%s element=%s text=%s\\n' "$(date +%s)" "$1" "\${DROVER_ARRAY_INDEX:--}" "$_d_text" >>"$DROVER_ATTEMPT_DIR/events/$_d_own"
}
_d_fail() {
  printf 'drover: %s\\n' "$2" >&2
  _d_tell "$1" "$2"
  exit 125
}
# The last line of file $1 that says something: _d_line.
_d_last_line() { _d_line=$(sed -e "/^See '/d" -e "/^Run '/d" -e '/^Usage:/d' -e '/^[[:space:]]*$/d' "$1" 2>/dev/null | tail -n 1); }
_d_explain() {
  case $1 in
    *exec:*'permission denied'*) _d_why='its user may not run /bin/sh in this image; set container.user' ;;
    *'permission denied while trying to connect'* | *'Got permission denied'* | *'connect: permission denied'*)
      _d_why="no permission on the socket of $_d_runtime; add $(id -un) to its group (sudo usermod -aG docker $(id -un)), or use rootless docker or podman" ;;
    *'Cannot connect to the Docker daemon'* | *'ailed to connect to the docker API'* | *'docker daemon is not running'* | *'dial unix'* | *'unable to connect to Podman'*)
      _d_why="the daemon of $_d_runtime does not run, or DOCKER_HOST names another place; start it: sudo systemctl start docker" ;;
    *'source path does not exist'*) _d_why='docker runs on another machine (DOCKER_HOST), or the path is not there' ;;
    *'no space left on device'* | *'isk quota exceeded'*)
      _d_why="the disk is full where $_d_runtime keeps its images; make room: $_d_runtime system prune" ;;
    *oomanyrequests* | *'rate limit'*)
      _d_why='the registry limits pulls; log in with SKYPILOT_DOCKER_USERNAME, _PASSWORD, _SERVER, or try again later' ;;
    *unauthorized* | *'authentication required'* | *'no basic auth credentials'* | *'access denied'* | *'access to the resource is denied'*)
      _d_why='there is no such image, or it needs a login; check the name, or set SKYPILOT_DOCKER_USERNAME, _PASSWORD, _SERVER' ;;
    *'manifest unknown'* | *'not found'* | *'does not exist'* | *'o such image'* | *'name unknown'*)
      _d_why='there is no such image; check its name and tag' ;;
    *'could not select device driver'* | *'unresolvable CDI devices'* | *'nvidia-container'*)
      _d_why='containers cannot use GPUs here; install the NVIDIA Container Toolkit' ;;
    *'o such host'* | *'i/o timeout'* | *'onnection refused'* | *'network is unreachable'* | *'TLS handshake timeout'*)
      _d_why='the registry cannot be reached from there' ;;
    *'/bin/sh'* | *'exec format error'*)
      _d_why='the image has no /bin/sh that runs on this machine' ;;
    *) _d_why='' ;;
  esac
  [ -z "$_d_why" ] || _d_why=" ($_d_why)"
}
`
