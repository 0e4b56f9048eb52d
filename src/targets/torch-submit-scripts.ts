import { quoteShell } from '../driver/quote.ts'

/** What one node says of one job of torch-submit. */
export type TorchSubmitFinding =
  | { readonly state: 'running' }
  | { readonly state: 'ended'; readonly code: number }
  /** Nothing proves anything: the directory is gone, or there is neither a process nor an exit code. */
  | { readonly state: 'unknown'; readonly why: string }

/** How long a job that was told to stop has until it is killed, s. */
export const STOP_SECONDS = 20
/** Exit code of the follower of a job that ended without leaving one; it writes the event `no_proof` first, see driver/protocol. */
export const NO_PROOF_CODE = 70

/**
 * Shell functions over `$d`, a job's directory (torch-submit 0.1: /tmp/torch_submit_job_<id> with job.pid, output.log,
 * exit_code). A pid alone is no identity: the process must work in that directory, or name it, as torch-submit starts it. An exit code
 * older than the pid file is that of an earlier start.
 */
const FUNCTIONS = `pid_of() { pid=; [ -r "$d/job.pid" ] && read -r pid <"$d/job.pid"; case $pid in ''|*[!0-9]*) pid=; return 1 ;; esac; }
alive() {
  pid_of && kill -0 "$pid" 2>/dev/null || return 1
  [ -d /proc/self ] || return 0
  grep -q '^State:[[:space:]]*Z' "/proc/$pid/status" && return 1
  [ "$(readlink "/proc/$pid/cwd" 2>/dev/null)" = "$(cd "$d" && pwd -P)" ] || grep -q "\${d##*/}" "/proc/$pid/cmdline" 2>/dev/null
}
code_of() {
  code=
  [ -s "$d/exit_code" ] && [ -z "$(find "$d/job.pid" -newer "$d/exit_code" 2>/dev/null)" ] && read -r code <"$d/exit_code"
  case $code in ''|*[!0-9]*) code=; return 1 ;; esac
}
`

const directoryOf = (id: string): string => `/tmp/torch_submit_job_${id}`

/** Prints `job <id> running|ended <code>|unknown <why>` for each job, in one round trip. */
export function lookTorchSubmitScript(ids: readonly string[]): string {
  return `${FUNCTIONS}for j in ${ids.map(quoteShell).join(' ')}; do
  d=${directoryOf('')}$j
  if [ ! -d "$d" ]; then echo "job $j unknown its directory $d is gone"
  elif alive; then echo "job $j running"
  elif code_of; then echo "job $j ended $code"
  else echo "job $j unknown it left no exit code, and its process is gone"; fi
done
true
`
}

/** Reads that; a job that is not in it is unknown. */
export function parseTorchSubmitLook(text: string): ReadonlyMap<string, TorchSubmitFinding> {
  const found = new Map<string, TorchSubmitFinding>()
  for (const line of text.split('\n')) {
    const [, id, state, rest = ''] = /^job (\S+) (running|ended|unknown)(?: (.*))?$/.exec(line) ?? []
    if (id === undefined) continue
    if (state === 'running') found.set(id, { state })
    else if (state === 'ended' && /^\d{1,3}$/.test(rest)) found.set(id, { state, code: Number(rest) })
    else found.set(id, { state: 'unknown', why: rest || 'its answer was cut off' })
  }
  return found
}

/**
 * What a Drover job runs on every node in place of a job of torch-submit that is there: prints its log from the start and
 * as it grows, waits for its end, and ends with its exit code. Told to stop, it stops the job and what came of it: TERM, 20 s,
 * KILL. The shell that takes the signals only waits: bash 5.2 reads a trap that comes while it reads a `$(…)` as a part of it
 * ("unexpected EOF"), and loses it.
 */
export function followTorchSubmitScript(id: string): string {
  return `${FUNCTIONS}d=${quoteShell(directoryOf(id))}
no_proof() {
  printf '%s no_proof\\n' "$(date +%s)" >>"\${DROVER_ATTEMPT_DIR:-.}/events/\${DROVER_NODE_RANK:-0}"
  exit ${NO_PROOF_CODE}
}
[ -d "$d" ] || { echo "drover: torch-submit's directory $d is not on this node" >&2; no_proof; }
n=0
show() {
  [ -r "$d/output.log" ] || return 0
  s=$(($(wc -c <"$d/output.log")))
  [ "$s" -gt "$n" ] && tail -c "+$((n + 1))" "$d/output.log" | head -c "$((s - n))"
  n=$s
}
tree() {
  ps -A -o pid= -o ppid= | awk -v top="$pid" '{ parent[$1] = $2 } END { of[top] = 1; do { more = 0; for (p in parent) if (!(p in of) && (parent[p] in of)) { of[p] = 1; more = 1 } } while (more); for (p in of) print p }'
}
stopped() { [ -e "$f" ]; }
follow() {
  stop=0
  while alive; do
    if stopped; then
      if [ "$stop" -eq 0 ]; then all=$(tree); kill -s TERM $all 2>/dev/null; fi
      if [ "$stop" -ge ${STOP_SECONDS} ]; then kill -s KILL $all $(tree) 2>/dev/null; fi
      stop=$((stop + 1))
    fi
    show
    sleep 1
  done
  t=0
  until code_of || stopped || [ "$t" -ge 10 ]; do
    sleep 1
    t=$((t + 1))
  done
  show
  if code_of; then return "$code"; fi
  if stopped; then return 143; fi
  echo "drover: torch-submit's job on this node is gone and left no exit code ($d/exit_code): nobody knows how it ended" >&2
  end=unknown
}
f=$PWD/.torch-submit-stop.$$
trap '' TERM INT
{
  end=
  follow
  echo "\${end:-$?}" >"$f.code"
} &
child=$!
trap ': >"$f"' TERM INT
while kill -0 "$child" 2>/dev/null; do wait "$child"; done
end=unknown
[ -s "$f.code" ] && read -r end <"$f.code"
told=
[ -e "$f" ] && told=1
rm -f "$f" "$f.code"
if [ "$end" = unknown ] && [ -z "$told" ]; then no_proof; fi
[ "$end" = unknown ] && end=${NO_PROOF_CODE}
exit "$end"
`
}
