import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { singleExecutor } from '../../src/workers/multiple/executor-set.ts'
import { createShellExecutor } from '../../src/workers/shell/shell-executor.ts'
import type { Workflow } from '../../src/workflow/builder/workflow.ts'
import type { ExecutorSet } from '../../src/workflow/calls/worker-call.ts'
import type { RunInput } from '../../src/workflow/run/run-directory.ts'
import type { RunEnd, WorkflowRun } from '../../src/workflow/run/workflow-run.ts'
import { type RunOptions, Workflows } from '../../src/workflow/run/workflows.ts'
import { DROVER_BIN, TEST_DIRECTORY } from '../conformance/local-home.ts'

/** What a command of Drover gave. */
export interface CommandEnd {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

/** A home with workflow runs, a registry of shell workers, and a ledger in which their calls leave a line at start and end. */
export class RunHome implements Disposable {
  readonly base: string
  readonly home: string
  readonly registry: string
  readonly ledgerPath: string
  readonly workflows: Workflows
  readonly environment: Record<string, string>

  constructor() {
    this.base = mkdtempSync(join(process.env[TEST_DIRECTORY] ?? tmpdir(), 'home-'))
    this.home = join(this.base, 'home')
    this.registry = join(this.base, 'workers')
    this.ledgerPath = join(this.base, 'ledger')
    mkdirSync(this.home, { mode: 0o700 })
    mkdirSync(this.registry)
    writeFileSync(this.ledgerPath, '')
    this.workflows = new Workflows(this.home, 'test')
    this.environment = {
      PATH: process.env['PATH'] ?? '/usr/bin:/bin',
      HOME: this.base,
      DROVER_HOME: this.home,
      LEDGER: this.ledgerPath,
    }
  }

  /** A worker of the registry. Its script knows `$loc`, and `$1` as in the tasks' protocol; `tasks` are the branches of a `case` over the task's name. */
  worker(name: string, tasks: Readonly<Record<string, string>>): void {
    const branches = Object.entries(tasks).map(([task, script]) => `${task}) (\n${script}\n) ;;`)
    const text = `#!/bin/sh
loc=\${output_dir%/outputs}; loc=\${loc##*/}
printf 'b %s %s %s\\n' "$function_name" "$loc" $$ >>"$LEDGER"
case $function_name in
${branches.join('\n')}
esac
code=$?
printf 'e %s %s %s\\n' "$function_name" "$loc" $$ >>"$LEDGER"
exit $code
`
    const path = join(this.registry, name)
    rmSync(path, { force: true })
    writeFileSync(path, text)
    chmodSync(path, 0o755)
  }

  /** Executors in this process: a shell executor over the registry. */
  shell(maxParallel = 8): ExecutorSet {
    return singleExecutor(
      createShellExecutor({ registries: [this.registry], searchPath: '', maxParallel, env: { LEDGER: this.ledgerPath } }),
    )
  }

  async start(
    workflow: Pick<Workflow<never, unknown>, 'toText'> | string,
    options: Omit<Partial<RunOptions>, 'inputs'> & { readonly inputs?: Readonly<Record<string, string | RunInput>> } = {},
  ): Promise<WorkflowRun> {
    const { inputs = {}, ...others } = options
    const given = Object.entries(inputs).map(([port, value]) => [port, typeof value === 'string' ? Buffer.from(value) : value] as const)
    const text = typeof workflow === 'string' ? workflow : workflow.toText()
    return await this.workflows.start(Buffer.from(text), { executors: this.shell(), ...others, inputs: new Map(given) })
  }

  /** Lines of the ledger: `b` or `e`, task, location, pid. */
  ledger(): readonly { readonly what: string; readonly task: string; readonly loc: string; readonly pid: number }[] {
    const lines = readFileSync(this.ledgerPath, 'utf8')
      .split('\n')
      .filter((line) => line !== '')
    return lines.map((line) => {
      const [what = '', task = '', loc = '', pid = ''] = line.split(' ')
      return { what, task, loc, pid: Number(pid) }
    })
  }

  /** Locations of calls that began, in order. */
  calls(): readonly string[] {
    return this.ledger().flatMap(({ what, loc }) => (what === 'b' ? [loc] : []))
  }

  clearLedger(): void {
    writeFileSync(this.ledgerPath, '')
  }

  /** Starts `drover …`. */
  spawn(...argv: readonly string[]): ChildProcess {
    return spawn(process.execPath, [DROVER_BIN, ...argv], { cwd: this.base, env: this.environment, stdio: ['ignore', 'pipe', 'pipe'] })
  }

  async drover(...argv: readonly string[]): Promise<CommandEnd> {
    return await endOf(this.spawn(...argv))
  }

  [Symbol.dispose](): void {
    rmSync(this.base, { recursive: true, force: true, maxRetries: 10 })
  }
}

export async function endOf(child: ChildProcess): Promise<CommandEnd> {
  let stdout = ''
  let stderr = ''
  child.stdout?.on('data', (data: Buffer) => {
    stdout += data.toString()
  })
  child.stderr?.on('data', (data: Buffer) => {
    stderr += data.toString()
  })
  const [code] = (await once(child, 'close')) as [number | null]
  return { code, stdout, stderr }
}

/** Outputs of a run that succeeded, as text. */
export function textOutputs(end: RunEnd): Readonly<Record<string, string>> {
  return Object.fromEntries(Array.from(end.outputs ?? [], ([port, content]) => [port, Buffer.from(content.bytes).toString()]))
}

/** All files below a directory with their content, without what only Drover has there. Times are told apart by nobody: they become `T`. */
export function treeOf(directory: string): Readonly<Record<string, string>> {
  const tree: Record<string, string> = {}
  const visit = (path: string, name: string): void => {
    for (const entry of readdirSync(path, { withFileTypes: true })) {
      if (entry.name === '.drover-calls') continue
      const below = name === '' ? entry.name : `${name}/${entry.name}`
      if (entry.isDirectory()) visit(join(path, entry.name), below)
      else tree[below] = withoutTimes(readFileSync(join(path, entry.name), 'utf8'))
    }
  }
  if (existsSync(directory)) visit(directory, '')
  // Calls end in no certain order; what was cut off was begun again, and says so again.
  if (tree['logs'] !== undefined) tree['logs'] = [...new Set(tree['logs'].split('\n'))].sort().join('\n')
  return tree
}

function withoutTimes(text: string): string {
  return text.replace(/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[.\d]*Z?/g, 'T')
}
