import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { onTestFinished } from 'vitest'

/** A process of the running test that tells in lines what it does; killed when the test ends. */
export interface Child {
  readonly process: ChildProcess
  /** The next line of its output, as JSON; rejects when it ended without one. */
  next(): Promise<unknown>
  /** Sends a line. */
  say(line: string): void
  /** Kills it and waits until it is gone. */
  kill(): Promise<void>
}

/** Runs a TypeScript file of this folder. `uid` needs root. */
export function startChild(file: string, args: readonly string[], options: { readonly uid?: number } = {}): Child {
  const path = fileURLToPath(new URL(file, import.meta.url))
  const child = spawn(process.execPath, [path, ...args], {
    stdio: ['pipe', 'pipe', 'inherit'],
    ...(options.uid === undefined ? {} : { uid: options.uid, gid: options.uid }),
  })
  const gone = once(child, 'exit')
  const lines = createInterface(child.stdout)[Symbol.asyncIterator]()
  const kill = async () => {
    child.kill('SIGKILL')
    await gone
  }
  onTestFinished(kill)
  return {
    process: child,
    kill,
    say: (line) => child.stdin.write(`${line}\n`),
    async next() {
      const { value, done } = await lines.next()
      if (done) throw new Error(`${file} ended without an answer`)
      return JSON.parse(value)
    },
  }
}
