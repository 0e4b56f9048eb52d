# Launcher torchrun, made by Drover.
{ set +eux; } 2>/dev/null
_d_say() { echo "drover: launcher torchrun: $1" >&2; }
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
export OMP_NUM_THREADS="${OMP_NUM_THREADS:-${DROVER_CPUS_PER_PROCESS:-1}}"

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

# The Python that `torchrun` on PATH belongs to, else the first one that has torch.
_d_python=''
if _d_torchrun=$(command -v torchrun 2>/dev/null); then
  IFS= read -r _d_line <"$_d_torchrun"
  case $_d_line in '#!'*python*) _d_python=${_d_line#'#!'} ;; *) _d_python=${_d_torchrun%/*}/python3 ;; esac
  case $_d_python in *env\ *) _d_python=${_d_python##*env } ;; esac
  _d_python=${_d_python# }
  command -v "$_d_python" >/dev/null 2>&1 || _d_python=''
fi
for _d_each in python3 python; do
  [ -z "$_d_python" ] && command -v "$_d_each" >/dev/null 2>&1 || continue
  "$_d_each" -c 'import importlib.util as u, sys; sys.exit(u.find_spec("torch") is None)' && _d_python=$_d_each
done
if [ -z "$_d_python" ]; then
  _d_say "there is no torchrun and no Python with torch on PATH of node $_d_rank; install torch in setup, or name the interpreter by the launcher's option python"
  exit 127
fi

_d_conf=''
if [ "$_d_nodes" = 1 ]; then
  _d_endpoint=localhost:0 _d_address=127.0.0.1
else
  # Who hosts the rendezvous is told, not guessed from what a host name resolves to.
  if [ "$_d_rank" = 0 ]; then _d_conf=${_d_conf:+$_d_conf,}is_host=1; else _d_conf=${_d_conf:+$_d_conf,}is_host=0; fi
  case $DROVER_HEAD_IP in *:*) _d_endpoint=[$DROVER_HEAD_IP]:$_d_port ;; *) _d_endpoint=$DROVER_HEAD_IP:$_d_port ;; esac
  _d_address=$_d_ip
fi
cat >"$_d_launch/agent-$_d_id.py.$_d_id.new" <<'_D_END' && mv "$_d_launch/agent-$_d_id.py.$_d_id.new" "$_d_launch/agent-$_d_id.py" || _d_fail 'cannot write its files'
"""Runs torchrun's agent and ends with the code of the worker that failed first. Made by Drover."""
import json
import os
import re
import signal
import sys
import time
import traceback

PEER = re.compile(
    r"Connection (?:was )?(?:closed|reset)|Connection refused|connection.*(?:aborted|reset by peer)|Broken pipe"
    r"|closed by peer|reset by peer|recvBytes failed|sendBytes failed|got 0 bytes|pair closure|Socket (?:Timeout|closed)"
    r"|remote process exited|ncclRemoteError|ncclInternalError|NCCL communicator was aborted|DistNetworkError|DistStoreError"
    r"|Rendezvous\w*Error|RendezvousClosed|collective operation timeout|heartbeat|Timed out waiting",
    re.IGNORECASE,
)
# How long a node that ends because of another waits to be told; how long one that cannot know gives the others precedence.
PEER_SECONDS, UNSURE_SECONDS = 60.0, 1.0


def own_stderr():
    """What the workers of this node wrote last to stderr: the attempt's log, or whatever regular file stderr is."""
    log = "%s/logs/%s.err" % (os.environ.get("DROVER_ATTEMPT_DIR", ""), os.environ.get("DROVER_NODE_RANK", "0"))
    for path in ("/proc/self/fd/2", log):
        try:
            if not os.path.isfile(path):
                continue
            with open(path, "rb") as file:
                file.seek(max(0, os.path.getsize(path) - 262144))
                return file.read().decode("utf-8", "replace")
        except OSError:
            continue
    return ""


def tracebacks(text):
    """Last lines of the tracebacks in a text, as (process rank or None, line); torch marks lines by "[rank1]: "."""
    found, open_at = [], {}
    for line in text.splitlines():
        match = re.match(r"(?:\[[a-z]*\d+\]:)?\s?(?:\[rank(\d+)\]: ?)?(.*)", line)
        rank, rest = match.group(1), match.group(2)
        if rest.startswith("Traceback (most recent call last)"):
            open_at[rank] = True
        elif open_at.get(rank) and re.match(r"[A-Za-z_][\w.]*(?::|$)", rest):
            found.append((None if rank is None else int(rank), rest.strip()))
            open_at[rank] = False
    return found


def message_of(failure, rank, seen):
    """The worker's own words: its error file (with @record), else its traceback in stderr, else None."""
    data = failure.error_file_data if isinstance(failure.error_file_data, dict) else {}
    said = data.get("message")
    if isinstance(said, dict):
        said = said.get("message")
    if isinstance(said, str) and said and failure.error_file not in ("", "<N/A>"):
        return said
    if failure.exitcode != 1:
        return None
    mine = [line for who, line in seen if who == rank]
    anyone = [line for who, line in seen if who is None]
    return mine[-1] if mine else anyone[0] if anyone else None


def conclude(path, kind, code, rank, local_rank, message):
    node = int(os.environ.get("DROVER_NODE_RANK", "0"))
    said = (message or "")[:4000]
    report = {"version": 1, "kind": kind, "node": node, "rank": rank, "local_rank": local_rank, "code": code, "message": said, "time": time.time()}
    try:
        with open(path + ".new", "w") as file:
            json.dump(report, file)
            file.write("\n")
        os.replace(path + ".new", path)
    except OSError as error:
        print("drover: cannot write %s: %s" % (path, error), file=sys.stderr)
    who = "this node" if rank is None else "process rank %d" % rank
    line = said.strip().splitlines()[0] if said.strip() else "no message"
    sys.stderr.flush()
    print("drover: torchrun: %s %s, exit code %d: %s" % (who, "failed" if kind == "own" else "ended because of another node", code, line), file=sys.stderr, flush=True)
    nodes = int(os.environ.get("DROVER_NUM_NODES", "1"))
    if nodes > 1:
        # Who ends first is taken for the cause; whoever tells this node to stop sends TERM.
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        if kind == "peer":
            time.sleep(PEER_SECONDS)
        elif code == 1 and message is None:
            time.sleep(UNSURE_SECONDS)
    os._exit(code)


def shell_code(code):
    return 128 - code if code < 0 else min(code, 255) or 1


GUARD = '''
trap "" TERM INT HUP
sessions=
while read -r pid start; do sessions="$sessions $pid:$start"; done
for each in $sessions; do
  pid=${each%%:*} start=
  if read -r stat 2>/dev/null <"/proc/$pid/stat"; then
    set -- ${stat##*) }
    shift 19
    start=$1
  fi
  # The number may have been given out again.
  [ -n "$start" ] && [ "$start" != "${each#*:}" ] || kill -KILL "-$pid" 2>/dev/null
done
'''


def start_time(pid):
    try:
        with open("/proc/%d/stat" % pid) as file:
            return file.read().rpartition(")")[2].split()[19]
    except (OSError, IndexError):
        return "-"


def guard_sessions():
    """From here on, every session that this process starts ends with it."""
    import subprocess

    reading, writing = os.pipe()
    subprocess.Popen(["sh", "-c", GUARD, "drover-guard"], stdin=reading, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
    os.close(reading)
    original = subprocess.Popen.__init__

    def start(self, *args, **options):
        original(self, *args, **options)
        if options.get("start_new_session"):
            os.write(writing, ("%d %s\n" % (self.pid, start_time(self.pid))).encode())

    subprocess.Popen.__init__ = start


def with_known_options(parser, argv):
    """Leaves out what this torch does not know (--local_addr came with 1.13)."""
    known = parser._option_string_actions
    return [word for word in argv if not (word.startswith("--local_addr=") and "--local_addr" not in known)]


def main(path, own, argv):
    try:
        import torch
        from torch.distributed import run
        from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
    except ImportError as error:
        print("drover: torchrun: %s cannot import torch (%s); install it in setup, or name another interpreter by the launcher's option python" % (sys.executable, error), file=sys.stderr)
        return 127
    if own and torch.__version__.startswith("1."):
        # torch 1.13 on Python 3.11 fails on its own default for the redirects.
        own = own + ["-r", "2", "-t", "1"] if not any(word.startswith(("--redirects", "--tee")) for word in own) else own
    own = with_known_options(run.get_args_parser(), own)
    guard_sessions()
    try:
        run.main(own + argv)
        return 0
    except ChildFailedError as error:
        traceback.print_exc()
        sys.stderr.flush()
        seen = tracebacks(own_stderr())
        found = []
        for rank, failure in error.failures.items():
            message = message_of(failure, rank, seen)
            follows = bool(message and PEER.search(message)) or failure.exitcode == -signal.SIGTERM
            found.append((follows, failure.timestamp, rank, failure, message))
        follows, _, rank, failure, message = min(found, key=lambda each: each[:3])
        if follows and not any(re.match(r"--max_restarts=[1-9]", word) for word in own):
            # A worker of this node may have been the one that was lost, still on its way out when the agent looked.
            others = [each for each in seen if each[0] not in (None, rank) and not PEER.search(each[1])]
            if others:
                conclude(path, "own", 1, others[0][0], None, others[0][1])
        if failure.exitcode < 0 and message is None:
            message = "ended by signal %d" % -failure.exitcode
        several = int(os.environ.get("DROVER_NUM_NODES", "1")) > 1
        conclude(path, "peer" if follows and several else "own", shell_code(failure.exitcode), rank, failure.local_rank, message)
    except Exception as error:
        signal_value = getattr(error, "sigval", None)
        if signal_value is not None:
            print("drover: torchrun: told to stop by signal %d" % signal_value, file=sys.stderr)
            return 128 + int(signal_value)
        traceback.print_exc()
        message = "%s: %s" % (type(error).__name__, error)
        several = int(os.environ.get("DROVER_NUM_NODES", "1")) > 1
        conclude(path, "peer" if several and PEER.search(message) else "own", 1, None, None, message)


if __name__ == "__main__":
    at = sys.argv.index("--", 2)
    sys.exit(main(sys.argv[1], sys.argv[2:at], sys.argv[at + 1 :]))
_D_END
cat >"$_d_launch/command-$_d_id.sh.$_d_id.new" <<'_D_END' && mv "$_d_launch/command-$_d_id.sh.$_d_id.new" "$_d_launch/command-$_d_id.sh" || _d_fail 'cannot write its files'
cd src
python train.py --name "$DROVER_JOB_NAME"
_D_END
if command -v bash >/dev/null 2>&1; then set -- bash "$_d_launch/command-$_d_id.sh"; else set -- sh "$_d_launch/command-$_d_id.sh"; fi
set -- "$_d_launch/$_d_id.json" --nnodes="$_d_nodes" --nproc_per_node="$_d_processes" --node_rank="$_d_rank" --rdzv_backend=c10d \
  --rdzv_endpoint="$_d_endpoint" --rdzv_id="${DROVER_JOB_ID:-job}-${DROVER_ATTEMPT:-1}${DROVER_ARRAY_INDEX:+-$DROVER_ARRAY_INDEX}" \
  ${_d_conf:+--rdzv_conf="$_d_conf"} --local_addr="$_d_address" --no_python -- "$@"
# In the place of this shell: whoever ends the agent ends the leader of the group.
exec "$_d_python" "$_d_launch/agent-$_d_id.py" "$@"
