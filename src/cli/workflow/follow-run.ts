import { spawn } from 'node:child_process'
import { closeSync, mkdirSync, openSync } from 'node:fs'
import { join } from 'node:path'
import { packageFacts } from '../../server/package-root.ts'
import { resolveHome } from '../../targets/drover-home.ts'
import { runPaths } from '../../workflow/run/run-directory.ts'
import type { RunEnd, WorkflowRun } from '../../workflow/run/workflow-run.ts'
import { Workflows } from '../../workflow/run/workflows.ts'
import type { Cli } from '../cli.ts'
import { failedLine, outputLines, outputsJson } from './workflow-text.ts'

/** The runs of the home that a command line belongs to. */
export function workflowsOf(cli: Cli): Workflows {
  return new Workflows(resolveHome(cli.host.environment).home, cli.host.version)
}

/**
 * Waits for a run of this process and prints its end. Ctrl-C, TERM and a closed terminal leave it to a process in the background, which
 * goes on. Sets the exit code: 0, 1 for a run that failed (the first failed call's own code where it has one), 130 for one that was cancelled.
 */
export async function followRun(cli: Cli, workflows: Workflows, run: WorkflowRun): Promise<void> {
  const interruption = cli.host.interruption()
  const hangup = cli.host.hangup()
  const leaving = AbortSignal.any([interruption, hangup])
  const leave = (): void => run.leave()
  leaving.addEventListener('abort', leave, { once: true })
  if (leaving.aborted) leave()
  if (cli.mode === 'table') await cli.say(`workflow ${run.id}`)
  const end = await run.ended
  leaving.removeEventListener('abort', leave)
  if (end.state === 'left') {
    await detachRun(cli, workflows, run.id)
    if (hangup.aborted) {
      // Nobody reads any more, and a terminal that is gone takes nothing.
      cli.exitCode = 129
      return
    }
    await cli.say(`workflow ${run.id} goes on in the background\n  drover workflow show ${run.id}\n  drover workflow cancel ${run.id}`)
    cli.exitCode = typeof interruption.reason === 'number' ? interruption.reason : 130
    return
  }
  await printEnd(cli, end)
}

/** Prints how a run ended, in the form asked for, and sets the exit code. */
export async function printEnd(cli: Cli, end: RunEnd): Promise<void> {
  const { id, state, outputs, failed } = end
  cli.exitCode = state === 'succeeded' ? 0 : state === 'cancelled' ? 130 : exitCodeOf(end)
  if (cli.mode === 'json') {
    const failures = JSON.stringify(failed, undefined, 2).replaceAll('\n', '\n  ')
    await cli.host.stdout.write(
      `{\n  "id": ${JSON.stringify(id)},\n  "state": ${JSON.stringify(state)},\n  "outputs": ${outputsJson(outputs, 2)},\n  "failed": ${failures}\n}\n`,
    )
    return
  }
  if (cli.mode === 'quiet') {
    await cli.host.stdout.write(`${id}\n`)
    return
  }
  if (outputs !== undefined) await cli.host.stdout.write(outputLines(outputs))
  for (const node of failed) await cli.say(failedLine(node))
  if (state === 'succeeded') return
  await cli.say(`workflow ${id} ${state === 'cancelled' ? 'was cancelled' : state}`)
  if (failed.length > 0) await cli.say(`  drover workflow logs ${id} ${failed[0]?.node}\n  drover workflow retry ${id}`)
}

function exitCodeOf({ failed }: RunEnd): number {
  const code = failed.find(({ exit_code }) => exit_code !== null && exit_code > 0)?.exit_code
  return code ?? 1
}

/** Starts a process in the background that takes a run up. What it says goes to the run's `controller.log`. */
export async function detachRun(cli: Cli, workflows: Workflows, id: string): Promise<void> {
  const { directory } = runPaths(workflows.runs, id)
  mkdirSync(directory, { recursive: true, mode: 0o700 })
  const log = openSync(join(directory, 'controller.log'), 'a', 0o600)
  try {
    const child = spawn(process.execPath, [packageFacts().entry, 'workflow', 'resume', id, '--here', '-o', 'quiet'], {
      cwd: directory,
      detached: true,
      stdio: ['ignore', log, log],
      env: { ...cli.host.environment },
    })
    await new Promise<void>((resolve, reject) => {
      child.once('spawn', resolve)
      child.once('error', reject)
    })
    child.unref()
  } finally {
    closeSync(log)
  }
}
