/** Attributes of one job by name, those with parts as `Resource_List.walltime`. */
export interface PbsRecord {
  /** `12.pbshead`, `12[].pbshead`, `12[3].pbshead`. */
  readonly id: string
  readonly attributes: ReadonlyMap<string, string>
}

const ID = String.raw`\d+(?:\[\d*\])?\.[^"\s|]+`
const JOB_LINE = new RegExp(`^([ \\t]*)"(${ID})":[ \\t]*\\{`)
const ATTRIBUTE_LINE = /^([ \t]*)"([A-Za-z_][\w.]*)":[ \t]*(.*?),?$/

/** The text of a JSON value, whether it is one or not: `+5`, `Infinity` and an unescaped quote too. */
function jsonText(written: string): string {
  if (!written.startsWith('"')) return written
  try {
    return String(JSON.parse(written))
  } catch {
    return written.replace(/^"|"$/g, '')
  }
}

/**
 * Reads `qstat -f -F json`, line by line: each attribute stands on a line of its own, at the same depth (OpenPBS 19 to 23,
 * in both layouts). What lies deeper is left alone, but for estimates: lists of variables hold bytes that are no UTF-8, numbers
 * that are none, names twice, and functions of shells, and nothing there can be trusted. Text that is laid out otherwise is read as JSON.
 */
function parseJsonJobs(text: string): readonly PbsRecord[] {
  const records: { readonly id: string; readonly attributes: Map<string, string> }[] = []
  let [depth, group]: [string | undefined, string | undefined] = [undefined, undefined]
  for (const line of text.split('\n')) {
    const [, outer, id] = JOB_LINE.exec(line) ?? []
    // Where a value broke over lines, a line of it may look like a job; it does not stand where jobs do.
    if (id !== undefined && outer !== undefined && (depth === undefined || outer.length < depth.length)) {
      records.push({ id, attributes: new Map() })
      depth = undefined
      group = undefined
      continue
    }
    const record = records.at(-1)
    const [, indent, name, written] = ATTRIBUTE_LINE.exec(line) ?? []
    if (record === undefined || indent === undefined || name === undefined || written === undefined) continue
    depth ??= indent
    if (indent === depth) {
      group = written === '{' ? name : undefined
      if (group === undefined && !record.attributes.has(name)) record.attributes.set(name, jsonText(written))
    } else if (group === 'estimated' && indent.length > depth.length) record.attributes.set(`${group}.${name}`, jsonText(written))
  }
  return records.length > 0 ? records : parseWholeJson(text)
}

function parseWholeJson(text: string): readonly PbsRecord[] {
  let read: unknown
  try {
    read = JSON.parse(text)
  } catch {
    return []
  }
  const jobs = isObject(read) ? read['Jobs'] : undefined
  if (!isObject(jobs)) return []
  return Object.entries(jobs).map(([id, attributes]) => ({
    id,
    attributes: new Map(
      Object.entries(isObject(attributes) ? attributes : {}).flatMap(([name, value]): (readonly [string, string])[] =>
        isObject(value) ? Object.entries(value).map(([key, each]) => [`${name}.${key}`, String(each)] as const) : [[name, String(value)]],
      ),
    ),
  }))
}

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> => typeof value === 'object' && value !== null

/** Reads `-F dsv`: a line a job, fields joined by `|`, which is escaped inside a value. */
function parseDsvJobs(text: string): readonly PbsRecord[] {
  return text.split('\n').flatMap((line) => {
    const [head = '', ...fields] = line.split(/(?<!\\)\|/)
    const id = new RegExp(`^Job Id: (${ID})$`).exec(head)?.[1]
    if (id === undefined) return []
    const attributes = new Map<string, string>()
    for (const field of fields) {
      const at = field.indexOf('=')
      const name = field.slice(0, at)
      if (at > 0 && !attributes.has(name)) attributes.set(name, field.slice(at + 1).replaceAll('\\|', '|'))
    }
    return [{ id, attributes }]
  })
}

/** Reads plain `-f`: a stanza a job, long values broken over lines that begin with a tab. */
function parseTextJobs(text: string): readonly PbsRecord[] {
  const records: { readonly id: string; readonly attributes: Map<string, string> }[] = []
  let last: string | undefined
  for (const line of text.split('\n')) {
    const id = new RegExp(`^Job Id: (${ID})$`).exec(line)?.[1]
    if (id !== undefined) {
      records.push({ id, attributes: new Map() })
      last = undefined
      continue
    }
    const attributes = records.at(-1)?.attributes
    const [, name, value] = /^ {4}([A-Za-z_][\w.]*) = ?(.*)$/.exec(line) ?? []
    if (attributes === undefined) continue
    if (name !== undefined && value !== undefined) {
      last = attributes.has(name) ? undefined : name
      if (last !== undefined) attributes.set(last, value)
    } else if (last !== undefined && line.startsWith('\t')) attributes.set(last, (attributes.get(last) ?? '') + line.slice(1))
  }
  return records
}

/**
 * Reads what qstat -f printed, in whichever of its formats. Undefined: it is none of them. Never throws; a job whose text was
 * cut off has the attributes that were there.
 */
export function parseQstat(text: string): readonly PbsRecord[] | undefined {
  const body = text.trimStart()
  if (body === '') return []
  if (body.startsWith('{')) {
    const jobs = parseJsonJobs(text)
    return jobs.length > 0 || /^\{[^{}]*(\{\s*\}\s*)?\}\s*$/.test(body) ? jobs : undefined
  }
  if (!/^Job Id: /m.test(body)) return undefined
  return new RegExp(`^Job Id: ${ID}\\|`, 'm').test(body) ? parseDsvJobs(body) : parseTextJobs(body)
}
