# Setup and run of this job happen in a container of this image; made by Drover.
_d_own=$DROVER_NODE_RANK
if [ ! -e "$DROVER_ATTEMPT_DIR/exit/$_d_own" ]; then
  for _d_each in "$DROVER_ATTEMPT_DIR"/exit/[0-9]*; do [ ! -e "$_d_each" ] || _d_own=${_d_each##*/}; done
fi
_d_image=busybox
_d_box=drover-$DROVER_JOB_ID-$DROVER_ATTEMPT-$_d_own
_d_box_dir=$DROVER_ATTEMPT_DIR/container/$_d_own
_d_own_names='PYTHONUNBUFFERED CUDA_VISIBLE_DEVICES CUDA_DEVICE_ORDER USER LOGNAME OMP_NUM_THREADS'
_d_pull_when=missing
# TERM to KILL, and how long this wrapper waits for the end after a TERM: seconds.
_d_grace=10 _d_patience=9
_d_call() { "$_d_runtime" "$@"; }
_d_exec() { _d_in_session "$_d_runtime" exec "$@"; }
# The caller's home in the container is a directory of the job; root has the image's own.
if [ "$(id -u)" = 0 ]; then _d_home_target=/dev/null; else _d_home_target=$HOME _d_own_names="$_d_own_names HOME"; fi

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

# Rootless docker listens at the user's own socket, which only its start-up files would name.
_d_find_host() {
  [ "$_d_runtime" = docker ] && [ -z "${DOCKER_HOST:-}" ] && [ ! -S /var/run/docker.sock ] || return 0
  _d_socket=${XDG_RUNTIME_DIR:-/run/user/$(id -u)}/docker.sock
  [ ! -S "$_d_socket" ] || export DOCKER_HOST="unix://$_d_socket"
}

# Sets _d_runtime to the first of these programs that is there and answers.
_d_choose() {
  _d_trouble=
  for _d_runtime; do
    command -v "$_d_runtime" >/dev/null 2>&1 || continue
    # "docker" may be podman under another name.
    case $("$_d_runtime" --version 2>/dev/null) in podman*) _d_runtime=podman ;; esac
    _d_find_host
    if _d_call version >"$_d_box_dir/said" 2>&1; then
      printf '%s\n' "$_d_runtime" >"$_d_box_dir/runtime"
      [ -z "$_d_trouble" ] || echo "drover: $_d_runtime is used, for docker does not answer${_d_trouble#; docker}" >&2
      return
    fi
    _d_last_line "$_d_box_dir/said"
    _d_explain "$_d_line"
    _d_trouble="$_d_trouble; $_d_runtime: $_d_line$_d_why"
  done
  [ -n "$_d_trouble" ] || _d_trouble="; there is no $* on PATH on $(uname -n): install one of them, or name another container.runtime"
  _d_fail image "cannot run a container: ${_d_trouble#; }"
}

# Containers of this rank that an earlier attempt has left behind.
_d_remove_old() {
  _d_old=$(_d_call ps --all --quiet --filter "label=drover.job=$DROVER_JOB_ID" --filter "label=drover.rank=$_d_own" 2>/dev/null)
  # shellcheck disable=SC2086
  [ -z "$_d_old" ] || _d_call rm --force $_d_old >/dev/null 2>&1
}
# The runtime may be at it already, by itself, and then answers before it has done.
_d_remove() {
  _d_call rm --force "$_d_box" >/dev/null 2>&1
  _d_tries=0
  while [ "$_d_tries" -lt 50 ] && _d_call inspect "$_d_box" >/dev/null 2>&1; do
    _d_tries=$((_d_tries + 1))
    sleep 0.1 2>/dev/null || sleep 1
  done
}

# Logs in where the task has SkyPilot's variables for it; what that writes does not outlive the pull.
_d_login() {
  [ -n "${SKYPILOT_DOCKER_USERNAME:-}" ] && [ -n "${SKYPILOT_DOCKER_PASSWORD:-}" ] || return 0
  _d_config=${DOCKER_CONFIG:-} _d_auth_file=${REGISTRY_AUTH_FILE:-}
  if [ "$_d_runtime" = docker ]; then
    # A context of the user's own configuration says where the daemon is.
    DOCKER_HOST=${DOCKER_HOST:-$(docker context inspect --format '{{.Endpoints.docker.Host}}' 2>/dev/null)}
    [ -z "$DOCKER_HOST" ] && unset DOCKER_HOST || export DOCKER_HOST
    DOCKER_CONFIG=$_d_box_dir/login
    export DOCKER_CONFIG
  fi
  REGISTRY_AUTH_FILE=$_d_box_dir/login/auth.json
  export REGISTRY_AUTH_FILE
  (umask 077 && mkdir -p "$_d_box_dir/login")
  printf '%s' "$SKYPILOT_DOCKER_PASSWORD" |
    _d_call login --username "$SKYPILOT_DOCKER_USERNAME" --password-stdin ${SKYPILOT_DOCKER_SERVER:+"$SKYPILOT_DOCKER_SERVER"} >"$_d_box_dir/said" 2>&1 && return
  _d_last_line "$_d_box_dir/said"
  rm -rf "$_d_box_dir/login"
  _d_fail image "cannot log in to ${SKYPILOT_DOCKER_SERVER:-the registry} as $SKYPILOT_DOCKER_USERNAME: $_d_line"
}

_d_pull() {
  # As SkyPilot has it: the server stands before the name where it does not yet.
  if [ -n "${SKYPILOT_DOCKER_SERVER:-}" ]; then
    case $_d_image in "$SKYPILOT_DOCKER_SERVER"/*) ;; *) _d_image=$SKYPILOT_DOCKER_SERVER/$_d_image ;; esac
  fi
  if [ "$_d_pull_when" != always ] && _d_call image inspect "$_d_image" >/dev/null 2>&1; then return; fi
  [ "$_d_pull_when" != never ] || _d_fail image "the image $_d_image is not on $(uname -n), and container.pull is never"
  _d_login
  printf 'drover: pulling %s\n' "$_d_image" >&2
  printf '1\n' >"$_d_box_dir/pulled"
  { _d_call pull "$_d_image" 2>&1; printf '%s\n' "$?" >"$_d_box_dir/pulled"; } | tee "$_d_box_dir/said" >&2
  rm -rf "$_d_box_dir/login"
  unset DOCKER_CONFIG REGISTRY_AUTH_FILE
  [ -z "${_d_config:-}" ] || export DOCKER_CONFIG="$_d_config"
  [ -z "${_d_auth_file:-}" ] || export REGISTRY_AUTH_FILE="$_d_auth_file"
  read -r _d_status <"$_d_box_dir/pulled"
  [ "$_d_status" != 0 ] || return 0
  _d_last_line "$_d_box_dir/said"
  _d_explain "$_d_line"
  _d_fail image "cannot pull the image $_d_image: $_d_line$_d_why$_d_trouble"
}

# Sets _d_spec for --mount: SOURCE TARGET [,readonly]. False for a target that there is already.
_d_seen='
'
_d_bind() {
  case $_d_seen in *"
$2
"*) return 1 ;; esac
  _d_seen="$_d_seen$2
"
  case $1$2 in
    *'"'* | *'
'*) _d_fail image "cannot mount $1 in the container: its name holds a quotation mark or a line break" ;;
    *,*) _d_spec="type=bind,\"source=$1\",\"target=$2\"${3:-}" ;;
    *) _d_spec="type=bind,source=$1,target=$2${3:-}" ;;
  esac
  # A place below the container's home is made there first, else the daemon makes it as root.
  case $2 in
    "$_d_home_target"/*)
      if [ -d "$1" ]; then
        mkdir -p "$_d_box_dir/home${2#"$_d_home_target"}"
      else
        _d_place=$_d_box_dir/home${2#"$_d_home_target"}
        mkdir -p "${_d_place%/*}" && { [ -e "$_d_place" ] || printf '' >"$_d_place"; }
      fi
      ;;
  esac
}

# Sets _d_shm: half of the memory, bytes.
_d_find_shm() {
  _d_shm=67108864
  { while read -r _d_key _d_value _d_rest; do [ "$_d_key" != MemTotal: ] || _d_shm=$((_d_value * 512)); done </proc/meminfo; } 2>/dev/null
}

# Sets _d_names: variables of the job, for the container.
_d_find_names() {
  _d_names="$_d_own_names $(env | sed -n -e 's/^\(DROVER_[A-Za-z0-9_]*\)=.*/\1/p' -e '/^SKYPILOT_DOCKER_PASSWORD=/d' -e 's/^\(SKYPILOT_[A-Za-z0-9_]*\)=.*/\1/p')"
}

_d_in_session() {
  if command -v setsid >/dev/null 2>&1; then exec setsid "$@"; fi
  # shellcheck disable=SC2016
  if command -v perl >/dev/null 2>&1; then exec perl -e 'use POSIX (); POSIX::setsid(); exec {$ARGV[0]} @ARGV; exit 127' -- "$@"; fi
  exec "$@"
}

# TERM: passed on over the container's stdin; and KILL before who sent it kills this wrapper.
_d_on_term() {
  [ -z "$_d_told" ] || return 0
  _d_told=1
  printf 't\n' >&8
  (
    trap - TERM INT
    sleep "$_d_patience" 8>&- 2>/dev/null || sleep 1 8>&-
    printf 'k\n' >&8
  ) &
  _d_timer=$!
}

# Runs the script in directory $1 inside the container: $2 script|program, $3 1 where the container ends with it. Sets _d_status.
_d_run_inside() {
  _d_at=$1 _d_told='' _d_timer=''
  rm -f "$_d_at/code" "$_d_at/began" "$_d_at/told" "$_d_at/stdin"
  mkfifo "$_d_at/stdin" || _d_fail driver "cannot make a FIFO in $_d_at"
  _d_find_names
  _d_last=$3 _d_how=$2
  set --
  for _d_name in $_d_names; do set -- "$@" --env "$_d_name"; done
  # What of the devices is in the container is counted from 0 there.
  if [ -r "$_d_box_dir/devices" ] && IFS= read -r CUDA_VISIBLE_DEVICES <"$_d_box_dir/devices"; then export CUDA_VISIBLE_DEVICES; fi
  exec 8<>"$_d_at/stdin"
  trap _d_on_term TERM INT
  _d_exec "$@" --interactive --workdir "$DROVER_WORK_DIR" "$_d_box" /bin/sh -c "$_d_phase_text" phase "$_d_at" "$_d_how" "$_d_last" "$_d_grace" <"$_d_at/stdin" 8>&- &
  _d_client=$!
  while :; do
    wait "$_d_client"
    _d_status=$?
    kill -0 "$_d_client" 2>/dev/null || break
  done
  trap '' TERM INT
  exec 8>&-
  [ -z "$_d_timer" ] || kill -KILL "$_d_timer" 2>/dev/null
  if { read -r _d_code _d_kills <"$_d_at/code"; } 2>/dev/null; then
    _d_status=$_d_code
    if [ "$_d_code:${_d_kills:-0}" != "$_d_code:0" ] && [ "$_d_code" = 137 ]; then
      _d_tell out_of_memory "the script ran out of the memory of its container and was killed"
    fi
    return
  fi
  if [ -n "$_d_told" ]; then _d_status=137 && return; fi
  _d_state=$(_d_call inspect --format '{{.State.Status}}' "$_d_box" 2>/dev/null)
  if [ -e "$_d_at/began" ]; then
    echo "drover: the container ended before the script did (${_d_state:-removed}): killed from outside, for lack of memory, or with the daemon of $_d_runtime" >&2
    _d_status=137
    return
  fi
  if [ "$_d_state" = running ]; then _d_fail driver "$_d_runtime exec did not start the script in the container (exit $_d_status); its words stand above"; fi
  _d_fail driver "the container $_d_box is gone (${_d_state:-removed}): it was removed, or the machine or the daemon of $_d_runtime was restarted"
}

_d_phase_text='_d_at=$1
[ -w "$_d_at" ] || { echo "drover: user $(id -u) of the container cannot write in the job'\''s directory; set container.user" >&2; exit 126; }
exec 3<&0 4>&2 </dev/null 2>/dev/null
trap : TERM INT HUP
(
  trap '\'''\'' TERM INT HUP
  exec >/dev/null 4>&-
  while read -r _d_word <&3 && [ "$_d_word" = t ]; do
    printf '\'''\'' >"$_d_at/told"
    kill -TERM "-$$"
  done
  [ "$3" != 1 ] || kill -TERM 1
  kill -KILL "-$$"
) &
_d_watch=$!
exec 3<&-
_d_read_kills() {
  _d_kills=0
  for _d_each in /sys/fs/cgroup/memory.events /sys/fs/cgroup/memory/memory.oom_control; do
    [ -r "$_d_each" ] || continue
    while read -r _d_key _d_value; do [ "$_d_key" != oom_kill ] || _d_kills=$_d_value; done <"$_d_each"
  done
}
_d_read_kills
_d_before=$_d_kills
printf '\'''\'' >"$_d_at/began"
(
  exec 2>&4 4>&-
  [ ! -e "$_d_at/told" ] || exit 143
  [ "$2" = program ] && exec "$_d_at/script"
  command -v bash >/dev/null && exec bash "$_d_at/script"
  exec sh "$_d_at/script"
)
_d_code=$?
_d_read_kills
printf '\''%s %s\n'\'' "$_d_code" "$((_d_kills - _d_before))" >"$_d_at/code"
_d_has_others() {
  for _d_each in /proc/[0-9]*; do
    { read -r _d_stat <"$_d_each/stat"; } || continue
    _d_pid=${_d_each#/proc/}
    set -- ${_d_stat##*) }
    [ "${3:-}" = "$_d_self" ] && [ "$1" != Z ] && [ "$_d_pid" != "$_d_self" ] && [ "$_d_pid" != "$_d_watch" ] && return 0
  done
  return 1
}
_d_self=$$ _d_last=$3 _d_left=$(($4 * 10))
_d_has_others && kill -TERM "-$$"
while _d_has_others && [ "$_d_left" -gt 0 ]; do
  sleep 0.1 || sleep 1
  _d_left=$((_d_left - 1))
done
if _d_has_others; then [ "$_d_last" != 1 ] || kill -TERM 1; kill -KILL "-$$"; fi
[ "$_d_last" != 1 ] || kill -TERM 1
exit "$_d_code"'
(umask 077 && mkdir -p "$_d_box_dir/setup" "$_d_box_dir/run" "$_d_box_dir/home")
_d_choose docker podman
_d_remove_old
_d_pull
set -- run --detach --rm --name "$_d_box" --label "drover.job=$DROVER_JOB_ID" --label "drover.attempt=$DROVER_ATTEMPT" --label "drover.rank=$_d_own"
set -- "$@" --network host
_d_find_shm
set -- "$@" --shm-size "$_d_shm"
if [ "$_d_runtime" = podman ]; then
  [ "$(id -u)" = 0 ] || set -- "$@" --userns keep-id
  set -- "$@" --user "$(id -u):$(id -g)"
else
  # In rootless docker root is the caller.
  case $(_d_call info --format '{{.SecurityOptions}}' 2>/dev/null) in
    *name=rootless*) set -- "$@" --user 0:0 ;;
    *)
      set -- "$@" --user "$(id -u):$(id -g)"
      for _d_group in $(id -G); do set -- "$@" --group-add "$_d_group"; done
      ;;
  esac
fi
if [ "$_d_runtime" = podman ]; then set -- "$@" --security-opt label=disable; fi
if [ "$_d_home_target" != /dev/null ] && _d_bind "$_d_box_dir/home" "$_d_home_target"; then set -- "$@" --mount "$_d_spec"; fi
if _d_bind "$DROVER_ATTEMPT_DIR" "$DROVER_ATTEMPT_DIR"; then set -- "$@" --mount "$_d_spec"; fi
if _d_bind "$DROVER_WORK_DIR" "$DROVER_WORK_DIR"; then set -- "$@" --mount "$_d_spec"; fi
for _d_name in $(env | sed -n 's/^\(DROVER_UPSTREAM_[A-Za-z0-9_]*\)=.*/\1/p'); do
  eval "_d_value=\$$_d_name"
  if [ -d "$_d_value" ] && _d_bind "$_d_value" "$_d_value"; then set -- "$@" --mount "$_d_spec"; fi
done
if ! _d_call "$@" --entrypoint /bin/sh "$_d_image" -c 'trap '\''exit 0'\'' TERM
command -v sleep >/dev/null || { echo '\''drover: the image has no sleep'\'' >&2; exit 127; }
while [ -e "$2" ] && [ ! -s "$1" ] && [ ! -s "$2" ]; do
  sleep 2 &
  wait "$!"
done' keeper "$DROVER_ATTEMPT_DIR/exit/job" "$DROVER_ATTEMPT_DIR/exit/$_d_own" >/dev/null 2>"$_d_box_dir/said"; then
  cat "$_d_box_dir/said" >&2
  _d_last_line "$_d_box_dir/said"
  _d_explain "$_d_line"
  _d_remove
  _d_fail image "cannot start a container of $_d_image: $_d_line$_d_why"
fi
