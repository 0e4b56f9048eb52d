import { quoteArgv, quoteShell } from '../../driver/quote.ts'
import type { PjmOptions } from './pjm-options.ts'

/** Variable in which a launched process finds its rank, whatever the MPI called it. */
export const RANK_VARIABLE = 'DROVER_PJM_RANK'

/** Fujitsu MPI, Open MPI, Intel MPI. */
const RANK = '${PMIX_RANK:-${OMPI_COMM_WORLD_RANK:-${PMI_RANK:-}}}'
const NO_RANK = 'drover: mpiexec sets none of PMIX_RANK, OMPI_COMM_WORLD_RANK and PMI_RANK'

/**
 * What mpiexec starts on each node. How a rank ended is in its record: a code other than 0 would make mpiexec kill the other
 * ranks before they have heard that they are to stop.
 */
const WRAPPER = `${RANK_VARIABLE}=${RANK}
[ -n "$${RANK_VARIABLE}" ] || { echo '${NO_RANK}' >&2; exit 1; }
export ${RANK_VARIABLE}
"$@"
code=$?
[ "$code" -gt 128 ] || code=0
exit "$code"`

/** Fujitsu's mpiexec leaves an empty file for each rank that printed nothing, unless told not to. */
const NO_EMPTY_FILES = ['env', 'PLE_MPI_STD_EMPTYFILE=off']

/** Words that start a command once on every node of the job. */
export function launchWords({ machine, mpiexec, mpiexecPerNode }: PjmOptions, nodes: number): readonly string[] {
  if (machine === 'fx') return [...NO_EMPTY_FILES, ...mpiexec, '-n', String(nodes), 'sh', '-c', WRAPPER, 'drover-rank']
  // The file of hosts has its path in a variable of the job.
  const launch = `exec ${quoteArgv(mpiexec)} -machinefile "$PJM_O_NODEINF" -n ${nodes} -${mpiexecPerNode} 1 "$@"`
  return ['sh', '-c', launch, 'drover-launch', 'sh', '-c', WRAPPER, 'drover-rank']
}

/** Sets `ip` to the address of host `name`, or to its name where it has none. */
const ADDRESS = `ip=$(getent ahostsv4 "$name" 2>/dev/null | awk 'NR == 1 { print $1 }')
[ -n "$ip" ] || ip=$(getent ahosts "$name" 2>/dev/null | awk 'NR == 1 { print $1 }')`

/** Each rank writes its node's line into a file: Fujitsu's mpiexec diverts what ranks print. */
const WRITE_NODE = `rank=${RANK}
[ -n "$rank" ] || { echo '${NO_RANK}' >&2; exit 1; }
name=$(hostname)
${ADDRESS}
printf '%s %s\\n' "$name" "\${ip:-$name}" >"$1/$rank"`

/** POSIX sh that prints the nodes of the job in order of rank, each with an address that the others reach. */
export function nodeListScript({ machine, mpiexec }: PjmOptions, nodes: number, attemptDir: string): string {
  if (nodes === 1) return `name=$(hostname)\n${ADDRESS}\necho "$name \${ip:-$name}"`
  if (machine === 'x86') {
    return `[ -r "\${PJM_O_NODEINF:-}" ] || { echo 'PJM_O_NODEINF names no file: is this an x86 machine? else set machine: fx' >&2; exit 1; }
sed 's/[:[:space:]].*//' "$PJM_O_NODEINF" | awk 'NF && !seen[$1]++ { print $1 }' | while IFS= read -r name; do
${ADDRESS}
echo "$name \${ip:-$name}"
done`
  }
  const directory = quoteShell(`${attemptDir}/nodes.d`)
  // The files are there from the start: a name that was looked up in vain may stay unseen for a minute behind a cache.
  return `mkdir -p ${directory} || exit 1
rank=0
while [ "$rank" -lt ${nodes} ]; do : >${directory}/"$rank"; rank=$((rank + 1)); done
${quoteArgv([...NO_EMPTY_FILES, ...mpiexec, '-n', String(nodes), 'sh', '-c', WRITE_NODE, 'drover-node', `${attemptDir}/nodes.d`])} >&2 || exit 1
rank=0
while [ "$rank" -lt ${nodes} ]; do
  waited=0 line=''
  while line=$(cat ${directory}/"$rank"); [ -z "$line" ]; do
    [ "$waited" -lt 60 ] || { echo "rank $rank did not say which node it has" >&2; exit 1; }
    waited=$((waited + 1))
    sleep 1
  done
  echo "$line"
  rank=$((rank + 1))
done`
}
