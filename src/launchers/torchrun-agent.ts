/**
 * The program that runs torchrun's agent in its own process (Python 3.7 or later, torch 1.9 or later). It changes nothing of
 * torchrun's work; it ends with the code of the worker that failed first on this node, where torchrun ends with 1 whatever
 * happened, and writes `{"version", "kind", "node", "rank", "local_rank", "code", "message", "time"}` to its first argument.
 * `kind`: `own` a worker of this node failed by itself; `peer` this node's end follows from another's (a broken connection, a
 * rendezvous that was closed). A `peer` of several nodes waits to be told so, because who ends first is taken for the cause.
 * torch 2.6 and later start each worker in a session of its own, where no signal to the job's group reaches it: a small guard in
 * a session of its own holds the other end of a pipe, and kills those sessions as soon as the agent is gone, however it went.
 * Where a worker has no error file, its message is the last line of its traceback in the node's own stderr.
 */
export const TORCHRUN_AGENT = `"""Runs torchrun's agent and ends with the code of the worker that failed first. Made by Drover."""
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
    r"|Rendezvous\\w*Error|RendezvousClosed|collective operation timeout|heartbeat|Timed out waiting",
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
        match = re.match(r"(?:\\[[a-z]*\\d+\\]:)?\\s?(?:\\[rank(\\d+)\\]: ?)?(.*)", line)
        rank, rest = match.group(1), match.group(2)
        if rest.startswith("Traceback (most recent call last)"):
            open_at[rank] = True
        elif open_at.get(rank) and re.match(r"[A-Za-z_][\\w.]*(?::|$)", rest):
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
            file.write("\\n")
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
  pid=\${each%%:*} start=
  if read -r stat 2>/dev/null <"/proc/$pid/stat"; then
    set -- \${stat##*) }
    shift 19
    start=$1
  fi
  # The number may have been given out again.
  [ -n "$start" ] && [ "$start" != "\${each#*:}" ] || kill -KILL "-$pid" 2>/dev/null
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
            os.write(writing, ("%d %s\\n" % (self.pid, start_time(self.pid))).encode())

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
`
