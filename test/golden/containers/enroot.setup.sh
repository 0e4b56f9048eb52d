# Setup and run of this job happen in a container of this image; made by Drover.
_d_own=$DROVER_NODE_RANK
if [ ! -e "$DROVER_ATTEMPT_DIR/exit/$_d_own" ]; then
  for _d_each in "$DROVER_ATTEMPT_DIR"/exit/[0-9]*; do [ ! -e "$_d_each" ] || _d_own=${_d_each##*/}; done
fi
_d_image=nvcr.io/nvidia/pytorch:24.05-py3
_d_box=drover-$DROVER_JOB_ID-$DROVER_ATTEMPT-$_d_own
_d_box_dir=$DROVER_ATTEMPT_DIR/container/$_d_own
_d_squash="$_d_box_dir/image.sqsh"

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

command -v enroot >/dev/null 2>&1 || _d_fail image "cannot run a container: there is no enroot on PATH on $(uname -n): install it, or name another container.runtime"
_d_remove() { enroot remove --force "$_d_box" >/dev/null 2>&1; }
# Sets _d_spec for --mount: SOURCE TARGET [,ro].
_d_bind() {
  case $1$2 in *:* | *[[:space:]]*) _d_fail image "enroot cannot mount $1: its name holds a colon or a blank" ;; esac
  _d_spec=$1:$2:none:x-create=auto,rbind${3:-}
}
# Runs the script in directory $1 inside: $2 script|program. Sets _d_status.
_d_run_inside() {
  _d_at=$1 _d_how=$2
  rm -f "$_d_at/began"
  printf '#!/bin/sh\nexec "$@"\n' >"$_d_box_dir/rc"
  chmod 700 "$_d_box_dir/rc"
  set -- start --rw --root --rc "$_d_box_dir/rc"
  _d_bind "$DROVER_ATTEMPT_DIR" "$DROVER_ATTEMPT_DIR"
  set -- "$@" --mount "$_d_spec"
  _d_bind "$DROVER_WORK_DIR" "$DROVER_WORK_DIR"
  set -- "$@" --mount "$_d_spec"
  _d_bind /data /in ,ro
  set -- "$@" --mount "$_d_spec"
  _d_bind "$HOME"/data "$HOME"/data
  set -- "$@" --mount "$_d_spec"
  for _d_name in PYTHONUNBUFFERED CUDA_VISIBLE_DEVICES CUDA_DEVICE_ORDER USER LOGNAME OMP_NUM_THREADS LR TOKEN $(env | sed -n -e 's/^\(DROVER_[A-Za-z0-9_]*\)=.*/\1/p' -e 's/^\(SKYPILOT_[A-Za-z0-9_]*\)=.*/\1/p'); do
    [ "$_d_name" = SKYPILOT_DOCKER_PASSWORD ] || set -- "$@" --env "$_d_name"
  done
  set -- "$@" --conf c
  # A TERM goes to the whole group, the script's own process among it: its status is what counts.
  trap : TERM INT
  enroot "$@" "$_d_box" /bin/sh -c 'printf '\'''\'' >"$1/began"
cd "$3" || exit 125
[ "$2" = program ] && exec "$1/script"
command -v bash >/dev/null 2>&1 && exec bash "$1/script"
exec sh "$1/script"' phase "$_d_at" "$_d_how" "$DROVER_WORK_DIR"
  _d_status=$?
  [ -e "$_d_at/began" ] || { _d_remove; _d_fail image "enroot start did not start the script in $_d_image (exit $_d_status); its words stand above"; }
}
(umask 077 && mkdir -p "$_d_box_dir/setup" "$_d_box_dir/run")
printf 'drover: importing %s\n' "$_d_image" >&2
rm -f "$_d_squash"
printf '1\n' >"$_d_box_dir/pulled"
{ enroot import --output "$_d_squash" 'docker://nvcr.io#nvidia/pytorch:24.05-py3' 2>&1; printf '%s\n' "$?" >"$_d_box_dir/pulled"; } | tee "$_d_box_dir/said" >&2
read -r _d_status <"$_d_box_dir/pulled"
if [ "$_d_status" != 0 ]; then
  _d_last_line "$_d_box_dir/said"
  _d_explain "$_d_line"
  _d_fail image "cannot import the image $_d_image: $_d_line$_d_why"
fi
_d_remove
enroot create --name "$_d_box" "$_d_squash" >"$_d_box_dir/said" 2>&1 || {
  _d_last_line "$_d_box_dir/said"
  _d_fail image "cannot make a container of $_d_image: $_d_line"
}
_d_here=$_d_box_dir/setup
printf '%s' 'pip install x
' >"$_d_here/script"
chmod 700 "$_d_here/script"
_d_run_inside "$_d_here" script
[ "$_d_status" = 0 ] || _d_remove
exit "$_d_status"
