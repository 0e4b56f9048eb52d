import { type ArchiveEntry, ENTRY_TIME_SECONDS, entrySize, readEntry } from './archive-entry.ts'

const BLOCK = 512
/** Largest size that eleven octal digits hold. */
const MOST_OCTAL = 8 ** 11 - 1
const TYPES = { file: '0', link: '2', directory: '5' } as const

/**
 * The bytes of a tar archive in the POSIX interchange format (pax, IEEE Std 1003.1-2001; ustar headers where they
 * suffice). Owners are 0 without names, times are ENTRY_TIME_SECONDS: the same entries give the same bytes.
 */
export async function* writeTar(entries: readonly ArchiveEntry[]): AsyncGenerator<Buffer> {
  for (const entry of entries) {
    const size = entry.type === 'file' ? entrySize(entry) : 0
    const name = entry.type === 'directory' ? `${entry.path}/` : entry.path
    const link = entry.type === 'link' ? (entry.bytes ?? Buffer.alloc(0)) : Buffer.alloc(0)
    const short = splitName(name)
    const records = [
      ...(short === undefined ? [record('path', Buffer.from(name))] : []),
      ...(link.length > 100 ? [record('linkpath', link)] : []),
      ...(size > MOST_OCTAL ? [record('size', Buffer.from(String(size)))] : []),
    ]
    if (records.length > 0) {
      const body = Buffer.concat(records)
      yield header({ name: 'PaxHeader', prefix: '', mode: 0o644, size: body.length, type: 'x', link: Buffer.alloc(0) })
      yield padded(body)
    }
    const { name: shortName, prefix } = short ?? { name: cut(name), prefix: '' }
    yield header({
      name: shortName,
      prefix,
      mode: entry.mode,
      size: Math.min(size, MOST_OCTAL),
      type: TYPES[entry.type],
      link: link.subarray(0, 100),
    })
    if (entry.type !== 'file') continue
    yield* readEntry(entry)
    if (size % BLOCK !== 0) yield Buffer.alloc(BLOCK - (size % BLOCK))
  }
  yield Buffer.alloc(2 * BLOCK)
}

/** Whether a name and a link's text stand in a plain ustar header, which every tar reads (busybox passes over pax records). */
export function fitsUstar(path: string, link: Uint8Array = new Uint8Array(0)): boolean {
  return splitName(`${path}/`) !== undefined && link.length <= 100
}

/** A name as ustar holds it: 100 bytes, and 155 before a slash; undefined where it does not fit or is not ASCII. */
function splitName(name: string): { readonly name: string; readonly prefix: string } | undefined {
  if (!/^[\x20-\x7e]*$/.test(name)) return undefined
  if (name.length <= 100) return { name, prefix: '' }
  for (let at = name.length - 2; at > 0; at--) {
    if (name[at] === '/' && at <= 155 && name.length - at - 1 <= 100) return { name: name.slice(at + 1), prefix: name.slice(0, at) }
  }
  return undefined
}

/** What programs without pax see: as much of the name as fits. */
function cut(name: string): string {
  let short = name
  while (Buffer.byteLength(short) > 100) short = short.slice(0, -1)
  return short
}

/** `<length> <key>=<value>\n`, the length counting itself. */
function record(key: string, value: Buffer): Buffer {
  const rest = Buffer.concat([Buffer.from(` ${key}=`), value, Buffer.from('\n')])
  let length = rest.length + 1
  while (length !== rest.length + String(length).length) length = rest.length + String(length).length
  return Buffer.concat([Buffer.from(String(length)), rest])
}

function header(field: {
  readonly name: string
  readonly prefix: string
  readonly mode: number
  readonly size: number
  readonly type: string
  readonly link: Buffer
}): Buffer {
  const block = Buffer.alloc(BLOCK)
  const octal = (value: number, at: number, width: number): void => {
    block.write(`${value.toString(8).padStart(width - 1, '0')}\0`, at, 'latin1')
  }
  block.write(field.name, 0, 100)
  octal(field.mode, 100, 8)
  octal(0, 108, 8)
  octal(0, 116, 8)
  octal(field.size, 124, 12)
  octal(ENTRY_TIME_SECONDS, 136, 12)
  // The checksum counts its own field as spaces.
  block.write('        ', 148, 'latin1')
  block.write(field.type, 156, 'latin1')
  field.link.copy(block, 157)
  block.write('ustar\x0000', 257, 'latin1')
  block.write(field.prefix, 345, 155)
  const sum = block.reduce((total, byte) => total + byte, 0)
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1')
  return block
}

function padded(body: Buffer): Buffer {
  const rest = body.length % BLOCK
  return rest === 0 ? body : Buffer.concat([body, Buffer.alloc(BLOCK - rest)])
}
