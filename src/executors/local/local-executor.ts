import { quoteShell } from '../../driver/quote.ts'
import { DroverError } from '../../errors.ts'
import { probeScript } from '../../targets/probe-script.ts'
import { parseProbe } from '../../targets/site-facts.ts'
import { createLocalTransport } from '../../transports/local-transport.ts'
import { createSpawner, smallEnvironment } from '../../transports/spawner.ts'
import type { Transport } from '../../transports/transport.ts'
import { allOf, cancelPlaceElements, endPlace, readProcesses, startDriver } from '../driver-process.ts'
import { attemptKey, type Executor, type Io, type NativeObservation, type NativeRef, type PollResult, type SiteFacts } from '../executor.ts'
import type { ExecutorKind } from '../registry.ts'
import { localCapabilities } from './local-capabilities.ts'
import { compileLocal, type LocalRefs } from './local-compiler.ts'
import { capSite, localOptionNames, parseLocalOptions, refuseLocalOption } from './local-options.ts'

/** The one place of a local job. */
function placeOf<Place>({ places, jobId }: { readonly places: readonly Place[]; readonly jobId: string }): Place {
  const [place] = places
  if (place !== undefined) return place
  throw new DroverError('internal', `job ${jobId} has no place`, { level: 'internal' })
}

/** RUNNING while anything of the attempt lives; `missing` when all that its events name is provably gone. */
async function pollLocal(refs: readonly NativeRef[], io: Io): Promise<PollResult> {
  const all = await Promise.all(refs.map(async (ref) => allOf(await readProcesses(placeOf(ref), io.transport))))
  const alive = await io.transport.alive(all.flat())
  const answers = new Map<string, NativeObservation>()
  let next = 0
  for (const [index, ref] of refs.entries()) {
    const count = all[index]?.length ?? 0
    const lives = alive.slice(next, next + count).some(Boolean)
    next += count
    // An attempt whose driver has not said who it is may be starting this very moment.
    if (count === 0) answers.set(attemptKey(ref), { kind: 'state', word: 'STARTING', state: 'submitting' })
    else answers.set(attemptKey(ref), lives ? { kind: 'state', word: 'RUNNING', state: 'running' } : { kind: 'missing' })
  }
  return answers
}

async function cancelLocal(refs: readonly NativeRef[], io: Io): Promise<void> {
  for (const ref of refs) await endPlace(placeOf(ref), io.transport)
}

/** Attempts below the root whose native id is on record. */
async function listLocal(io: Io, root: string): Promise<readonly NativeRef[]> {
  const { stdout } = await io.transport.run(
    `cd ${quoteShell(root)}/jobs 2>/dev/null || exit 0; for f in */*/native_id; do [ -s "$f" ] && printf '%s ' "$f" && cat "$f"; done; true`,
  )
  return stdout.split('\n').flatMap((line) => {
    const match = /^([^/]+)\/(\d+)\/native_id (\S+)$/.exec(line)
    const [, jobId, attempt, nativeId] = match ?? []
    if (jobId === undefined || attempt === undefined || nativeId === undefined) return []
    const place = { node: '', attemptDir: `${root}/jobs/${jobId}/${attempt}`, ranks: [0], slots: 0 }
    return [{ nativeId, jobId, attempt: Number(attempt), places: [place] }]
  })
}

/** Jobs on this machine: started by the spawner, each in a session of its own, found again by what they wrote. */
export const localExecutor: Executor<LocalRefs> = {
  kind: 'local',
  capabilities: localCapabilities,
  plan: compileLocal,
  submit: (plan, io) => startDriver(placeOf(plan), plan.jobId, io.transport, io),
  poll: pollLocal,
  list: listLocal,
  cancel: cancelLocal,
  cancelElements: (ref, positions, io) => cancelPlaceElements(placeOf(ref), positions, io.transport),
}

async function probe(transport: Transport, root: string, now: () => number): Promise<SiteFacts> {
  const { stdout, stderr, code } = await transport.run(probeScript(root))
  if (code !== 0)
    throw new DroverError('transport_failed', 'cannot read the facts of this machine', {
      level: 'transport',
      outputTail: stderr.slice(-500),
    })
  return parseProbe(stdout, now())
}

/** The kind `local`. */
export const localKind: ExecutorKind = {
  kind: 'local',
  summary: 'this machine: cores, memory and GPUs as slots',
  capabilities: localCapabilities,
  optionNames: localOptionNames,
  refuseOption: refuseLocalOption,
  async connect(target, world) {
    const spawner = createSpawner({ environment: smallEnvironment(world.environment) })
    const transport = createLocalTransport({ spawner })
    try {
      const site = capSite(await probe(transport, target.root, world.now), parseLocalOptions(target.options), target.limits)
      return { executor: localExecutor, transport, site }
    } catch (error) {
      await transport.close()
      throw error
    }
  },
}
