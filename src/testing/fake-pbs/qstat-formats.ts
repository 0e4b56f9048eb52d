import type { AttributeValue } from './job-attributes.ts'
import { PBS_VERSION, SERVER } from './pbs-options.ts'

type Attributes = readonly (readonly [string, AttributeValue])[]

/** A job with all that qstat -f says of it. */
export interface ShownJob {
  readonly id: string
  readonly attributes: Attributes
}

const NAMES_STAY_TEXT = new Set(['Job_Name', 'project', 'Account_Name', 'queue', 'Job_Owner', 'array_indices_submitted'])

/** Values that look like numbers are written as such; which, differs between the builds. */
function jsonValue(name: string, value: string | number, build: 'release' | 'head'): string {
  const text = String(value)
  if (build === 'head') {
    if (!NAMES_STAY_TEXT.has(name) && /^-?\d+\.?\d*(?:[eE][+-]?\d+)?$/.test(text)) return String(Number(text))
    if (!NAMES_STAY_TEXT.has(name) && ['true', 'false', 'null'].includes(text)) return text
  } else if (/^(?:[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?|Infinity)$/.test(text) && !/^0+[1-9]/.test(text)) return text
  return JSON.stringify(text)
}

/** `-F json`: the release indents by four blanks, the later build by tabs. */
export function printJson(jobs: readonly ShownJob[], build: 'release' | 'head', now: number): string {
  const [indent, colon] = build === 'head' ? ['\t', ':\t'] : ['    ', ':']
  const pad = (depth: number): string => indent.repeat(depth)
  const block = (lines: readonly string[]): string => lines.join(',\n')
  const shown = jobs.map(({ id, attributes }) => {
    const lines = attributes.map(([name, value]) => {
      if (typeof value !== 'object') return `${pad(3)}"${name}"${colon}${jsonValue(name, value, build)}`
      const inner = Object.entries(value).map(([key, each]) => `${pad(4)}${JSON.stringify(key)}${colon}${jsonValue(key, each, build)}`)
      return `${pad(3)}"${name}"${colon}{\n${block(inner)}\n${pad(3)}}`
    })
    return `${pad(2)}"${id}"${colon}{\n${block(lines)}\n${pad(2)}}`
  })
  const head = [
    `${pad(1)}"timestamp"${colon}${Math.floor(now / 1000)}`,
    `${pad(1)}"pbs_version"${colon}"${PBS_VERSION}"`,
    `${pad(1)}"pbs_server"${colon}"${SERVER}"`,
    ...(shown.length === 0 ? [] : [`${pad(1)}"Jobs"${colon}{\n${block(shown)}\n${pad(1)}}`]),
  ]
  return `{\n${block(head)}\n}\n`
}

/** `a.b = value` for attributes with parts, but for lists of variables, which stay together. */
function flat(attributes: Attributes): readonly (readonly [string, string])[] {
  return attributes.flatMap(([name, value]): readonly (readonly [string, string])[] => {
    if (typeof value !== 'object') return [[name, String(value)]]
    const parts = Object.entries(value)
    if (name === 'Variable_List') return [[name, parts.map(([key, each]) => `${key}=${each}`).join(',')]]
    return parts.map(([key, each]) => [`${name}.${key}`, String(each)])
  })
}

/** `-F dsv`: one line a job; the delimiter inside a value is escaped. */
export function printDsv(jobs: readonly ShownJob[], delimiter = '|'): string {
  return jobs
    .map(({ id, attributes }) => {
      const fields = flat(attributes).map(
        ([name, value]) => `${name}=${value.replaceAll(delimiter, `\\${delimiter}`).replaceAll('\n', '^J')}`,
      )
      return `Job Id: ${[id, ...fields].join(delimiter)}\n`
    })
    .join('')
}

/** A line is broken at commas before column 79, unless `-w` was given. */
function wrapped(line: string): string {
  const lines = ['']
  for (const part of line.split(/(?<=,)/)) {
    const last = lines.at(-1) ?? ''
    const width = (lines.length > 1 ? 8 : 0) + last.length + part.length
    if (last !== '' && width > 79) lines.push(part)
    else lines[lines.length - 1] = last + part
  }
  return lines.join('\n\t')
}

/** `-f`: a stanza a job. */
export function printText(jobs: readonly ShownJob[], wide: boolean): string {
  return jobs
    .map(({ id, attributes }) => {
      const lines = flat(attributes).map(([name, value]) => `    ${name} = ${value}`)
      return `Job Id: ${id}\n${lines.map((line) => (wide ? line : wrapped(line))).join('\n')}\n\n`
    })
    .join('')
}

/** The table without `-f`. */
export function printTable(jobs: readonly ShownJob[]): string {
  if (jobs.length === 0) return ''
  const rows = jobs.map(({ id, attributes }) => {
    const of = new Map(attributes)
    const used = of.get('resources_used')
    const time = typeof used === 'object' ? String(used['cput']) : 'RSEX'.includes(String(of.get('job_state'))) ? '00:00:00' : '0'
    const owner = String(of.get('Job_Owner')).replace(/@.*/, '')
    const [name, state, queue] = [String(of.get('Job_Name')), of.get('job_state'), String(of.get('queue'))]
    return `${id.padEnd(16)}  ${name.slice(0, 16).padEnd(16)} ${owner.slice(0, 16).padEnd(16)} ${time.padStart(9)} ${state} ${queue.padEnd(16)}`
  })
  return [
    'Job id            Name             User              Time Use S Queue',
    '----------------  ---------------- ----------------  -------- - -----',
    ...rows,
    '',
  ].join('\n')
}
