import { Readable } from 'node:stream'
import { crc32, createDeflateRaw } from 'node:zlib'
import { InputError } from '../errors.ts'
import { type ArchiveEntry, entrySize, readEntry } from './archive-entry.ts'

/** Sizes, offsets and counts of a zip without its 64-bit extension. */
const MOST_BYTES = 0xffffffff
const MOST_ENTRIES = 0xffff
const DEFLATED = 8
const STORED = 0
/** Names in UTF-8; sizes and checksum after the content. */
const FLAGS = 0x0808
/** 1980-01-01 as a zip has it. */
const DOS_DATE = 0x0021
const FILE_TYPES = { file: 0o100000, directory: 0o040000, link: 0o120000 } as const

/**
 * The bytes of a zip archive (APPNOTE 6.3.10 of PKWARE, made by "UNIX": modes and links are kept as Info-ZIP keeps them).
 * The same entries give the same bytes with the same Node.
 *
 * @throws InputError for more than 4 GiB or 65,535 entries
 */
export async function* writeZip(entries: readonly ArchiveEntry[]): AsyncGenerator<Buffer> {
  const total = entries.reduce((sum, entry) => sum + entrySize(entry), 0)
  if (entries.length > MOST_ENTRIES || total > MOST_BYTES / 2) {
    throw new InputError('unsupported', `a zip holds at most ${MOST_ENTRIES} files and 2 GiB here; this is more`, {
      hint: 'Use --format tar.gz.',
    })
  }
  const directory: Buffer[] = []
  let offset = 0
  for (const entry of entries) {
    const name = Buffer.from(entry.type === 'directory' ? `${entry.path}/` : entry.path)
    const method = entry.type === 'file' && entrySize(entry) > 0 ? DEFLATED : STORED
    const start = offset
    const first = Buffer.alloc(30)
    first.writeUInt32LE(0x04034b50, 0)
    writeShared(first, 4, method, name.length)
    yield Buffer.concat([first, name])
    offset += 30 + name.length
    const facts = { crc: 0, size: 0, packed: 0 }
    for await (const piece of packed(entry, method, facts)) {
      facts.packed += piece.length
      yield piece
    }
    const descriptor = Buffer.alloc(16)
    descriptor.writeUInt32LE(0x08074b50, 0)
    writeFacts(descriptor, 4, facts)
    yield descriptor
    offset += facts.packed + 16
    const central = Buffer.alloc(46)
    central.writeUInt32LE(0x02014b50, 0)
    // Made by UNIX, version 2.0.
    central.writeUInt16LE((3 << 8) | 20, 4)
    writeShared(central, 6, method, name.length)
    writeFacts(central, 16, facts)
    central.writeUInt32LE((((FILE_TYPES[entry.type] | entry.mode) << 16) | (entry.type === 'directory' ? 0x10 : 0)) >>> 0, 38)
    central.writeUInt32LE(start, 42)
    directory.push(central, name)
  }
  const list = Buffer.concat(directory)
  const end = Buffer.alloc(22)
  end.writeUInt32LE(0x06054b50, 0)
  end.writeUInt16LE(entries.length, 8)
  end.writeUInt16LE(entries.length, 10)
  end.writeUInt32LE(list.length, 12)
  end.writeUInt32LE(offset, 16)
  yield Buffer.concat([list, end])
}

/** The fields that both headers of an entry have in one order; sizes are left 0. */
function writeShared(header: Buffer, at: number, method: number, nameLength: number): void {
  header.writeUInt16LE(20, at)
  header.writeUInt16LE(FLAGS, at + 2)
  header.writeUInt16LE(method, at + 4)
  header.writeUInt16LE(0, at + 6)
  header.writeUInt16LE(DOS_DATE, at + 8)
  header.writeUInt16LE(nameLength, at + 22)
}

function writeFacts(header: Buffer, at: number, facts: { readonly crc: number; readonly size: number; readonly packed: number }): void {
  header.writeUInt32LE(facts.crc, at)
  header.writeUInt32LE(facts.packed, at + 4)
  header.writeUInt32LE(facts.size, at + 8)
}

async function* packed(entry: ArchiveEntry, method: number, facts: { crc: number; size: number }): AsyncGenerator<Buffer> {
  async function* plain(): AsyncGenerator<Buffer> {
    for await (const piece of readEntry(entry)) {
      facts.crc = crc32(piece, facts.crc)
      facts.size += piece.length
      yield piece
    }
  }
  if (method === STORED) {
    yield* plain()
    return
  }
  yield* Readable.from(plain()).compose(createDeflateRaw()) as AsyncIterable<Buffer>
}
