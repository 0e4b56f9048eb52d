/** Options of `sbatch`, `qsub` and `pjsub` as a `JobSpec` names them, as options of a target. */

/** Short options of sbatch that stand for an option of the target. */
const SLURM_SHORT: Readonly<Record<string, string>> = {
  p: 'partition',
  A: 'account',
  q: 'qos',
  C: 'constraint',
  w: 'nodelist',
  x: 'exclude',
  L: 'licenses',
  t: 'time',
  b: 'begin',
  H: 'hold',
  O: 'overcommit',
}

/** Long options of sbatch that are options of the target by the same name; others are native. */
const SLURM_OWN: ReadonlySet<string> = new Set([
  ...['partition', 'account', 'qos', 'constraint', 'prefer', 'reservation', 'nodelist', 'exclude', 'licenses', 'comment', 'begin'],
  ...['deadline', 'time', 'time_min', 'mail_type', 'mail_user', 'network', 'switches', 'wckey', 'tmp', 'mem_per_cpu', 'mem_per_gpu'],
  ...['gpu_bind', 'gpu_freq', 'hint', 'distribution', 'gres', 'exclusive', 'nice', 'priority', 'hold', 'contiguous', 'overcommit'],
  ...['oversubscribe', 'spread_job', 'use_min_nodes', 'reboot', 'threads_per_core', 'cpus_per_gpu', 'core_spec', 'thread_spec'],
])
const SLURM_NUMBERS: ReadonlySet<string> = new Set(['nice', 'priority', 'threads_per_core', 'cpus_per_gpu', 'core_spec', 'thread_spec'])

/**
 * Options that say where output goes or what the command prints, which Drover writes itself; a spec that has them means nothing else
 * by it. All others that are Drover's own are refused with the task, with the key to use.
 */
const DROPPED: Readonly<Record<string, ReadonlySet<string>>> = {
  slurm: new Set(['o', 'output', 'e', 'error', 'parsable', 'Q', 'quiet', 'J', 'job-name', 'open-mode']),
  pbs: new Set(['o', 'e', 'j', 'N', 'z']),
  pjm: new Set(['o', 'e', 'j', 'N', 'name', 'z', 'no-check-directory', 's', 'S']),
}

/** `{'--exclusive': undefined, '-C': 'ib'}` on Slurm → `{exclusive: true, constraint: 'ib'}`. Notes say what was left out. */
export function schedulerArguments(
  extra: Readonly<Record<string, string | undefined>>,
  kind: string,
  notes: string[],
): Readonly<Record<string, unknown>> {
  const own: Record<string, unknown> = {}
  const native: Record<string, unknown> = {}
  for (const [written, value] of Object.entries(extra)) {
    // `--qos=long` in one word, and `-q long` as a word and its value.
    const [flag = '', ...rest] = written.trim().split(/[= ]/)
    const option = flag.replace(/^-{1,2}/, '')
    const given = value ?? (rest.length === 0 ? undefined : written.trim().slice(flag.length + 1))
    if (DROPPED[kind]?.has(option)) {
      notes.push(`extra_scheduler_args: ${written} is left out, Drover writes it itself.`)
      continue
    }
    const name = kind === 'slurm' ? (SLURM_SHORT[option] ?? option.replaceAll('-', '_')) : option
    if (kind === 'slurm' && SLURM_OWN.has(name)) own[name] = given === undefined ? true : SLURM_NUMBERS.has(name) ? Number(given) : given
    else native[option] = given ?? true
  }
  return { ...own, ...(Object.keys(native).length === 0 ? {} : { native }) }
}
