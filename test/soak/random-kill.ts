import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { Job } from '../../src/jobs/drover.ts'
import { type CaseTask, createTaskFile, settled, until } from '../../src/testing/index.ts'
import { DROVER_BIN, LocalHome, processesOf } from '../conformance/local-home.ts'

/** Drover's own processes, by what their command lines hold. */
const VICTIMS = {
  supervisor: /supervisor run/,
  cli: /drover\.js (wait|logs) /,
  driver: /driver\.sh/,
  runner: /node\.sh/,
  // What else belongs to the home and is a shell: spawners and slots.
  shell: /^(\/bin\/)?(sh|dash|bash)\b/,
} as const
type Victim = keyof typeof VICTIMS

/** A task, how it ends if nobody kills its own driver, and how often its script runs. */
interface Sample {
  readonly task: CaseTask
  readonly state: Job['state']
  readonly code: number
}

const SAMPLES: readonly Sample[] = [
  { task: { name: 'ok', run: 'echo r >> "$RUNS"; sleep 0.3; exit 0' }, state: 'succeeded', code: 0 },
  { task: { name: 'code', run: 'echo r >> "$RUNS"; sleep 0.2; exit 3' }, state: 'failed', code: 3 },
  { task: { name: 'setup', setup: 'sleep 0.1; exit 9', run: 'echo r >> "$RUNS"' }, state: 'failed', code: 9 },
  {
    task: {
      name: 'array',
      array: { elements: { kind: 'count', count: 12 }, size: 12 },
      run: 'echo "$DROVER_ARRAY_INDEX" >> "$RUNS"; sleep 0.05; [ "$DROVER_ARRAY_INDEX" != 7 ] || exit 5',
    },
    state: 'failed',
    code: 5,
  },
  {
    task: { name: 'ranks', numNodes: 2, run: 'echo "$DROVER_NODE_RANK" >> "$RUNS"; sleep 0.2; [ "$DROVER_NODE_RANK" = 0 ] || exit 6' },
    state: 'failed',
    code: 6,
  },
]

/** A small generator with a seed (mulberry32), so that a failing run can be repeated. */
export function createRandom(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
}

function commandOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ')
  } catch {
    return ''
  }
}

/** Which of Drover's processes of this home live, by kind. The user's own scripts are no victims. */
function victims(home: LocalHome): ReadonlyMap<Victim, readonly number[]> {
  const found = new Map<Victim, number[]>()
  for (const pid of [...processesOf(home.base), home.supervisorPid]) {
    const command = commandOf(pid)
    if (/run\.sh|setup\.sh|^sleep/.test(command)) continue
    const kind = (Object.keys(VICTIMS) as Victim[]).find((each) => VICTIMS[each].test(command))
    if (kind) found.set(kind, [...new Set([...(found.get(kind) ?? []), pid])])
  }
  return found
}

/** Why a result is wrong; undefined when it is right. `touched`: the attempt's own processes may have been killed. */
function fault(sample: Sample, job: Job, runs: readonly string[], touched: boolean): string | undefined {
  const shown = `${sample.task.name} ${job.id}: ${job.state} ${JSON.stringify(job.cause)} after ${runs.length} runs`
  if (new Set(runs).size !== runs.length && sample.task.name !== 'ok' && sample.task.name !== 'code') return `${shown}: ran twice`
  if (['ok', 'code', 'setup'].includes(sample.task.name ?? '') && runs.length > 1) return `${shown}: ran twice`
  if (job.state === sample.state && job.exit_code === sample.code) return undefined
  if (!touched) return `${shown}: expected ${sample.state} ${sample.code}`
  // Whoever kills the witness gets no proof of success, and no exit code that was never seen.
  if (job.state === 'lost') return undefined
  if (job.state === 'failed' && ['driver', 'signal', 'node_failure'].includes(job.cause?.kind ?? '')) return undefined
  return `${shown}: neither the proven end nor an honest failure`
}

/** Kills one random process per round at a random moment; resolves to what went wrong, one line each. */
export async function killAtRandom(options: {
  readonly rounds: number
  readonly seed: number
  readonly log: (line: string) => void
}): Promise<readonly string[]> {
  const random = createRandom(options.seed)
  const pick = <T>(items: readonly T[]): T => items[Math.floor(random() * items.length)] as T
  const home = await new LocalHome().start()
  const faults: string[] = []
  const clients: ChildProcess[] = []
  try {
    for (let round = 0; round < options.rounds; round += 1) {
      const chosen = [pick(SAMPLES), pick(SAMPLES)]
      const wanted = pick(Object.keys(VICTIMS) as Victim[])
      const waitMs = Math.floor(random() * 900)
      const draw = random()
      const runsFiles = chosen.map((_, at) => join(home.directory, `runs-${round}-${at}`))
      const key = `round-${round}`
      const file = createTaskFile(
        'local',
        ...chosen.map(({ task }, at) => ({ ...task, name: `${task.name}-${at}`, envs: { RUNS: runsFiles[at] ?? '' } })),
      )
      const submitting = home.drover.submit(file, { key }).catch(() => undefined)
      const client = spawn(process.execPath, [DROVER_BIN, 'wait', `${chosen[0]?.task.name}-0`], { env: home.environment, stdio: 'ignore' })
      clients.push(client)
      await delay(waitMs)
      const living = victims(home)
      const kind = living.has(wanted) ? wanted : pick([...living.keys()])
      const pids = living.get(kind) ?? []
      const pid = pids[Math.floor(draw * pids.length)]
      const killed = pid === undefined ? '' : commandOf(pid)
      if (pid !== undefined && home.alive(pid)) home.kill9(pid)
      await submitting
      if (kind === 'supervisor') await home.restart()
      const jobs = await home.drover.submit(file, { key })
      const ended = await Promise.all(jobs.map((job) => settled(home.drover, job.id, 60_000)))
      const touched = (job: Job): boolean => kind !== 'supervisor' && kind !== 'cli' && (kind === 'shell' || killed.includes(job.id))
      const wrong = ended.flatMap((job, at) => {
        const runs = existsSync(runsFiles[at] ?? '')
          ? readFileSync(runsFiles[at] ?? '', 'utf8')
              .trim()
              .split('\n')
          : []
        return fault(chosen[at] as Sample, job, runs, touched(job)) ?? []
      })
      options.log(`round ${round}: ${kind} ${pid} after ${waitMs} ms: ${ended.map((job) => `${job.name} ${job.state}`).join(', ')}`)
      faults.push(...wrong.map((line) => `round ${round} (${kind} ${killed.slice(0, 120)} after ${waitMs} ms): ${line}`))
      await until('the jobs to have left', 20_000, () => ended.every((job) => processesOf(job.id).length === 0)).catch(() => {
        faults.push(
          `round ${round}: processes of an ended job live on: ${ended.flatMap((job) => processesOf(job.id).map(commandOf)).join(' | ')}`,
        )
      })
    }
  } finally {
    for (const client of clients) {
      if (client.exitCode === null && client.signalCode === null) {
        const gone = once(client, 'exit')
        client.kill('SIGKILL')
        await gone
      }
    }
    await home.close()
  }
  return faults
}
