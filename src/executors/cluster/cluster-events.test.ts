import { expect, test } from 'vitest'
import { AgentEvents } from './cluster-events.ts'

const TEXT = '100 started /r/jobs/a/1\n101 started /r/jobs/b ö/1\n105 ended 3 /r/jobs/a/1\n106 closed\n'

test('starts and ends by attempt directory, whatever pieces the text comes in', () => {
  const bytes = Buffer.from(TEXT).toString('latin1')
  for (let cut = 0; cut <= bytes.length; cut += 1) {
    const events = new AgentEvents('/events')
    events.take(bytes.slice(0, cut), 7)
    events.take(bytes.slice(cut), 7)
    expect(events.of('/r/jobs/a/1')).toEqual({ startedAt: 100_000, endedAt: 105_000, endHeardAt: 7, code: 3 })
    expect(events.of('/r/jobs/b ö/1')).toEqual({ startedAt: 101_000 })
    expect(events.of('/r/jobs/c/1')).toEqual({})
  }
})

test('lines of another form say nothing', () => {
  const events = new AgentEvents('/events')
  events.take('x started /a\n1 ended /a\n1 ended 0 a\n\n', 7)
  expect(events.of('/a')).toEqual({})
})

test('reads on from where it ended', async () => {
  const events = new AgentEvents('/events')
  let content = '1 started /a\n2 en'
  const offsets: number[] = []
  const io = {
    now: () => 9,
    transport: {
      read: async ([piece]: readonly { readonly offset: number }[]) => {
        offsets.push(piece?.offset ?? -1)
        return [{ path: '/events', offset: 0, bytes: Buffer.from(content).subarray(piece?.offset), size: content.length, missing: false }]
      },
    },
  } as never
  await events.read(io)
  content += 'ded 0 /a\n'
  await events.read(io)
  expect(events.of('/a').code).toBe(0)
  expect(offsets).toEqual([0, 17])
})
