import { DroverError } from '../../errors.ts'
import type { SchedulerFacts } from '../../targets/site-facts.ts'
import type { CommandOutcome } from '../batch/scheduler.ts'
import { WITHOUT_OWN } from './slurm-variables.ts'

/** What is read of a cluster when a target is opened. */
export const SLURM_FACTS_SCRIPT = `${WITHOUT_OWN}; sbatch --version && scontrol show config && sinfo -h -o 'drover-partition %P|%a|%l|%D|%c|%m|%G'`

/** `1-00:00:00`, `30:00`, `infinite` → ms. */
function limitMs(text: string): number | undefined {
  const match = /^(?:(\d+)-)?(?:(\d+):)?(\d+):(\d+)$/.exec(text)
  if (!match) return undefined
  const [, days = '0', hours = '0', minutes = '0', seconds = '0'] = match
  return (((Number(days) * 24 + Number(hours)) * 60 + Number(minutes)) * 60 + Number(seconds)) * 1000
}

/** Reads versions, limits and partitions. Throws `transport_failed` when Slurm's commands are missing or its controller is silent. */
export function parseSlurmFacts({ code, stdout, stderr }: CommandOutcome): SchedulerFacts {
  const version = /^slurm(?:-\w+)? (\d+\.\d+\S*)/m.exec(stdout)?.[1]
  if (version === undefined || code !== 0)
    throw new DroverError('transport_failed', `Slurm cannot be used there: ${(stderr.trim() || 'sbatch says no version').slice(-300)}`, {
      level: 'scheduler',
      transient: version !== undefined,
      hint:
        version === undefined
          ? 'The login node must have sbatch, squeue and scontrol on the PATH of a non-interactive shell; else set login to one that has.'
          : 'The controller does not answer: try again, or ask the administrators.',
    })
  const setting = (name: string): string | undefined => new RegExp(`^${name}\\s*=\\s*(.*?)\\s*$`, 'm').exec(stdout)?.[1]
  const seconds = (name: string): number | undefined => {
    const value = Number.parseInt(setting(name) ?? '', 10)
    return Number.isFinite(value) ? value * 1000 : undefined
  }
  const [forgetsAfterMs, killWaitMs, cluster] = [seconds('MinJobAge'), seconds('KillWait'), setting('ClusterName')]
  const rows = [...stdout.matchAll(/^drover-partition (.*)$/gm)].map(([, row = '']) => row.split('|'))
  const partitions = new Map<string, SchedulerFacts['partitions'][number]>()
  for (const [name = '', available, limit = '', nodes, cpus, memory, gres] of rows) {
    const plain = name.replace(/\*$/, '')
    const before = partitions.get(plain)
    const maxTimeMs = limitMs(limit)
    const size = (text: string | undefined): number => Number.parseInt(text ?? '', 10) || 0
    // `4+`: the least of nodes that differ, whose largest nobody tells.
    const largest = (text: string | undefined, known: number | undefined, unit = 1): number | undefined =>
      text?.endsWith('+') || (before !== undefined && known === undefined) ? undefined : Math.max(known ?? 0, size(text) * unit)
    const [mostCpus, mostMemory] = [largest(cpus, before?.cpus), largest(memory, before?.memoryBytes, 1024 ** 2)]
    const kinds = [before?.gres, gres === '(null)' ? undefined : gres].filter((each) => each !== undefined)
    partitions.set(plain, {
      name: plain,
      isDefault: name.endsWith('*'),
      up: available === 'up',
      nodes: (before?.nodes ?? 0) + size(nodes),
      ...(mostCpus === undefined ? {} : { cpus: mostCpus }),
      ...(mostMemory === undefined ? {} : { memoryBytes: mostMemory }),
      ...(maxTimeMs === undefined ? {} : { maxTimeMs }),
      ...(kinds.length === 0 ? {} : { gres: [...new Set(kinds)].join(',') }),
    })
  }
  const storage = setting('AccountingStorageType') ?? ''
  return {
    version,
    ...(cluster === undefined ? {} : { cluster }),
    accounting: storage.includes('slurmdbd'),
    // The largest index is one less than the setting.
    maxArraySize: Math.max(1, Number.parseInt(setting('MaxArraySize') ?? '1001', 10) || 1001),
    ...(forgetsAfterMs === undefined ? {} : { forgetsAfterMs }),
    ...(killWaitMs === undefined ? {} : { killWaitMs }),
    partitions: [...partitions.values()],
  }
}
