import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { exitChecksum } from './exit-checksum.ts'
import { type ExitRecord, TOLD } from './protocol.ts'
import { parseBell, parseEventLines, parseExitRecord, parseIdentity, parseSlotLines } from './protocol-reader.ts'

const record: fc.Arbitrary<ExitRecord> = fc.record({
  rank: fc.integer({ min: -1, max: 10_000 }),
  code: fc.integer({ min: 0, max: 255 }),
  signal: fc.integer({ min: 0, max: 64 }),
  startedAt: fc.integer({ min: 0, max: 4_000_000_000 }),
  endedAt: fc.integer({ min: 0, max: 4_000_000_000 }),
  told: fc.constantFrom(...TOLD),
  phase: fc.constantFrom('setup', 'run'),
})

const lineOf = (each: ExitRecord): string =>
  `exit 1 ${each.rank} ${each.code} ${each.signal} ${each.startedAt} ${each.endedAt} ${each.told} ${each.phase} ${exitChecksum(each)}\n`

describe('parseExitRecord', () => {
  test('a line as a node runner wrote it', () => {
    const expected = { rank: 0, code: 3, signal: 0, startedAt: 1795274193, endedAt: 1795274193, told: '0', phase: 'run' }
    expect(parseExitRecord('exit 1 0 3 0 1795274193 1795274193 0 run 838785\n')).toEqual({ kind: 'record', record: expected })
    expect(parseExitRecord(Buffer.from('exit 1 0 3 0 1795274193 1795274193 0 run 838785\n'))).toMatchObject({ kind: 'record' })
  })

  test('every record is read as it was written', () => {
    fc.assert(
      fc.property(record, (each) => {
        expect(parseExitRecord(lineOf(each))).toEqual({ kind: 'record', record: each })
      }),
    )
  })

  test('every proper beginning of a line is no record', () => {
    fc.assert(
      fc.property(record, fc.nat(), (each, cut) => {
        const line = lineOf(each)
        expect(parseExitRecord(line.slice(0, cut % line.length))).toEqual({ kind: 'none' })
      }),
    )
  })

  test('a changed character never gives another record', () => {
    fc.assert(
      fc.property(record, fc.nat(), fc.constantFrom(...'0123456789 -x'), (each, place, char) => {
        const line = lineOf(each)
        const at = place % (line.length - 1)
        const reading = parseExitRecord(`${line.slice(0, at)}${char}${line.slice(at + 1)}`)
        if (reading.kind === 'record') expect(reading.record).toEqual(each)
      }),
      { numRuns: 2000 },
    )
  })

  test.each([
    ['', 'none'],
    ['\n', 'none'],
    ['garbage\n', 'unreadable'],
    ['exit 2 0 0 0 1 1 0 run 1\n', 'unreadable'],
    ['exit 1 0 0 0 1 1 0 run 1\n', 'unreadable'],
  ])('%j → %s', (text, kind) => {
    expect(parseExitRecord(text).kind).toBe(kind)
  })

  test('a whole line behind a torn one counts; two that differ do not', () => {
    const each = { rank: 0, code: 0, signal: 0, startedAt: 1, endedAt: 2, told: '0', phase: 'run' } as const
    expect(parseExitRecord(`exit 1 0 0\n${lineOf(each)}`)).toEqual({ kind: 'record', record: each })
    expect(parseExitRecord(lineOf(each) + lineOf(each))).toEqual({ kind: 'record', record: each })
    expect(parseExitRecord(lineOf(each) + lineOf({ ...each, code: 1 })).kind).toBe('unreadable')
  })
})

test('events: complete lines only, and where to read on', () => {
  const text = '12 runner pid=5 start=7 boot=a-b node=n0\nnonsense\n\n13 script_end code=0 cpu_cs= odd\n14 tol'
  expect(parseEventLines(text)).toEqual({
    lines: [
      { atSeconds: 12, word: 'runner', detail: { pid: '5', start: '7', boot: 'a-b', node: 'n0' } },
      { atSeconds: 13, word: 'script_end', detail: { code: '0', cpu_cs: '' } },
    ],
    rest: text.length - '14 tol'.length,
    garbage: 1,
  })
})

test('slots: claims, results, and what is none', () => {
  expect(parseSlotLines('c 4 100\nr 4 143 term 100 250\nr 5 0 0 1 2 3\nr 5 256 0 1 2\nc 1\nr 6 0 no 1 2\nr 7 0 0 1')).toEqual({
    lines: [
      { kind: 'claim', position: 4, at: 100 },
      { kind: 'result', position: 4, code: 143, told: 'term', startedAt: 100, endedAt: 250 },
    ],
    rest: 74,
    garbage: 4,
  })
})

test('bell', () => {
  expect(parseBell('j1 2 exit\nj2 x exit\nj3 1')).toEqual({ lines: [{ jobId: 'j1', attempt: 2, word: 'exit' }], rest: 20, garbage: 1 })
})

test('identities', () => {
  expect(parseIdentity('12:345:ab-cd\n')).toEqual({ pid: 12, startTime: '345', bootId: 'ab-cd' })
  expect(parseIdentity('12:MonJul2012:34:562026:99\n')).toEqual({ pid: 12, startTime: 'MonJul2012:34:562026', bootId: '99' })
  expect(parseIdentity('x')).toBeUndefined()
})

test('no reader throws, and reading in pieces gives the same lines', () => {
  const line = fc.oneof(
    fc.string(),
    fc.constantFrom('c 1 2', 'r 1 0 0 1 2', '5 word a=b', 'j 1 w', 'exit 1 0 0 0 0 0 0 run 1', `9${'9'.repeat(30)} word`, '__proto__ 1 x'),
  )
  fc.assert(
    fc.property(fc.array(line), fc.nat(), (lines, cut) => {
      const text = lines.join('\n')
      for (const parse of [parseEventLines, parseSlotLines, parseBell]) {
        const whole = parse(text)
        const first = parse(text.slice(0, cut % (text.length + 1)))
        expect([...first.lines, ...parse(text.slice(first.rest)).lines]).toEqual(whole.lines)
      }
      parseExitRecord(text)
      parseIdentity(text)
    }),
  )
  fc.assert(
    fc.property(fc.uint8Array(), (bytes) => {
      for (const parse of [parseExitRecord, parseEventLines, parseSlotLines, parseBell]) parse(bytes)
    }),
  )
})
