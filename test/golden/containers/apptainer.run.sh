# Setup and run of this job happen in a container of this image; made by Drover.
_d_own=$DROVER_NODE_RANK
if [ ! -e "$DROVER_ATTEMPT_DIR/exit/$_d_own" ]; then
  for _d_each in "$DROVER_ATTEMPT_DIR"/exit/[0-9]*; do [ ! -e "$_d_each" ] || _d_own=${_d_each##*/}; done
fi
_d_image=registry.example.org/team/train:1
_d_box_dir=$DROVER_ATTEMPT_DIR/container/$_d_own
_d_sif="$_d_box_dir/image.sif"

_d_tell() {
  _d_text=$(printf '%s' "$2" | tr '\n\t\r' '   ' | cut -c1-500 | sed -e 's/%/%25/g' -e 's/ /%20/g')
  printf '%s container kind=%s element=%s text=%s\n' "$(date +%s)" "$1" "${DROVER_ARRAY_INDEX:--}" "$_d_text" >>"$DROVER_ATTEMPT_DIR/events/$_d_own"
}
_d_fail() {
  printf 'drover: %s\n' "$2" >&2
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

if command -v apptainer >/dev/null 2>&1; then _d_runtime=apptainer; else _d_runtime=singularity; fi
command -v "$_d_runtime" >/dev/null 2>&1 || _d_fail image "cannot run a container: there is no apptainer on PATH on $(uname -n): install it, or name another container.runtime"
_d_seen='
'
# Sets _d_spec for --bind: SOURCE TARGET [:ro]. False for a target that there is already.
_d_bind() {
  case $_d_seen in *"
$2
"*) return 1 ;; esac
  _d_seen="$_d_seen$2
"
  case $1$2 in *:* | *,*) _d_fail image "apptainer cannot mount $1: its name holds a colon or a comma" ;; esac
  _d_spec=$1:$2${3:-}
}
# Runs the script in directory $1 inside: $2 script|program. Sets _d_status.
_d_run_inside() {
  _d_at=$1 _d_how=$2
  rm -f "$_d_at/began"
  set -- exec --pwd "$DROVER_WORK_DIR"
  if _d_bind "$DROVER_ATTEMPT_DIR" "$DROVER_ATTEMPT_DIR"; then set -- "$@" --bind "$_d_spec"; fi
  if _d_bind "$DROVER_WORK_DIR" "$DROVER_WORK_DIR"; then set -- "$@" --bind "$_d_spec"; fi
  if _d_bind /data /data :ro; then set -- "$@" --bind "$_d_spec"; fi
  if _d_bind "$HOME"'/it'\''s' /a,b; then set -- "$@" --bind "$_d_spec"; fi
  if _d_bind "$HOME"/data "$HOME"/data; then set -- "$@" --bind "$_d_spec"; fi
  for _d_name in $(env | sed -n 's/^\(DROVER_UPSTREAM_[A-Za-z0-9_]*\)=.*/\1/p'); do
    eval "_d_value=\$$_d_name"
    if [ -d "$_d_value" ] && _d_bind "$_d_value" "$_d_value"; then set -- "$@" --bind "$_d_spec"; fi
  done
  set -- "$@" --nv
  set -- "$@" --writable-tmpfs
  # A TERM goes to the whole group, the script's own process among it: its status is what counts.
  trap : TERM INT
  "$_d_runtime" '--log-level=error' "$@" "$_d_sif" /bin/sh -c 'printf '\'''\'' >"$1/began"
[ "$2" = program ] && exec "$1/script"
command -v bash >/dev/null 2>&1 && exec bash "$1/script"
exec sh "$1/script"' phase "$_d_at" "$_d_how"
  _d_status=$?
  [ -e "$_d_at/began" ] || _d_fail image "$_d_runtime exec did not start the script in $_d_image (exit $_d_status); its words stand above"
}
_d_here=$_d_box_dir/run
printf '%s' 'echo hi
' >"$_d_here/script"
chmod 700 "$_d_here/script"
_d_run_inside "$_d_here" script
exit "$_d_status"
