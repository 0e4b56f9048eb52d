/** Indices and limit of an `--array` option. */
export interface ArraySpec {
  readonly tasks: readonly number[]
  /** Most elements at once; 0: no limit. */
  readonly throttle: number
}

/** Reads `1-9:2,20%3`; undefined when Slurm would refuse it. `maxSize`: indices are below it. */
export function parseArraySpec(text: string, maxSize: number): ArraySpec | undefined {
  const [, body, limit] = /^\[?([0-9,:-]+)\]?(?:%(\d+))?$/.exec(text) ?? []
  if (body === undefined) return undefined
  const tasks = new Set<number>()
  for (const part of body.split(',')) {
    const [, from, to, step] = /^(\d+)(?:-(\d+)(?::(\d+))?)?$/.exec(part) ?? []
    if (from === undefined) return undefined
    const first = Number(from)
    const last = to === undefined ? first : Number(to)
    const stride = step === undefined ? 1 : Number(step)
    if (last < first || last >= maxSize || stride < 1) return undefined
    for (let index = first; index <= last; index += stride) tasks.add(index)
  }
  return { tasks: [...tasks].sort((a, b) => a - b), throttle: limit === undefined ? 0 : Number(limit) }
}

/** The longest text that squeue prints for indices unless SLURM_BITSTR_LEN says otherwise (measured on 22.05.8). */
const BITSTR_LENGTH = 64

/**
 * `5-9999%10` of the indices still waiting. Slurm names a stride (`1-999:2`) only when all indices follow it and span more
 * than ten, and cuts a
 * text of many ranges off after 64 characters, with `...` at its end. `length` 0: no limit.
 */
export function printArrayTasks(tasks: readonly number[], throttle: number, length: number = BITSTR_LENGTH): string {
  const limit = throttle > 0 ? `%${throttle}` : ''
  const text = strideText(tasks) ?? rangeText(tasks)
  return `${length > 0 && text.length > length - 1 ? `${text.slice(0, length - 4)}...` : text}${limit}`
}

function strideText(tasks: readonly number[]): string | undefined {
  const [first, second] = tasks
  const last = tasks.at(-1)
  if (first === undefined || second === undefined || last === undefined || last - first <= 10) return undefined
  const step = second - first
  if (step < 2 || tasks.some((task, index) => task !== first + index * step)) return undefined
  return `${first}-${last}:${step}`
}

function rangeText(tasks: readonly number[]): string {
  const runs: [number, number][] = []
  for (const task of tasks) {
    const run = runs.at(-1)
    if (run && run[1] === task - 1) run[1] = task
    else runs.push([task, task])
  }
  return runs.map(([from, to]) => (from === to ? String(from) : `${from}-${to}`)).join(',')
}
