import { quoteShell } from '../../driver/quote.ts'
import { DroverError } from '../../errors.ts'
import { probeScript } from '../../targets/probe-script.ts'
import { type NodeFacts, parseProbe } from '../../targets/site-facts.ts'
import type { HeldNodes } from '../batch/held-nodes.ts'
import { NODE_LIST } from './slurm-compiler.ts'
import { WITHOUT_OWN } from './slurm-variables.ts'

/** Variables by which sbatch passes the holder's own shape on to every srun (srun(1), INPUT ENVIRONMENT VARIABLES). */
const INHERITED = [
  'CPUS_PER_TASK',
  'TRES_PER_TASK',
  'MEM_PER_CPU',
  'MEM_PER_NODE',
  'MEM_PER_GPU',
  'NTASKS',
  'NPROCS',
  'NTASKS_PER_NODE',
  'NNODES',
  'DISTRIBUTION',
  'GPUS',
  'GPUS_PER_NODE',
  'GPUS_PER_TASK',
  'CPU_BIND',
  'GPU_BIND',
  'EXCLUSIVE',
].map((name) => `SLURM_${name}`)

const PRELUDE = `unset ${INHERITED.join(' ')}`

/** Steps share what the allocation has (`--overlap`); who gets which part of it is Drover's to say. */
const STEP = ['--overlap', '--cpu-bind=none', '--export=ALL', '--kill-on-bad-exit=0', '--wait=0', '--input=none', '--quiet'] as const

/** `4(x3),2` → 4, 4, 4, 2 (sbatch(1), SLURM_JOB_CPUS_PER_NODE). */
export function expandCounts(text: string): readonly number[] {
  return text.split(',').flatMap((part) => {
    const [, count, times = '1'] = /^(\d+)(?:\(x(\d+)\))?$/.exec(part.trim()) ?? []
    return count === undefined ? [] : Array.from({ length: Math.min(Number(times), 100_000) }, () => Number(count))
  })
}

/** `0-2,5` → 0, 1, 2, 5; what is no number (a UUID) is left out. */
function deviceIndices(text: string): readonly number[] {
  return text.split(',').flatMap((part) => (/^\d+$/.test(part.trim()) ? [Number(part)] : []))
}

/** Nodes of a job of Slurm, used by steps that share them (srun(1) of 22.05, `--overlap`). */
export const slurmHeld: HeldNodes = {
  // What was held is gone with the first allocation: its jobs, and who waits for them, are told so.
  options: { scheduler_requeue: false, requeue: undefined, signal: undefined },
  facts: (root) => `echo "slurm cpus \${SLURM_JOB_CPUS_PER_NODE:-}"
echo "slurm memory_node \${SLURM_MEM_PER_NODE:-}"
echo "slurm memory_cpu \${SLURM_MEM_PER_CPU:-}"
echo "slurm end $(${WITHOUT_OWN}; SLURM_TIME_FORMAT=standard squeue -h -j "$SLURM_JOB_ID" -o %e 2>/dev/null)"
echo "slurm now $(date '+%Y-%m-%dT%H:%M:%S') $(date +%s)"
{
${NODE_LIST}
} | sed 's/^/node /'
count=$SLURM_NNODES
${PRELUDE}
srun ${STEP.join(' ')} --nodes="$count" --ntasks="$count" --ntasks-per-node=1 --mem=0 --label sh -c ${quoteShell(
    `${probeScript(root)}echo "devices \${CUDA_VISIBLE_DEVICES:-}"`,
  )}`,
  parse(text, site, now) {
    const lines = text.split('\n')
    const said = (word: string): string =>
      lines
        .find((line) => line.startsWith(`slurm ${word} `))
        ?.slice(word.length + 7)
        .trim() ?? ''
    const named = lines.flatMap((line) => {
      const [, name, address] = /^node (\S+) (\S+)$/.exec(line) ?? []
      return name === undefined || address === undefined ? [] : [{ name, address }]
    })
    const cpus = expandCounts(said('cpus'))
    const [perNode, perCpu] = [Number(said('memory_node')), Number(said('memory_cpu'))]
    const nodes = named.map(({ name, address }, index): NodeFacts => {
      // `--label` writes the task's number, padded to the width of the largest, before each line.
      const own = lines.flatMap((line) => {
        const [, task, rest = ''] = /^ *(\d+): ?(.*)$/.exec(line) ?? []
        return task !== undefined && Number(task) === index ? [rest] : []
      })
      const probe = parseProbe(own.join('\n'), now)
      const devices = deviceIndices(own.find((line) => line.startsWith('devices '))?.slice(8) ?? '')
      const count = cpus[index] ?? probe.cpus
      const megabytes = perNode > 0 ? perNode : perCpu * count
      return {
        ...probe,
        root: site.root,
        node: name,
        ip: address,
        cpus: count,
        memoryBytes: megabytes > 0 ? megabytes * 1024 ** 2 : probe.memoryBytes,
        gpus: devices.map((device) => probe.gpus.find((gpu) => gpu.index === device) ?? { index: device, name: 'GPU', memoryBytes: 0 }),
      }
    })
    if (nodes.length === 0)
      throw new DroverError('transport_failed', 'what the cluster says of its nodes cannot be read', {
        level: 'transport',
        outputTail: text.slice(-500),
      })
    const endsAt = endOf(said('end'), said('now'))
    return { nodes, ...(endsAt === undefined ? {} : { endsAt }) }
  },
  prelude: PRELUDE,
  launch: ({ nodes, memoryBytes, name }) => [
    'srun',
    ...STEP,
    `--job-name=${name}`,
    `--nodes=${nodes.length}`,
    `--ntasks=${nodes.length}`,
    '--ntasks-per-node=1',
    `--nodelist=${nodes.join(',')}`,
    `--mem=${memoryBytes === undefined ? '0' : `${Math.ceil(memoryBytes / 1024 ** 2)}M`}`,
  ],
  rankVariable: 'SLURM_PROCID',
}

/** The scheduler writes local time without saying of which zone: the difference to the clock beside it is taken. */
function endOf(end: string, now: string): number | undefined {
  const [local, seconds] = now.split(' ')
  const [endLocal, nowLocal] = [Date.parse(`${end}Z`), Date.parse(`${local}Z`)]
  if (!Number.isFinite(endLocal) || !Number.isFinite(nowLocal) || seconds === undefined) return undefined
  return Number(seconds) * 1000 + endLocal - nowLocal
}
