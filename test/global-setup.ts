import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { processesOf, TEST_DIRECTORY } from './conformance/local-home.ts'

const root = fileURLToPath(new URL('..', import.meta.url))

/** Builds what the tests run; gives this run a directory of its own; fails the run when a process outlives its test. */
export function setup(): () => void {
  // Runs side by side share one build; whoever starts them has made it.
  if (process.env['DROVER_TEST_BUILT'] === undefined) {
    const built = spawnSync(process.execPath, ['scripts/build.mjs'], { cwd: root, encoding: 'utf8' })
    if (built.status !== 0) throw new Error(`the build failed:\n${built.stdout}${built.stderr}`)
  }
  const directory = mkdtempSync(join(tmpdir(), 'drover-test-'))
  // Workers inherit it; a process that names it was started by a test of this run and of no other.
  process.env[TEST_DIRECTORY] = directory
  return () => {
    // Longer than the variable's value, which vitest's own workers carry.
    const left = processesOf(join(directory, 'home-')).map((pid) => ({ pid, command: commandOf(pid) }))
    for (const { pid } of left) process.kill(pid, 'SIGKILL')
    rmSync(directory, { recursive: true, force: true, maxRetries: 5 })
    if (left.length > 0) throw new Error(`processes outlived their tests:\n${left.map((each) => `${each.pid} ${each.command}`).join('\n')}`)
  }
}

function commandOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'latin1').replaceAll('\0', ' ').slice(0, 200)
  } catch {
    return '(gone)'
  }
}
