/**
 * Shell functions of a container's wrapper on docker and podman. Set before: _d_image, _d_box (name of the container),
 * _d_box_dir (directory below the attempt's, on the node and in the container), _d_call (runs the runtime), _d_pull_when.
 */
export const BOX = `
# Rootless docker listens at the user's own socket, which only its start-up files would name.
_d_find_host() {
  [ "$_d_runtime" = docker ] && [ -z "\${DOCKER_HOST:-}" ] && [ ! -S /var/run/docker.sock ] || return 0
  _d_socket=\${XDG_RUNTIME_DIR:-/run/user/$(id -u)}/docker.sock
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
      printf '%s\\n' "$_d_runtime" >"$_d_box_dir/runtime"
      [ -z "$_d_trouble" ] || echo "drover: $_d_runtime is used, for docker does not answer\${_d_trouble#; docker}" >&2
      return
    fi
    _d_last_line "$_d_box_dir/said"
    _d_explain "$_d_line"
    _d_trouble="$_d_trouble; $_d_runtime: $_d_line$_d_why"
  done
  [ -n "$_d_trouble" ] || _d_trouble="; there is no $* on PATH on $(uname -n): install one of them, or name another container.runtime"
  _d_fail image "cannot run a container: \${_d_trouble#; }"
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
  [ -n "\${SKYPILOT_DOCKER_USERNAME:-}" ] && [ -n "\${SKYPILOT_DOCKER_PASSWORD:-}" ] || return 0
  _d_config=\${DOCKER_CONFIG:-} _d_auth_file=\${REGISTRY_AUTH_FILE:-}
  if [ "$_d_runtime" = docker ]; then
    # A context of the user's own configuration says where the daemon is.
    DOCKER_HOST=\${DOCKER_HOST:-$(docker context inspect --format '{{.Endpoints.docker.Host}}' 2>/dev/null)}
    [ -z "$DOCKER_HOST" ] && unset DOCKER_HOST || export DOCKER_HOST
    DOCKER_CONFIG=$_d_box_dir/login
    export DOCKER_CONFIG
  fi
  REGISTRY_AUTH_FILE=$_d_box_dir/login/auth.json
  export REGISTRY_AUTH_FILE
  (umask 077 && mkdir -p "$_d_box_dir/login")
  printf '%s' "$SKYPILOT_DOCKER_PASSWORD" |
    _d_call login --username "$SKYPILOT_DOCKER_USERNAME" --password-stdin \${SKYPILOT_DOCKER_SERVER:+"$SKYPILOT_DOCKER_SERVER"} >"$_d_box_dir/said" 2>&1 && return
  _d_last_line "$_d_box_dir/said"
  rm -rf "$_d_box_dir/login"
  _d_fail image "cannot log in to \${SKYPILOT_DOCKER_SERVER:-the registry} as $SKYPILOT_DOCKER_USERNAME: $_d_line"
}

_d_pull() {
  # As SkyPilot has it: the server stands before the name where it does not yet.
  if [ -n "\${SKYPILOT_DOCKER_SERVER:-}" ]; then
    case $_d_image in "$SKYPILOT_DOCKER_SERVER"/*) ;; *) _d_image=$SKYPILOT_DOCKER_SERVER/$_d_image ;; esac
  fi
  if [ "$_d_pull_when" != always ] && _d_call image inspect "$_d_image" >/dev/null 2>&1; then return; fi
  [ "$_d_pull_when" != never ] || _d_fail image "the image $_d_image is not on $(uname -n), and container.pull is never"
  _d_login
  printf 'drover: pulling %s\\n' "$_d_image" >&2
  printf '1\\n' >"$_d_box_dir/pulled"
  { _d_call pull "$_d_image" 2>&1; printf '%s\\n' "$?" >"$_d_box_dir/pulled"; } | tee "$_d_box_dir/said" >&2
  rm -rf "$_d_box_dir/login"
  unset DOCKER_CONFIG REGISTRY_AUTH_FILE
  [ -z "\${_d_config:-}" ] || export DOCKER_CONFIG="$_d_config"
  [ -z "\${_d_auth_file:-}" ] || export REGISTRY_AUTH_FILE="$_d_auth_file"
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
    *,*) _d_spec="type=bind,\\"source=$1\\",\\"target=$2\\"\${3:-}" ;;
    *) _d_spec="type=bind,source=$1,target=$2\${3:-}" ;;
  esac
  # A place below the container's home is made there first, else the daemon makes it as root.
  case $2 in
    "$_d_home_target"/*)
      if [ -d "$1" ]; then
        mkdir -p "$_d_box_dir/home\${2#"$_d_home_target"}"
      else
        _d_place=$_d_box_dir/home\${2#"$_d_home_target"}
        mkdir -p "\${_d_place%/*}" && { [ -e "$_d_place" ] || printf '' >"$_d_place"; }
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
  _d_names="$_d_own_names $(env | sed -n -e 's/^\\(DROVER_[A-Za-z0-9_]*\\)=.*/\\1/p' -e '/^SKYPILOT_DOCKER_PASSWORD=/d' -e 's/^\\(SKYPILOT_[A-Za-z0-9_]*\\)=.*/\\1/p')"
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
  printf 't\\n' >&8
  (
    trap - TERM INT
    sleep "$_d_patience" 8>&- 2>/dev/null || sleep 1 8>&-
    printf 'k\\n' >&8
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
    if [ "$_d_code:\${_d_kills:-0}" != "$_d_code:0" ] && [ "$_d_code" = 137 ]; then
      _d_tell out_of_memory "the script ran out of the memory of its container and was killed"
    fi
    return
  fi
  if [ -n "$_d_told" ]; then _d_status=137 && return; fi
  _d_state=$(_d_call inspect --format '{{.State.Status}}' "$_d_box" 2>/dev/null)
  if [ -e "$_d_at/began" ]; then
    echo "drover: the container ended before the script did (\${_d_state:-removed}): killed from outside, for lack of memory, or with the daemon of $_d_runtime" >&2
    _d_status=137
    return
  fi
  if [ "$_d_state" = running ]; then _d_fail driver "$_d_runtime exec did not start the script in the container (exit $_d_status); its words stand above"; fi
  _d_fail driver "the container $_d_box is gone (\${_d_state:-removed}): it was removed, or the machine or the daemon of $_d_runtime was restarted"
}
`
