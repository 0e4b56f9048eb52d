import { setTimeout as sleep } from 'node:timers/promises'
import { attemptPaths, type JobEventLine } from '../../driver/protocol.ts'
import { parseIdentity } from '../../driver/protocol-reader.ts'
import { quoteShell } from '../../driver/quote.ts'
import { DroverError } from '../../errors.ts'
import { probeScript } from '../../targets/probe-script.ts'
import { parseProbe } from '../../targets/site-facts.ts'
import { createLocalTransport } from '../../transports/local-transport.ts'
import { createSpawner, smallEnvironment } from '../../transports/spawner.ts'
import type { ProcessIdentity, Transport } from '../../transports/transport.ts'
import { AttemptFiles } from '../attempt-files.ts'
import type { Executor, Io, NativeObservation, NativeRef, Plan, PollResult, SiteFacts } from '../executor.ts'
import type { ExecutorKind } from '../registry.ts'
import { localCapabilities } from './local-capabilities.ts'
import { compileLocal, type LocalRefs } from './local-compiler.ts'
import { capSite, localOptionNames, parseLocalOptions, refuseLocalOption } from './local-options.ts'

/** How long a started driver may take to write down who it is. */
const CLAIM_LIMIT_MS = 20_000

const smallFile = 4096

async function readText(transport: Transport, paths: readonly string[]): Promise<readonly string[]> {
  const pieces = await transport.read(paths.map((path) => ({ path, offset: 0, maxBytes: smallFile })))
  return pieces.map((piece) => Buffer.from(piece.bytes).toString('utf8'))
}

async function submitLocal(plan: Plan<LocalRefs>, io: Io): Promise<string> {
  const [place] = plan.places
  if (place === undefined) throw new DroverError('internal', `the plan of ${plan.jobId} has no place`, { level: 'internal' })
  const at = (path: string): string => `${place.attemptDir}/${path}`
  const known = async (): Promise<string | undefined> => {
    const [text] = await readText(io.transport, [at(attemptPaths.nativeId)])
    return text !== undefined && parseIdentity(text) !== undefined ? text.trim() : undefined
  }
  const before = await known()
  if (before !== undefined) return before
  // However often a driver is started for this attempt, its claim lets one instance run.
  await io.transport.spawn([{ argv: place.command, logPath: at(attemptPaths.driverLog), cwd: place.attemptDir }])
  const deadline = io.now() + CLAIM_LIMIT_MS
  for (let waitMs = 2; io.now() < deadline; waitMs = Math.min(waitMs * 1.5, 250)) {
    await sleep(waitMs, undefined, { signal: io.signal })
    const id = await known()
    if (id !== undefined) return id
  }
  const [log] = await readText(io.transport, [at(attemptPaths.driverLog)])
  throw new DroverError('transport_failed', `the driver of ${plan.jobId} was started but did not claim its attempt`, {
    level: 'transport',
    transient: true,
    outputTail: (log ?? '').slice(-500),
  })
}

/** The process that an event line names. */
function identityOf({ detail }: JobEventLine): ProcessIdentity | undefined {
  const { pid, start, boot } = detail
  return pid === undefined || start === undefined || boot === undefined ? undefined : { pid: Number(pid), startTime: start, bootId: boot }
}

interface Processes {
  readonly driver: readonly ProcessIdentity[]
  readonly runners: readonly ProcessIdentity[]
  /** Scripts and slots: leaders of their own groups. */
  readonly groups: readonly ProcessIdentity[]
}

/** Every process that the attempt's own events name. */
async function processesOf(ref: NativeRef, transport: Transport): Promise<Processes> {
  const files = new AttemptFiles(ref.places.map((place) => ({ ...place, slots: 0 })))
  await files.read(transport)
  const named = (who: number | 'job', word: string): ProcessIdentity[] =>
    files.events(who).flatMap((event) => {
      const identity = event.word === word ? identityOf(event) : undefined
      return identity === undefined ? [] : [identity]
    })
  const ranks = ref.places.flatMap((place) => place.ranks)
  const native = parseIdentity(`${ref.nativeId}\n`)
  return {
    driver: native === undefined ? named('job', 'driver') : [native],
    runners: ranks.flatMap((rank) => named(rank, 'runner')),
    groups: [...ranks.flatMap((rank) => named(rank, 'script')), ...named('job', 'slot')],
  }
}

/** RUNNING while anything of the attempt lives; `missing` when all that its events name is provably gone. */
async function pollLocal(refs: readonly NativeRef[], io: Io): Promise<PollResult> {
  const processes = await Promise.all(refs.map((ref) => processesOf(ref, io.transport)))
  const all = processes.map(({ driver, runners, groups }) => [...driver, ...runners, ...groups])
  const alive = await io.transport.alive(all.flat())
  const answers = new Map<string, NativeObservation>()
  let next = 0
  for (const [index, ref] of refs.entries()) {
    const count = all[index]?.length ?? 0
    const lives = alive.slice(next, next + count).some(Boolean)
    next += count
    // An attempt whose driver has not said who it is may be starting this very moment.
    if (count === 0) answers.set(`${ref.jobId}/${ref.attempt}`, { kind: 'state', word: 'STARTING', state: 'submitting' })
    else answers.set(`${ref.jobId}/${ref.attempt}`, lives ? { kind: 'state', word: 'RUNNING', state: 'running' } : { kind: 'missing' })
  }
  return answers
}

/** TERM to the driver, which forwards it; where the driver is gone, to what is left of it. */
async function cancelLocal(refs: readonly NativeRef[], io: Io): Promise<void> {
  for (const ref of refs) {
    const { driver, runners, groups } = await processesOf(ref, io.transport)
    const lives = async (processes: readonly ProcessIdentity[]): Promise<boolean> => (await io.transport.alive(processes)).some(Boolean)
    if (driver.length > 0 && (await lives(driver))) await io.transport.kill(driver, 'TERM', false)
    else if (runners.length > 0 && (await lives(runners))) await io.transport.kill(runners, 'TERM', false)
    else if (groups.length > 0) await io.transport.kill(groups, 'TERM', true)
  }
}

/** Marks the elements, then tells each slot that runs one of them now to end it. */
async function cancelLocalElements(ref: NativeRef, positions: readonly number[], io: Io): Promise<void> {
  const [place] = ref.places
  if (place === undefined) return
  const mark = `${place.attemptDir}/${attemptPaths.cancelElements}`
  const [known] = await io.transport.read([{ path: mark, offset: 0, maxBytes: 1024 * 1024 }])
  const before = known === undefined ? '' : Buffer.from(known.bytes).toString('utf8')
  await io.transport.write([], [{ path: mark, mode: 0o600, content: before + positions.map((position) => `${position}\n`).join('') }])
  const files = new AttemptFiles([{ ...place, ranks: [] }])
  await files.read(io.transport)
  const wanted = new Set(positions)
  for (const [slot, lines] of files.slotLines().entries()) {
    const last = lines.at(-1)
    if (last?.kind !== 'claim' || !wanted.has(last.position)) continue
    const leader = files.events('job').findLast((event) => event.word === 'slot' && Number(event.detail['k']) === slot)
    const identity = leader === undefined ? undefined : identityOf(leader)
    // The slot itself, not its group: it ends its element; a late signal to the group would hit the next one.
    if (identity !== undefined) await io.transport.kill([identity], 'TERM', false)
  }
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
  submit: submitLocal,
  poll: pollLocal,
  list: listLocal,
  cancel: cancelLocal,
  cancelElements: cancelLocalElements,
  async probe(io, root): Promise<SiteFacts> {
    const { stdout, stderr, code } = await io.transport.run(probeScript(root))
    if (code !== 0)
      throw new DroverError('transport_failed', 'cannot read the facts of this machine', {
        level: 'transport',
        outputTail: stderr.slice(-500),
      })
    return parseProbe(stdout, io.now())
  },
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
      const io: Io = { transport, signal: world.signal, now: world.now, log: world.log }
      const site = capSite(await localExecutor.probe(io, target.root), parseLocalOptions(target.options), target.limits)
      return { executor: localExecutor, transport, site }
    } catch (error) {
      await transport.close()
      throw error
    }
  },
}
