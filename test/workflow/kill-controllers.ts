import { once } from 'node:events'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { Layout } from '../../src/workflow/run/run-directory.ts'
import { createRandom } from '../soak/random-kill.ts'
import { CRASH_INPUTS, CRASH_OUTPUTS, crashGraph, writeLedgerWorker } from './crash-graph.ts'
import { endOf, RunHome } from './run-fixture.ts'

/** What `killAtRandom` takes. */
export interface KillOptions {
  /** Kills in all, over as many runs as it takes. */
  readonly kills: number
  readonly layout: Layout
  readonly seed: number
  readonly inputs?: Readonly<Record<string, string>>
  /** Of the first run. Default: `run-0`. */
  readonly id?: string
  readonly log: (line: string) => void
  /** Told the directory of each run that ended. */
  readonly onEnd?: (directory: string) => void
}

/**
 * Runs `crashGraph` with `drover workflow run`, kills the controller with SIGKILL at random moments, resumes it, until as many kills
 * are done; resolves to what went wrong, one line each: outputs that differ, calls that ran twice or not to their end.
 */
export async function killAtRandom(options: KillOptions): Promise<readonly string[]> {
  const random = createRandom(options.seed)
  const faults: string[] = []
  let kills = 0
  for (let number = 0; number === 0 || kills < options.kills; number++) {
    using home = new RunHome()
    writeLedgerWorker(home)
    const graphPath = join(home.base, 'graph.json')
    writeFileSync(graphPath, crashGraph().toText())
    const id = number === 0 ? (options.id ?? 'run-0') : `run-${number}`
    const checkpoints = join(home.base, 'checkpoints')
    const given = Object.entries(options.inputs ?? CRASH_INPUTS).flatMap(([port, text]) => ['-i', `${port}=${text}`])
    const begin = ['workflow', 'run', graphPath, ...given, '--registry', home.registry, '--id', id, '--layout', options.layout]
    const argv = [...begin, '--checkpoints', checkpoints, '-j', '4', '-o', 'json']
    let killedHere = 0
    for (let last = false; !last; ) {
      last = kills >= options.kills || killedHere >= MOST_PER_RUN
      // It may have ended before it was killed; then whoever asks is told so, and the end is there to be read.
      const made = existsSync(join(home.home, 'workflows', id, 'run.json'))
      if (made && (await home.workflows.summary(id)).state === 'succeeded') {
        const shown = await home.drover('workflow', 'outputs', id, '-o', 'json')
        const document = `{"state":"succeeded","outputs":${shown.stdout}}`
        faults.push(...faultsOf(home, document, shown.stderr).map((line) => `run ${number} (${killedHere} kills, ended): ${line}`))
        break
      }
      // A command killed before it made the run leaves none.
      const command = made ? ['workflow', 'resume', id, '-o', 'json'] : argv
      const child = home.spawn(...command)
      if (last) {
        const end = await endOf(child)
        faults.push(...faultsOf(home, end.stdout, end.stderr).map((line) => `run ${number} (${killedHere} kills): ${line}`))
        break
      }
      const ended = endOf(child)
      const waitMs = 150 + Math.floor(random() * 1_200)
      const calm = await Promise.race([ended, delay(waitMs)])
      if (calm !== undefined) {
        faults.push(...faultsOf(home, calm.stdout, calm.stderr).map((line) => `run ${number} (${killedHere} kills): ${line}`))
        break
      }
      if (child.exitCode === null) {
        const gone = once(child, 'close')
        child.kill('SIGKILL')
        await gone
        kills++
        killedHere++
      }
      await ended
    }
    options.log(`run ${number}: ${killedHere} kills, ${home.calls().length} calls`)
    options.onEnd?.(join(checkpoints, id))
  }
  return faults
}

const MOST_PER_RUN = 12

function faultsOf(home: RunHome, stdout: string, stderr: string): readonly string[] {
  let shown: unknown
  try {
    shown = JSON.parse(stdout)
  } catch {
    return [`no document: ${stdout}${stderr}`]
  }
  const { state, outputs } = shown as { readonly state: string; readonly outputs: unknown }
  const faults: string[] = []
  if (state !== 'succeeded') faults.push(`it ${state}: ${stdout}${stderr}`)
  if (JSON.stringify(outputs) !== JSON.stringify(CRASH_OUTPUTS)) faults.push(`outputs ${JSON.stringify(outputs)}`)
  const begun = new Map<string, number>()
  const ended = new Map<string, number>()
  for (const { what, loc } of home.ledger()) {
    const counted = what === 'b' ? begun : ended
    counted.set(loc, (counted.get(loc) ?? 0) + 1)
  }
  for (const [loc, count] of begun) if (count > 1) faults.push(`${loc} ran ${count} times`)
  for (const loc of begun.keys()) if (ended.get(loc) !== 1) faults.push(`${loc} did not run to its end`)
  if (begun.size !== CALLS) faults.push(`${begun.size} calls instead of ${CALLS}: ${readFileSync(home.ledgerPath, 'utf8')}`)
  return faults
}

/** Of one run: 6 elements with 10 calls, 3 rounds of 2, 3 levels that are not the last, 1 of the random number. */
const CALLS = 20
