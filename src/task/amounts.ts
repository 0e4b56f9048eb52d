import { parseSize } from './sizes.ts'
import type { AcceleratorChoice, Amount } from './task-spec.ts'

/** What a number of CPUs may look like; for messages. */
export const CPU_FORMS = '4, 4+ (at least), 0.5; above 0'
/** What an amount of memory may look like; for messages. */
export const MEMORY_FORMS = '32 (GB), 32+, 64GB, 4GiB, 512MB+; above 0'
/** What an accelerator may look like; for messages. */
export const ACCELERATOR_FORMS = 'H100, H100:8, V100:0.5, 80GB+, NVIDIA:80GB+:2'

/** Reads `4`, `4+`, `0.5`; `undefined` when it is none or not above 0. */
export function parseCpus(value: string | number): Amount | undefined {
  const match = /^(\d+(?:\.\d+)?|\.\d+)(\+?)$/.exec(String(value).trim())
  if (!match || Number(match[1]) <= 0 || !Number.isFinite(Number(match[1]))) return undefined
  return { value: Number(match[1]), atLeast: match[2] === '+' }
}

/** Reads memory in bytes from `32` (GB), `32+`, `64GB`, `4GiB+`; `undefined` when it is none. 0 is SkyPilot's "all of it" on Slurm and refused. */
export function parseMemory(value: string | number): Amount | undefined {
  const text = String(value).trim()
  const atLeast = text.endsWith('+')
  const bytes = parseSize(atLeast ? text.slice(0, -1) : text)
  return bytes === undefined || bytes <= 0 ? undefined : { value: bytes, atLeast }
}

const TYPE = /^[A-Za-z0-9][A-Za-z0-9_.-]*$/
const DEVICE_MEMORY = /^\d+(?:\.\d+)?[kmgtp]i?b\+?$/i

/** Reads `H100:8`, `80GB+`, `NVIDIA:80GB+:2`; `undefined` when it is none. A count given apart (mapping form) is `count`. */
export function parseAccelerator(text: string, count?: number): AcceleratorChoice | undefined {
  const parts = text.trim().split(':')
  const last = parts.at(-1) ?? ''
  let number = count ?? 1
  if (parts.length > 1 && /^\d+(?:\.\d+)?$/.test(last)) {
    if (count !== undefined) return undefined
    number = Number(last)
    parts.pop()
  }
  if (!(number > 0) || !Number.isFinite(number)) return undefined
  const [first = '', second] = parts
  const memory = second ?? first
  if (DEVICE_MEMORY.test(memory) && parts.length <= 2) {
    const minMemoryBytes = parseSize(memory.replace(/\+$/, ''))
    const type = second === undefined ? '*' : first
    if (minMemoryBytes === undefined || minMemoryBytes <= 0 || (type !== '*' && !TYPE.test(type))) return undefined
    return { type, count: number, minMemoryBytes }
  }
  return parts.length === 1 && TYPE.test(first) ? { type: first, count: number } : undefined
}
