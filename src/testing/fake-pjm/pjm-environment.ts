import { writeFileSync } from 'node:fs'
import type { PjmJob } from './pjm-job.ts'
import type { PjmSettings } from './pjm-options.ts'

/** Names of the nodes that a job is given. All of them are this machine. */
export function nodeNames(count: number): readonly string[] {
  return Array.from({ length: count }, (_, index) => `fpjm${index}`)
}

/** Variables of a job: few of the submission pass without `-X` [P]; names as seen in public scripts and guides [V][P]. */
export function jobEnvironment(settings: PjmSettings, job: PjmJob, bin: string): Record<string, string> {
  const { request, id, publicId, number } = job
  const names = nodeNames(request.nodes)
  const env: Record<string, string> = {
    HOME: process.env['HOME'] ?? '/',
    LANG: process.env['LANG'] ?? 'C',
    USER: settings.user.name,
    ...request.env,
    PATH: `${bin}:${process.env['PATH'] ?? '/usr/bin:/bin'}`,
    FAKE_PJM_NODES: names.join(' '),
    FAKE_PJM_NODE: names[0] ?? '',
    FAKE_PJM_RANK_VARIABLE: settings.rankVariable,
    FAKE_PJM_RANK_OUTPUT: settings.rankOutput,
    FAKE_PJM_PER_NODE: request.resources['max-proc-per-node'] ?? '',
    PJM_JOBID: String(id),
    PJM_SUBJOBID: publicId,
    PJM_JOBNAME: request.name,
    PJM_O_WORKDIR: request.cwd,
    PJM_O_LOGNAME: settings.user.name,
    PJM_RSCGRP: request.rscgrp,
    PJM_NODE: String(request.nodes),
    PJM_ENVIRONMENT: 'BATCH',
    ...(request.resources['max-proc-per-node'] === undefined ? {} : { PJM_PROC_BY_NODE: request.resources['max-proc-per-node'] }),
    ...(job.model === 'BU' ? { PJM_BULKNUM: String(number) } : {}),
    ...(job.model === 'ST' ? { PJM_STEPNUM: String(number) } : {}),
  }
  if (settings.machine === 'x86') {
    const path = `${settings.directory}/spool/nodes.${publicId}`
    writeFileSync(path, `${names.join('\n')}\n`)
    env['PJM_O_NODEINF'] = path
  }
  return env
}

/** Where stdout and stderr go: `%j` of -o and -e is the job id [P]; else `NAME.JOBID.out`, of a bulk `NAME.JOBID[N].out` [P]. */
export function outputPaths({ request, publicId }: PjmJob): { readonly stdout: string; readonly stderr: string } {
  const place = (pattern: string | undefined, ending: string): string => {
    const path = pattern?.replaceAll('%j', publicId) ?? `${request.name}.${publicId}.${ending}`
    return path.startsWith('/') ? path : `${request.cwd}/${path}`
  }
  const stdout = place(request.output, 'out')
  return { stdout, stderr: request.merged ? stdout : place(request.error, 'err') }
}

/**
 * `mpiexec` of the fake, inside a job: starts `-n` processes, `--mpi max-proc-per-node` on each node in turn, each with its
 * rank in one variable; `hostname` beside it names the node. Fujitsu's own writes output of ranks into files [P].
 */
export const MPIEXEC = `#!/bin/sh
n=1 out=$FAKE_PJM_RANK_OUTPUT per=\${FAKE_PJM_PER_NODE:-1}
while [ $# -gt 0 ]; do
  case $1 in
    -n | -np) n=$2; shift 2 ;;
    -npernode | -ppn) per=$2; shift 2 ;;
    -machinefile | -launcher-exec) [ -e "$2" ] || { echo "mpiexec: there is no $2" >&2; exit 213; }; shift 2 ;;
    --mca) shift 3 ;;
    -*) echo "mpiexec: unknown option $1" >&2; exit 213 ;;
    *) break ;;
  esac
done
run() {
  rank=$1
  shift
  set_node=$((rank / per))
  i=0
  for node in $FAKE_PJM_NODES; do
    [ "$i" -ne "$set_node" ] || FAKE_PJM_NODE=$node
    i=$((i + 1))
  done
  export FAKE_PJM_NODE "$FAKE_PJM_RANK_VARIABLE=$rank"
  if [ "$out" = files ]; then exec "$@" >>"output.$PJM_JOBID.$rank"; else exec "$@"; fi
}
rank=0 pids=''
while [ "$rank" -lt "$n" ]; do
  (run "$rank" "$@") &
  pids="$pids $!"
  rank=$((rank + 1))
done
trap 'kill $pids 2>/dev/null' TERM
code=0
for pid in $pids; do
  wait "$pid" || {
    code=$?
    # A rank that fails takes the others with it, as MPI launchers do.
    kill $pids 2>/dev/null
  }
done
exit "$code"
`

/** `hostname` of the fake: the node a process was started on; outside of jobs the machine's own. */
export const HOSTNAME = `#!/bin/sh
[ -z "\${FAKE_PJM_NODE:-}" ] || { echo "$FAKE_PJM_NODE"; exit 0; }
exec uname -n
`
