import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { timeCommand } from './measure.ts'

/** The version line of a program; undefined when it is not there. */
export function versionOf(program: string): string | undefined {
  const result = spawnSync(program, ['--version'], { encoding: 'utf8' })
  return result.status === 0 ? (result.stdout || result.stderr).split('\n')[0] : undefined
}

/** `count` runs of /bin/true by xargs, each with the files that Drover keeps: output, errors, exit code. */
export async function timeXargs(count: number, cores: number): Promise<number> {
  const directory = mkdtempSync(join(tmpdir(), 'drover-bench-xargs-'))
  const element = '/bin/true > "$1.out" 2> "$1.err"; echo $? > "$1.code"'
  try {
    return await timeCommand('sh', ['-c', `cd "$1" && seq 0 ${count - 1} | xargs -P ${cores} -n 1 sh -c '${element}' sh`, 'sh', directory])
  } finally {
    rmSync(directory, { recursive: true })
  }
}

/** The same by GNU parallel, with its job log and results. */
export async function timeParallel(count: number, cores: number): Promise<number> {
  const directory = mkdtempSync(join(tmpdir(), 'drover-bench-parallel-'))
  const script = `cd "$1" && seq 0 ${count - 1} | parallel --will-cite -j ${cores} -N1 --joblog log --results results '/bin/true #{}'`
  try {
    return await timeCommand('sh', ['-c', script, 'sh', directory])
  } finally {
    rmSync(directory, { recursive: true })
  }
}

/** A HyperQueue server and worker that live through all rounds. */
export interface HyperQueue extends AsyncDisposable {
  readonly version: string
  /** ms from submit to the known end of all. */
  time(kind: 'array' | 'chain', count: number): Promise<number>
}

/**
 * Finds a Python that has the package `hyperqueue`: the one given (a virtual environment or an interpreter), `python3`, or
 * a fresh virtual environment in a temporary folder. Undefined when none can be had; `log` says why.
 */
export async function openHyperQueue(given: string | undefined, log: (line: string) => void): Promise<HyperQueue | undefined> {
  const candidates = given ? [join(given, 'bin', 'python'), given] : ['python3']
  let python = candidates.find((each) => spawnSync(each, ['-c', 'import hyperqueue']).status === 0)
  let made: string | undefined
  if (!python && !given) {
    made = mkdtempSync(join(tmpdir(), 'drover-bench-venv-'))
    const install = spawnSync('sh', ['-c', 'python3 -m venv "$1" && "$1/bin/pip" install -q hyperqueue', 'sh', made], { encoding: 'utf8' })
    if (install.status === 0) python = join(made, 'bin', 'python')
    else log(`HyperQueue is absent: ${install.stderr.trim().split('\n').at(-1)}`)
  }
  if (!python) {
    if (given) log(`HyperQueue is absent: no Python with the package at ${given}`)
    return undefined
  }
  const version = execFileSync(python, ['-c', 'import importlib.metadata as m; print(m.version("hyperqueue"))'], {
    encoding: 'utf8',
  }).trim()
  const child: ChildProcess = spawn(python, [fileURLToPath(new URL('hq.py', import.meta.url))], { stdio: ['pipe', 'pipe', 'ignore'] })
  const { stdin, stdout } = child
  if (!stdin || !stdout) throw new Error('no pipes to HyperQueue')
  const lines = createInterface({ input: stdout })[Symbol.asyncIterator]()
  await lines.next()
  return {
    version,
    time: async (kind, count) => {
      stdin.write(`${kind} ${count}\n`)
      const { value } = await lines.next()
      return Number(value) * 1000
    },
    [Symbol.asyncDispose]: async () => {
      const gone = once(child, 'exit')
      stdin.end()
      const timer = setTimeout(() => child.kill('SIGKILL'), 5_000)
      await gone
      clearTimeout(timer)
      if (made) rmSync(made, { recursive: true, force: true })
    },
  }
}
