import { quoteShell } from '../../driver/quote.ts'

/** Hosts of the job in order of rank, each once, with an address that the others reach. */
export const NODE_LIST = `awk '!seen[$0]++' "$PBS_NODEFILE" | while IFS= read -r name; do
  ip=$(getent ahostsv4 "$name" 2>/dev/null | awk 'NR == 1 { print $1 }')
  [ -n "$ip" ] || ip=$(getent ahosts "$name" 2>/dev/null | awk 'NR == 1 { print $1 }')
  echo "$name \${ip:-$name}"
done`

/** Variable in which a started process finds its index. */
export const RANK_VARIABLE = 'DROVER_PBS_RANK'

/**
 * On each host: what the head's environment holds, but for what PBS says of a task itself, and the rank. A task that pbs_tmrsh
 * starts has PATH=/bin:/usr/bin and no more than PBS's own variables.
 */
const ON_HOST = `rank=$1 file=$2
shift 2
node=$PBS_NODENUM task=$PBS_TASKNUM
[ ! -r "$file" ] || . "$file"
PBS_NODENUM=$node PBS_TASKNUM=$task ${RANK_VARIABLE}=$rank
export PBS_NODENUM PBS_TASKNUM ${RANK_VARIABLE}
exec "$@"`

/**
 * Starts a command once on every host of the job, in parallel, and ends with the highest code. A job's PATH lacks PBS's own
 * programs (OpenPBS 23.06.06); the environment goes by a file, for a command line is seen by all on the host.
 */
const LAUNCHER = `here=$1
shift
tmrsh=$(PATH=$PATH:$PBS_O_PATH; command -v pbs_tmrsh)
[ -n "$tmrsh" ] || tmrsh=$(sed -n 's/^PBS_EXEC=//p' "\${PBS_CONF_FILE:-/etc/pbs.conf}" 2>/dev/null)/bin/pbs_tmrsh
[ -x "$tmrsh" ] || tmrsh=/opt/pbs/bin/pbs_tmrsh
if [ ! -x "$tmrsh" ]; then
  echo 'drover: pbs_tmrsh, which starts processes on the other hosts of a job, was not found on this one' >&2
  exit 127
fi
(umask 077 && export -p >"$here/launch-env")
rank=0 started=''
trap 'for one in $started; do kill -TERM "$one" 2>/dev/null; done' TERM
for host in $(awk '!seen[$0]++' "$PBS_NODEFILE"); do
  "$tmrsh" "$host" /bin/sh -c ${quoteShell(ON_HOST)} drover "$rank" "$here/launch-env" "$@" </dev/null &
  started="$started $!"
  rank=$((rank + 1))
done
worst=0
for one in $started; do
  while :; do
    wait "$one"
    code=$?
    # A signal ends the waiting, not what is waited for.
    [ "$code" -gt 128 ] && kill -0 "$one" 2>/dev/null || break
  done
  [ "$code" -le "$worst" ] || worst=$code
done
rm -f "$here/launch-env"
exit "$worst"`

/** Words before a command that start it on every host of the job. */
export function launchWords(attemptDir: string): readonly string[] {
  return ['sh', '-c', LAUNCHER, 'drover-launch', attemptDir]
}
