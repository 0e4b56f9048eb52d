import fc from 'fast-check'
import { expect, test } from 'vitest'
import { type AgentFrame, FrameReader } from './ssh-frames.ts'

const M = '0123abcd'

/** Feeds the bytes cut at the given places. */
function readFrames(bytes: Buffer, cuts: readonly number[]): readonly AgentFrame[] {
  const frames: AgentFrame[] = []
  const reader = new FrameReader(M, (frame) => frames.push(frame))
  let from = 0
  for (const cut of [...cuts].sort((a, b) => a - b)) {
    const at = Math.min(cut, bytes.length)
    if (at > from) reader.push(Buffer.from(bytes.subarray(from, at)))
    from = Math.max(from, at)
  }
  if (from < bytes.length) reader.push(Buffer.from(bytes.subarray(from)))
  return frames
}

test('any content, cut anywhere, with noise before the hello and between answers', () => {
  const content = fc.oneof(
    fc.uint8Array({ maxLength: 60 }),
    fc.constantFrom('', '\n', `\n${M}`, `\n${M} E`, `${M} B 1\n`, '\n\n').map((text) => Buffer.from(text)),
  )
  fc.assert(
    fc.property(
      fc.uint8Array({ maxLength: 40 }),
      fc.array(content, { maxLength: 5 }),
      fc.array(fc.nat(400), { maxLength: 12 }),
      (noise, contents, cuts) => {
        const bytes = Buffer.concat([
          Buffer.from(noise),
          Buffer.from(`spawner\n\n${M} H , rsync\n`),
          ...contents.flatMap((each, at) => [
            Buffer.from(`\n${M} B ${at + 1}\n`),
            Buffer.from(each),
            Buffer.from(`\n${M} E ${at + 1} ${at}\nstray noise`),
          ]),
        ])
        const frames = readFrames(bytes, cuts)
        expect(frames[0]).toMatchObject({ kind: 'hello', line: 'H , rsync' })
        expect(frames.slice(1).map((frame) => (frame.kind === 'answer' ? [frame.id, frame.status, [...frame.content]] : frame))).toEqual(
          contents.map((each, at) => [at + 1, at, [...each]]),
        )
      },
    ),
    { numRuns: 400 },
  )
})

test('nothing is an answer before the hello, nor before its end', () => {
  expect(readFrames(Buffer.from(`\n${M} B 1\nx\n${M} E 1 0\n`), [])).toEqual([])
  expect(readFrames(Buffer.from(`\n${M} H , -\n\n${M} B 1\nx\n${M} E 1 0`), [])).toHaveLength(1)
})
