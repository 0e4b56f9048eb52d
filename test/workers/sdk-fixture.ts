import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { callArgsOf, outputPath, writeCallArgs } from '../../src/workflow/calls/call-args.ts'
import type { WorkerCallArgs } from '../../src/workflow/calls/worker-call.ts'

/** The SDK's entry, for a worker's import. */
export const SDK = fileURLToPath(new URL('../../src/workers/sdk/index.ts', import.meta.url))

/** How a worker's process ended. */
export interface Served {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

/** A checkpoints directory with one run, and a worker's main file. */
export class WorkerFixture {
  readonly base = mkdtempSync(join(tmpdir(), 'drover-sdk-'))
  readonly root = join(this.base, 'checkpoints')
  readonly main = join(this.base, 'main.ts')
  readonly node = join(this.root, 'W', '-.N1')

  constructor(source: string) {
    mkdirSync(join(this.node, 'outputs'), { recursive: true })
    writeFileSync(this.main, source.replace('drover/worker', SDK))
  }

  close(): void {
    rmSync(this.base, { recursive: true, force: true })
  }

  /** Writes inputs and the `definition` of a call; returns the path to give to the worker. */
  prepare(
    task: string,
    inputs: Readonly<Record<string, string | Uint8Array>>,
    outputs: readonly string[],
    change: Partial<WorkerCallArgs> = {},
  ): string {
    mkdirSync(join(this.root, 'W', '-.N0', 'outputs'), { recursive: true })
    for (const [port, content] of Object.entries(inputs)) writeFileSync(join(this.root, 'W', '-.N0', 'outputs', port), content)
    const ports = new Map(Object.keys(inputs).map((port) => [port, outputPath('W/-.N0', port)]))
    const args = { ...callArgsOf({ runId: 'W', directory: 'W/-.N1', task, inputs: ports, outputs }), ...change }
    writeFileSync(join(this.node, 'definition'), writeCallArgs(args as WorkerCallArgs))
    return 'W/-.N1/definition'
  }

  /** Runs the worker's program. */
  serve(args: readonly string[], environment: Readonly<Record<string, string>> = {}): Served {
    const env = { PATH: process.env['PATH'] ?? '', HOME: this.base, TKR_DIR: this.root, ...environment }
    const { status, stdout, stderr } = spawnSync(process.execPath, [this.main, ...args], {
      env,
      cwd: '/',
      encoding: 'utf8',
      timeout: 50_000,
    })
    return { code: status, stdout, stderr }
  }

  /** Starts the worker's program, sends it SIGTERM when `file` is there, and waits for its end. */
  async terminate(args: readonly string[], file: string): Promise<Served> {
    const env = { PATH: process.env['PATH'] ?? '', HOME: this.base, TKR_DIR: this.root }
    const child = spawn(process.execPath, [this.main, ...args], { env, cwd: '/', stdio: ['ignore', 'pipe', 'pipe'] })
    const [stdout, stderr]: [string[], string[]] = [[], []]
    child.stdout.on('data', (piece) => stdout.push(String(piece)))
    child.stderr.on('data', (piece) => stderr.push(String(piece)))
    const deadline = Date.now() + 30_000
    while (!existsSync(file)) {
      if (Date.now() > deadline) {
        child.kill('SIGKILL')
        throw new Error(`${file} never came: ${stderr.join('')}`)
      }
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
    child.kill('SIGTERM')
    const [code] = (await once(child, 'close')) as [number | null]
    return { code, stdout: stdout.join(''), stderr: stderr.join('') }
  }

  /** Text of a file of the node; undefined where it is not there. */
  read(name: string): string | undefined {
    const path = join(this.node, name)
    return existsSync(path) ? readFileSync(path, 'utf8') : undefined
  }
}
