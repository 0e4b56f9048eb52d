import { heldPaths } from '../../driver/held-paths.ts'
import { quoteShell } from '../../driver/quote.ts'
import { DroverError } from '../../errors.ts'
import { isSettled } from '../../task/states.ts'
import { AttemptFiles } from '../attempt-files.ts'
import type { HeldNodes } from '../batch/held-nodes.ts'
import { attemptKey, type Executor, type Io, type NativeObservation, type NativeRef, type Plan, type PollResult } from '../executor.ts'
import type { ShareRefs } from '../plan-of-shares.ts'
import { clusterCapabilities } from './cluster-capabilities.ts'
import { compileCluster } from './cluster-compiler.ts'
import { describeEnd, endOfHolder } from './cluster-end.ts'
import { AgentEvents } from './cluster-events.ts'
import { CLUSTER_KIND, type Holder } from './cluster-target.ts'

/** How long a step's own words may still come after its end was noted, before its end counts as a failure to start. */
const LAST_WORDS_MS = 10_000

/** How long after it a scheduler may take to say that it has ended the allocation. */
const REASON_MS = 60_000

/** What the executor of one cluster works with. */
export interface ClusterWorld {
  readonly name: string
  readonly held: HeldNodes
  /** Attempt directory of the holder, absolute. */
  readonly directory: string
  /** The holder as it is at this moment; undefined: its record was removed. */
  holder(): Promise<Holder | undefined>
}

/** Jobs on nodes that another job holds: handed to its agent by one line, found again by what they and the agent wrote. */
export function createClusterExecutor(cluster: ClusterWorld): Executor<ShareRefs> {
  const { name, held, directory } = cluster
  const events = new AgentEvents(`${directory}/${heldPaths.events}`)
  return {
    kind: CLUSTER_KIND,
    capabilities: clusterCapabilities,
    plan: (task, site, as) => compileCluster(held, task, site, as),
    async submit(plan, io) {
      const holder = await cluster.holder()
      if (holder === undefined || isSettled(holder.state)) {
        throw new DroverError('rejected', `${describeEnd(name, holder)}; job ${plan.jobId} was not started`, {
          level: 'config',
          hint: `Bring it up again, then run the job again: drover cluster up ${name}`,
        })
      }
      await tell(plan, directory, io)
      return holder.nativeId ?? name
    },
    async poll(refs, io): Promise<PollResult> {
      const holder = await cluster.holder()
      if (holder === undefined || isSettled(holder.state)) {
        const word = endOfHolder(name, holder)
        return new Map(refs.map((ref) => [attemptKey(ref), word]))
      }
      await events.read(io)
      return new Map(await Promise.all(refs.map(async (ref) => [attemptKey(ref), await observe(ref, events, io)] as const)))
    },
    async list() {
      return []
    },
    async cancel(refs, io) {
      const lines = refs.flatMap(({ places }) => places.map(({ attemptDir }) => append(`${attemptDir}/${heldPaths.stop}`, 'term')))
      if (lines.length > 0) await runAll(lines, io)
    },
    async cancelElements(ref, positions, io) {
      await cancelElements(ref, positions, io)
    },
  }
}

/** Appends in place: a file that is read on by others must stay the same. */
const append = (path: string, line: string): string => `printf '%s\\n' ${quoteShell(line)} >>${quoteShell(path)}`

async function runAll(commands: readonly string[], io: Io): Promise<void> {
  const { code, stderr } = await io.transport.run('exec sh', { stdin: `${commands.join(' &&\n')}\n` })
  if (code !== 0)
    throw new DroverError('transport_failed', 'cannot write to the files of the cluster', {
      level: 'transport',
      transient: true,
      outputTail: stderr.slice(-500),
    })
}

/** However often an attempt is named, the agent starts it once. */
async function tell(plan: Plan<ShareRefs>, directory: string, io: Io): Promise<void> {
  const lines = plan.places.map(({ attemptDir }) => `start ${attemptDir}`).join('\n')
  await runAll([append(`${directory}/${heldPaths.commands}`, lines)], io)
}

async function observe(ref: NativeRef, events: AgentEvents, io: Io): Promise<NativeObservation> {
  const places = ref.places.map((place) => ({ place, ...events.of(place.attemptDir) }))
  if (places.every(({ startedAt }) => startedAt === undefined)) return { kind: 'state', word: 'WAITING', state: 'queued' }
  if (places.some(({ endedAt }) => endedAt === undefined)) return { kind: 'state', word: 'RUNNING', state: 'running' }
  const failed = places.find(({ code }) => code !== 0)
  if (failed === undefined) return { kind: 'missing' }
  const now = io.now()
  const heardAt = Math.max(...places.map(({ endHeardAt = now }) => endHeardAt))
  if (now - heardAt < LAST_WORDS_MS) return { kind: 'state', word: 'ENDED', state: 'finishing' }
  // A launcher may have ended without what it launched; only what never began is known to have failed.
  const files = new AttemptFiles([{ ...failed.place, slots: 0 }])
  await files.read(io.transport)
  const record = files.driverRecord(0)
  const told = record.kind === 'record' && record.record.told === 'term'
  // The scheduler that ended it says why a little later.
  if (told && now - heardAt < REASON_MS) return { kind: 'state', word: 'ENDED', state: 'finishing' }
  if (files.driverEvents(0).length > 0) return { kind: 'missing' }
  const reason = `nothing could be started on ${failed.place.node}: exit ${failed.code}, see drover logs --stream driver ${ref.jobId}`
  return { kind: 'state', word: 'NOT_STARTED', state: 'failed', cause: 'driver', reason }
}

async function cancelElements(ref: NativeRef, positions: readonly number[], io: Io): Promise<void> {
  const wanted = new Set(positions)
  const marks = positions.join('\n')
  await runAll(
    ref.places.map(({ attemptDir }) => append(`${attemptDir}/cancel_elements`, marks)),
    io,
  )
  const files = new AttemptFiles(ref.places)
  await files.read(io.transport)
  let at = 0
  const commands: string[] = []
  for (const [index, place] of ref.places.entries()) {
    for (let slot = 0; slot < place.slots; slot += 1, at += 1) {
      const last = files.slotLines()[at]?.at(-1)
      if (last?.kind !== 'claim' || !wanted.has(last.position)) continue
      const leader = files.driverEvents(index).findLast((event) => event.word === 'slot' && Number(event.detail['k']) === slot)
      const { pid, start } = leader?.detail ?? {}
      if (pid !== undefined && start !== undefined) commands.push(append(`${place.attemptDir}/${heldPaths.stop}`, `slot ${pid} ${start}`))
    }
  }
  if (commands.length > 0) await runAll(commands, io)
}
