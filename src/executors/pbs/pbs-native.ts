import type { OptionRefusal } from '../../targets/parse-config.ts'

const logs = 'logs lie in the job directory; drover logs shows them'

/** Options that Drover writes itself, or that would take a job out of its hands → what to use in their place. */
const RESERVED: Readonly<Record<string, string>> = {
  N: 'the name finds the job again after a submit without an answer; the task key name is what people see',
  o: logs,
  e: logs,
  j: logs,
  k: logs,
  R: logs,
  J: 'use array',
  h: 'use the option hold',
  a: 'use the option begin',
  q: 'use the option queue',
  A: 'use the option account',
  P: 'use the option project',
  p: 'use the option priority',
  m: 'use the option mail',
  M: 'use the option mail_user',
  r: 'PBS tells a job it runs again nothing of it; use retries',
  S: 'the script is for sh',
  C: 'directives begin with #PBS',
  V: 'functions and odd values in it make the answers of qstat unreadable; use envs',
  v: 'use envs',
  I: 'a job runs by itself',
  X: 'a job runs by itself',
  G: 'a job runs by itself',
  f: 'Drover reads what qsub says',
  z: 'Drover reads what qsub says',
}

const RESERVED_RESOURCES: Readonly<Record<string, string>> = {
  select: 'use num_nodes, resources and the option select',
  place: 'use the option place',
  walltime: 'use timeout, or the option walltime',
  nodes: 'use num_nodes',
  ncpus: 'use resources.cpus',
  mem: 'use resources.memory',
}

const RESERVED_ATTRIBUTES: Readonly<Record<string, string>> = {
  depend: 'use after, or the option dependency',
  group_list: 'use the option group_list',
  umask: 'use the option umask',
  block: 'use drover wait',
  interactive: 'a job runs by itself',
  run_count: 'use retries',
}

const isMapping = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** What a directive can carry: one kind of quotes at most, no line break. */
const isPlain = (value: unknown): boolean =>
  typeof value === 'boolean' ||
  typeof value === 'number' ||
  (typeof value === 'string' && value !== '' && !/[\0\n\r]/.test(value) && !(value.includes('"') && value.includes("'")))

function refusePairs(letter: string, value: unknown, reserved: Readonly<Record<string, string>>): OptionRefusal | undefined {
  if (!isMapping(value))
    return { path: [letter], must: `a mapping of what -${letter} takes: {${letter === 'l' ? 'software: matlab' : 'sandbox: PRIVATE'}}` }
  for (const [name, inner] of Object.entries(value)) {
    if (!/^[A-Za-z][\w.]*$/.test(name)) return { path: [letter, name], must: 'a name' }
    const own = reserved[name]
    if (own !== undefined) return { path: [letter, name], must: `left out: Drover writes -${letter} ${name} itself (${own})` }
    // A comma ends a pair.
    if (!isPlain(inner) || (letter === 'l' && /[\s,]/.test(String(inner)))) return { path: [letter, name], must: 'a text or number' }
  }
  return undefined
}

/** What is wrong with `native`: options of qsub by their letters, those of `-l` and `-W` as mappings. */
export function refuseNative(value: unknown): OptionRefusal | undefined {
  if (!isMapping(value)) return { path: [], must: 'a mapping of options of qsub: {l: {software: matlab}, W: {sandbox: PRIVATE}, c: s}' }
  for (const [name, inner] of Object.entries(value)) {
    if (name === 'l' || name === 'W') {
      const refused = refusePairs(name, inner, name === 'l' ? RESERVED_RESOURCES : RESERVED_ATTRIBUTES)
      if (refused) return refused
      continue
    }
    if (!/^[A-Za-z]$/.test(name)) return { path: [name], must: 'the letter of an option of qsub, without a dash before it' }
    const own = RESERVED[name]
    if (own !== undefined) return { path: [name], must: `left out: Drover writes -${name} itself (${own})` }
    if (!isPlain(inner)) return { path: [name], must: 'true for a bare flag, a text or a number' }
  }
  return undefined
}

/** The same as options with their values; a bare flag has none. */
export function nativeOptions(value: unknown): readonly (readonly [string, string?])[] {
  if (!isMapping(value)) return []
  return Object.entries(value).flatMap(([name, inner]): readonly (readonly [string, string?])[] => {
    if (isMapping(inner)) return Object.entries(inner).map(([key, each]) => [`-${name}`, `${key}=${String(each)}`] as const)
    if (inner === false) return []
    return inner === true ? [[`-${name}`]] : [[`-${name}`, String(inner)]]
  })
}
