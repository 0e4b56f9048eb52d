import type { ExitRecord } from '../driver/protocol.ts'
import type { RankRow } from '../store/store.ts'
import type { State } from '../task/states.ts'
import { type Evidence, firstEventSecond, hasEvent, isUnproven, type RankEvidence } from './evidence.ts'

/** Rows of all ranks, given the state the job has come to. */
export function rankRows(evidence: Evidence, job: State): readonly RankRow[] {
  return evidence.ranks.map((rank) => {
    const record = rank.record.kind === 'record' && rank.record.record.rank === rank.rank ? rank.record.record : undefined
    const pid = scriptPid(rank)
    const began = record?.startedAt || firstEventSecond(rank.events, 'runner')
    return {
      rank: rank.rank,
      node: rank.node,
      ...(pid === undefined ? {} : { pid }),
      ...(began ? { startedAt: began * 1000 } : {}),
      ...(record ? recordRow(record, evidence, isUnproven(rank)) : { state: stateWithoutRecord(rank, job) }),
    }
  })
}

function recordRow(record: ExitRecord, evidence: Evidence, unproven: boolean): Omit<RankRow, 'rank' | 'node' | 'pid' | 'startedAt'> {
  // The code is that of what followed, not of what was followed.
  if (unproven) return { state: 'lost', endedAt: record.endedAt * 1000 }
  const byPeer = record.told === 'peer' || (record.phase === 'setup' && record.told === '0' && record.code === 0)
  return {
    state: recordState(record, evidence.cancelRequestedAt !== undefined),
    exitCode: record.code,
    ...(record.signal > 0 ? { signal: record.signal } : {}),
    ...(byPeer ? { killedByPeer: true } : {}),
    endedAt: record.endedAt * 1000,
  }
}

function recordState(record: ExitRecord, cancelled: boolean): State {
  if (record.told === 'term') return cancelled ? 'cancelled' : 'failed'
  if (record.told !== '0' || record.code !== 0) return 'failed'
  // Setup went well, but the run script never began, because of another rank.
  return record.phase === 'setup' ? 'cancelled' : 'succeeded'
}

/** How a rank without record ended is not known when its job has ended, unless the job was cancelled: then neither matters. */
function stateWithoutRecord(rank: RankEvidence, job: State): State {
  switch (job) {
    case 'cancelled':
      return 'cancelled'
    case 'succeeded':
    case 'failed':
    case 'lost':
      // `succeeded` without a rank's record: a foreign script, of whose ranks the target's word speaks as well.
      return job === 'succeeded' ? 'succeeded' : 'lost'
    case 'running':
    case 'starting':
      return hasEvent(rank.events, 'script') ? 'running' : 'starting'
    default:
      return job
  }
}

/** Process id of the user's script on the rank's node; undefined until it began. */
function scriptPid(rank: RankEvidence): number | undefined {
  const event = rank.events.findLast((each) => each.word === 'script')
  const pid = Number(event?.detail.pid)
  return Number.isInteger(pid) && pid > 0 ? pid : undefined
}
