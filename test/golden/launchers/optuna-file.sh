# Launcher optuna, made by Drover.
{ set +eux; } 2>/dev/null
_d_say() { echo "drover: launcher optuna: $1" >&2; }
_d_fail() { _d_say "$1" && exit 125; }
_d_rank=${DROVER_NODE_RANK:-0} _d_nodes=${DROVER_NUM_NODES:-1} _d_processes=${DROVER_PROCESSES_PER_NODE:-1}
_d_id=$_d_rank${DROVER_ARRAY_INDEX:+.$DROVER_ARRAY_INDEX}
# This node's own address: the line of its rank.
_d_ip='' _d_at=0
while IFS= read -r _d_line; do
  [ "$_d_at" != "$_d_rank" ] || _d_ip=$_d_line
  _d_at=$((_d_at + 1))
done <<_D_IPS
${DROVER_NODE_IPS:-127.0.0.1}
_D_IPS
_d_launch=${DROVER_ATTEMPT_DIR:-.}/launch
mkdir -p "$_d_launch" 2>/dev/null && [ -w "$_d_launch" ] || _d_launch=$(mktemp -d) || _d_fail 'there is no directory to write to'

# Sets _d_interface: the network interface that holds address $1.
_d_find_interface() {
  _d_interface=''
  case $1 in
    *%*) _d_interface=${1#*%} ;;
    '' | *[!0-9A-Fa-f.:]*) return ;;
    127.*) [ -d /sys/class/net/lo ] && _d_interface=lo ;;
  esac
  [ -z "$_d_interface" ] || return 0
  if command -v ip >/dev/null 2>&1; then
    _d_interface=$(ip -o addr show to "$1" 2>/dev/null | { read -r _d_number _d_name _d_rest && echo "${_d_name%%[@:]*}"; })
  fi
  [ -z "$_d_interface" ] && command -v python3 >/dev/null 2>&1 || return 0
  _d_interface=$(python3 -c 'import fcntl, socket, struct, sys
for _, name in socket.if_nameindex():
    try:
        request = struct.pack("256s", name.encode()[:15])
        held = fcntl.ioctl(socket.socket(socket.AF_INET, socket.SOCK_DGRAM), 0x8915, request)[20:24]
        if socket.inet_ntoa(held) == sys.argv[1]:
            print(name)
    except OSError:
        pass' "$1" 2>/dev/null)
}
_d_find_interface "$_d_ip"
if [ -n "$_d_interface" ]; then
  export GLOO_SOCKET_IFNAME="${GLOO_SOCKET_IFNAME:-$_d_interface}" NCCL_SOCKET_IFNAME="${NCCL_SOCKET_IFNAME:-=$_d_interface}"
fi

# True when nobody listens on port $1 of this machine, as far as /proc tells.
_d_port_is_free() {
  _d_hex=$(printf '%04X' "$1")
  for _d_table in /proc/net/tcp /proc/net/tcp6; do
    [ -r "$_d_table" ] || continue
    while read -r _d_number _d_local _d_remote _d_state _d_rest; do
      [ "${_d_local##*:}:$_d_state" != "$_d_hex:0A" ] || return 1
    done <"$_d_table"
  done
}
# Sets _d_free: the first free port from $1 on.
_d_find_port() {
  _d_free=$1
  while ! _d_port_is_free "$_d_free" && [ "$_d_free" -lt $(($1 + 200)) ]; do _d_free=$((_d_free + 1)); done
}
_d_port=${DROVER_MASTER_PORT:-29500}
if [ "$_d_nodes" = 1 ]; then
  _d_find_port $((_d_port + ${DROVER_ARRAY_INDEX:-0} % 1000))
  _d_port=$_d_free
elif [ "$_d_rank" = 0 ] && ! _d_port_is_free "$_d_port"; then
  _d_fail "port $_d_port, on which the nodes would meet, is in use on the head node; run it again (another attempt takes another port), or set the launcher's option port"
fi

export MASTER_ADDR="${DROVER_HEAD_IP:-127.0.0.1}" MASTER_PORT="$_d_port" WORLD_SIZE=$((_d_nodes * _d_processes))
export NODE_RANK="$_d_rank" LOCAL_WORLD_SIZE="$_d_processes"

_d_reset=''
env --default-signal=INT,QUIT true 2>/dev/null && _d_reset='env --default-signal=INT,QUIT'
_d_told='' _d_children=''
_d_forward() {
  _d_told=1
  for _d_each in $_d_children; do kill -TERM "$_d_each" 2>/dev/null; done
}
trap _d_forward TERM INT

# True when the last that process rank $1 wrote to stderr is that it lost its connection to another: of several on a node
# only what torch marks as that rank's counts.
_d_lost_peer() {
  _d_mark=''
  [ "$1" = null ] || [ "$_d_processes" = 1 ] || _d_mark="^\[rank$1\]:"
  _d_log=${DROVER_ATTEMPT_DIR:-.}/logs/${DROVER_ARRAY_INDEX:-$_d_rank}.err
  [ ! -f /proc/self/fd/2 ] || _d_log=/proc/self/fd/2
  tail -c 262144 "$_d_log" 2>/dev/null | grep -E -- "$_d_mark" | tail -n 20 | grep -Eiq 'Connection (was )?(closed|reset)|Connection refused|Broken pipe|(closed|reset) by peer|got 0 bytes|recvBytes failed|remote process exited|ncclRemoteError|DistNetworkError|DistStoreError'
}

# True when a process that ended with $1 (rank $2) may have ended because of another.
_d_follows() {
  case $1 in 1 | 134 | 250) _d_lost_peer "$2" ;; *) return 1 ;; esac
}

_d_conclude() {
  [ "$1" != 0 ] || exit 0
  _d_kind=own
  if [ "$_d_nodes" -gt 1 ] && [ -z "$_d_told" ] && _d_follows "$1" "$2"; then _d_kind=peer; fi
  printf '{"version":1,"kind":"%s","node":%s,"rank":%s,"local_rank":%s,"code":%s,"message":"","time":%s}\n' \
    "$_d_kind" "$_d_rank" "$2" "$3" "$1" "$(date +%s)" >"$_d_launch/$_d_id.json"
  if [ "$_d_kind" = peer ]; then
    _d_say "this node ended with $1 because it lost its connection to another; it waits to be told so, at most 60 s"
    trap 'exit 143' TERM INT
    sleep 60 &
    wait "$!"
  fi
  exit "$1"
}

# The Python that has Optuna.
_d_python=''
for _d_each in python3 python; do
  [ -z "$_d_python" ] && command -v "$_d_each" >/dev/null 2>&1 || continue
  "$_d_each" -c 'import importlib.util as u, sys; sys.exit(u.find_spec("optuna") is None)' && _d_python=$_d_each
done
if [ -z "$_d_python" ]; then
  _d_say "there is no Python with optuna on PATH of node $_d_rank; install optuna in setup, or name the interpreter by the launcher's option python"
  exit 127
fi
cat >"$_d_launch/optuna-$_d_id.py.$_d_id.new" <<'_D_END' && mv "$_d_launch/optuna-$_d_id.py.$_d_id.new" "$_d_launch/optuna-$_d_id.py" || _d_fail 'cannot write its files'
"""Makes and finds the study of a job. Made by Drover."""
import os
import sys
import time


def say(text):
    print("drover: launcher optuna: " + text, file=sys.stderr, flush=True)


def hidden(error, uri):
    """An error's last line, without the storage's password."""
    import re

    lines = str(error).strip().splitlines() or [""]
    password = re.search(r"://[^:/@]*:([^@]*)@", uri)
    text = "%s: %s" % (type(error).__name__, lines[0])
    return text.replace(password.group(1), "***") if password and password.group(1) else text


def attempt(what, action, seconds, uri):
    """Two nodes that meet a new database at one moment both make its tables, and one of them fails: it tries again."""
    deadline = time.time() + seconds
    while True:
        try:
            return action()
        except Exception as error:
            if time.time() > deadline:
                say("cannot %s: %s" % (what, hidden(error, uri)))
                sys.exit(1)
            time.sleep(0.5)


def main(command, *words):
    if command == "driver":
        for name in "psycopg", "psycopg2":
            try:
                __import__(name)
                print("postgresql+" + name)
                return
            except ImportError:
                continue
        sys.exit(1)
    uri, name = os.environ.get("OPTUNA_STORAGE", ""), os.environ.get("OPTUNA_STUDY_NAME", "")
    if command == "dashboard":
        try:
            import optuna_dashboard
        except ImportError:
            say("there is no optuna-dashboard; install it in setup")
            sys.exit(1)
        import optuna

        optuna_dashboard.run_server(optuna.storages.get_storage(uri), host="127.0.0.1", port=int(words[0]))
        return
    if command in ("finished", "all-finished"):
        import sqlalchemy

        with sqlalchemy.create_engine(uri).begin() as connection:
            if command == "finished":
                connection.execute(sqlalchemy.text("INSERT INTO drover_finished VALUES (%d)" % int(words[0])))
                return
            count = connection.execute(sqlalchemy.text("SELECT count(DISTINCT node) FROM drover_finished")).scalar()
            sys.exit(0 if count >= int(words[0]) else 1)
    if command == "table":
        import sqlalchemy

        def create_table():
            with sqlalchemy.create_engine(uri).begin() as connection:
                connection.execute(sqlalchemy.text("CREATE TABLE IF NOT EXISTS drover_finished (node INTEGER)"))
                connection.execute(sqlalchemy.text("DELETE FROM drover_finished"))

        attempt("reach the PostgreSQL of this job", create_table, 30, uri)
        return
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    if command == "create":
        attempt(
            "make study %r" % name,
            lambda: optuna.create_study(study_name=name, storage=uri, directions=list(words), load_if_exists=True),
            20,
            uri,
        )
    else:
        attempt("find study %r" % name, lambda: optuna.load_study(study_name=name, storage=uri), float(words[0]), uri)


main(*sys.argv[1:])
_D_END
_d_tool() { "$_d_python" "$_d_launch/optuna-$_d_id.py" "$@"; }
# What was started beside the command ends with it.
_d_dashboard='' _d_sql_pid='' _d_sql_data=''
_d_clean() {
  [ -z "$_d_dashboard" ] || kill "$_d_dashboard" 2>/dev/null
  [ -z "$_d_sql_pid" ] || { kill -INT "$_d_sql_pid" && wait "$_d_sql_pid"; } 2>/dev/null
  [ -z "$_d_sql_data" ] || rm -rf "$_d_sql_data"
}

_d_uri=${OPTUNA_STORAGE:-${DATABASE_URI:-}}
if [ -z "$_d_uri" ]; then
  # Beside the attempts, so that a retry goes on with the study.
  _d_data=${DROVER_ATTEMPT_DIR%/*}
  [ -w "$_d_data" ] || _d_data=$_d_launch
  _d_uri=sqlite:///$_d_data/optuna.db
fi
_d_study="${STUDY_NAME:-${DROVER_JOB_NAME:-study}}"
export STUDY_NAME="$_d_study" OPTUNA_STUDY_NAME="$_d_study" DATABASE_URI="$_d_uri" OPTUNA_STORAGE="$_d_uri"
# The head makes the study, once; the others wait for it.
if [ "$_d_rank" = 0 ]; then
  _d_tool create maximize || exit
else
  _d_tool await 300 || exit
fi

# The dashboard, on the head: in the job's group, so that it ends with the job.
if [ "$_d_rank" = 0 ]; then
  _d_find_port 8088
  _d_tool dashboard "$_d_free" </dev/null >"$_d_launch/dashboard.log" 2>&1 &
  _d_dashboard=$!
  trap _d_clean EXIT
  _d_say "optuna-dashboard at http://127.0.0.1:$_d_free on the head node"
fi

set -- python tune.py

# shellcheck disable=SC2086
$_d_reset "$@" &
_d_children=$!
[ -z "$_d_told" ] || _d_forward
while :; do
  wait "$_d_children"
  _d_code=$?
  kill -0 "$_d_children" 2>/dev/null || break
done
_d_conclude "$_d_code" null null
