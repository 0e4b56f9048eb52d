import { join } from 'node:path'
import { expect } from 'vitest'
import type { ExecutorCase } from '../executor-fixture.ts'
import { readLog } from '../waiting.ts'
import { runToEnd } from './exit.ts'

/** Jobs of several nodes. */
export const rankCases: readonly ExecutorCase[] = [
  {
    name: 'four ranks each see their own rank and log',
    run: async (context) => {
      const job = await runToEnd(context, { numNodes: 4, run: 'echo "rank $DROVER_NODE_RANK of $DROVER_NUM_NODES"' })
      expect(job.state).toBe('succeeded')
      expect(job.ranks.map((rank) => [rank.rank, rank.state, rank.exit_code])).toEqual([0, 1, 2, 3].map((rank) => [rank, 'succeeded', 0]))
      for (const rank of [0, 1, 2, 3]) {
        const text = (await readLog(context.drover, job.id, { ranks: [rank], streams: ['stdout'] })).toString()
        expect(text).toBe(`rank ${rank} of 4\n`)
      }
    },
  },
  {
    name: 'a failed setup keeps run from starting on any rank',
    run: async (context) => {
      const ran = join(context.directory, `ran-${crypto.randomUUID()}`)
      const job = await runToEnd(context, {
        numNodes: 3,
        envs: { RAN: ran },
        setup: '[ "$DROVER_NODE_RANK" = 1 ] && exit 9; exit 0',
        run: 'echo ran; touch "$RAN"',
      })
      expect(job).toMatchObject({ state: 'failed', cause: { kind: 'setup', rank: 1, code: 9 } })
      expect((await readLog(context.drover, job.id)).toString()).toBe('')
    },
  },
  {
    name: 'one of four ranks fails: it is named, the others are ended by it',
    run: async (context) => {
      const base = join(context.directory, `ranks-${crypto.randomUUID()}`)
      const job = await runToEnd(context, {
        numNodes: 4,
        graceMs: 2_000,
        envs: { BASE: base },
        run: [
          'sh',
          '-c',
          'touch "$BASE.$DROVER_NODE_RANK"; if [ "$DROVER_NODE_RANK" = 2 ]; then ' +
            'while [ ! -e "$BASE.0" ] || [ ! -e "$BASE.1" ] || [ ! -e "$BASE.3" ]; do sleep 0.05; done; exit 5; fi; exec sleep 300',
        ],
      })
      expect(job).toMatchObject({ state: 'failed', exit_code: 5, cause: { kind: 'exit', rank: 2, code: 5 } })
      expect(job.ranks.map((rank) => rank.killed_by_peer)).toEqual([true, true, false, true])
    },
  },
]
