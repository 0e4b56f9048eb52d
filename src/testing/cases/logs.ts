import { createHash } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect } from 'vitest'
import type { ExecutorCase } from '../executor-fixture.ts'
import { readLog, settled } from '../waiting.ts'
import { runToEnd, submitOne } from './exit.ts'

/** What scripts write. */
export const logCases: readonly ExecutorCase[] = [
  {
    name: 'a log without a newline at its end is whole',
    run: async (context) => {
      const job = await runToEnd(context, { run: 'printf abc; printf def >&2' })
      expect((await readLog(context.drover, job.id)).toString()).toBe('abc')
      expect((await readLog(context.drover, job.id, { streams: ['stderr'] })).toString()).toBe('def')
    },
  },
  {
    name: 'a log of 10 MB is whole, and its tail is short',
    run: async (context) => {
      const job = await runToEnd(context, { run: 'yes 0123456789abcdef | head -c 10485760' })
      const bytes = await readLog(context.drover, job.id)
      expect(bytes.length).toBe(10_485_760)
      const expected = Buffer.alloc(10_485_760, '0123456789abcdef\n')
      expect(createHash('sha256').update(bytes).digest('hex')).toBe(createHash('sha256').update(expected).digest('hex'))
      const tail = await readLog(context.drover, job.id, { streams: ['stdout'], tail: 2 })
      expect(tail.length).toBeLessThan(100)
      expect(expected.subarray(-tail.length).equals(tail)).toBe(true)
    },
  },
  {
    name: 'a binary log keeps every byte',
    run: async (context) => {
      const octal = Array.from({ length: 256 }, (_, byte) => `\\${byte.toString(8).padStart(3, '0')}`).join('')
      const job = await runToEnd(context, { run: `printf '${octal}'` })
      expect([...(await readLog(context.drover, job.id))]).toEqual(Array.from({ length: 256 }, (_, byte) => byte))
    },
  },
  {
    name: 'a log is read on from a byte cursor',
    run: async (context) => {
      const job = await runToEnd(context, { run: 'printf 0123456789' })
      const chunks = []
      for await (const chunk of context.drover.logs(job.id, { streams: ['stdout'] })) chunks.push(chunk)
      const file = chunks[0]?.file ?? ''
      const rest = await readLog(context.drover, job.id, { streams: ['stdout'], cursors: { [file]: 4 } })
      expect(rest.toString()).toBe('456789')
    },
  },
  {
    name: 'following a log ends with the job and across attempts',
    run: async (context) => {
      const gate = join(context.directory, `follow-${crypto.randomUUID()}`)
      const job = await submitOne(context, {
        envs: { GATE: gate },
        retries: { max: 1, when: [{ exitCode: 75 }], backoffMs: 0 },
        run: 'echo "attempt $DROVER_ATTEMPT"; while [ ! -e "$GATE" ]; do sleep 0.05; done; [ "$DROVER_ATTEMPT" = 2 ] || exit 75',
      })
      const pieces: Uint8Array[] = []
      const attempts = new Set<number>()
      const signal = AbortSignal.timeout(context.deadlineMs)
      for await (const chunk of context.drover.logs(job.id, { streams: ['stdout'], follow: true, signal })) {
        pieces.push(chunk.bytes)
        attempts.add(chunk.attempt)
        // The first line came while the script ran: only now may it end.
        if (pieces.length === 1) await writeFile(gate, '')
      }
      signal.throwIfAborted()
      const ended = await settled(context.drover, job.id, context.deadlineMs)
      expect(Buffer.concat(pieces).toString(), JSON.stringify([ended.state, ended.attempts])).toBe('attempt 1\nattempt 2\n')
      expect([...attempts]).toEqual([1, 2])
      expect(ended.state).toBe('succeeded')
    },
  },
]
