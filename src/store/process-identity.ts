import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { hostname } from 'node:os'
import { promisify } from 'node:util'

const run = promisify(execFile)
const COMMAND_TIMEOUT_MS = 5_000

/** A process that no other can be taken for: ids of processes are given again, their start times are not. */
export interface ProcessIdentity {
  readonly host: string
  /** Changes with each boot of the host. */
  readonly bootId: string
  readonly pid: number
  /** Opaque; compared for equality. Clock ticks since boot on Linux, a date elsewhere. */
  readonly startTime: string
}

/** Identity of the running process. */
export async function readOwnIdentity(): Promise<ProcessIdentity> {
  const [bootId, startTime] = await Promise.all([readBootId(), readStartTime(process.pid)])
  if (startTime === undefined) throw new Error(`cannot read the start time of process ${process.pid}: neither /proc nor ps tells it`)
  return { host: hostname(), bootId, pid: process.pid, startTime }
}

/** When a process of this host started; undefined when there is none, or only its unreaped remains. */
export async function readStartTime(pid: number): Promise<string | undefined> {
  if (process.platform !== 'linux') return readStartTimeByPs(pid)
  try {
    return parseProcStat(await readFile(`/proc/${pid}/stat`, 'utf8'))
  } catch (error) {
    // ESRCH: it ended between opening and reading.
    if (isNodeError(error) && (error.code === 'ENOENT' || error.code === 'ESRCH')) return undefined
    throw error
  }
}

/**
 * Start time from `/proc/<pid>/stat` (proc_pid_stat(5), field 22); undefined for a zombie or unreadable text.
 * `7 (a) b) S 1 …` is a process named `a) b`: fields are counted from the last parenthesis.
 */
export function parseProcStat(text: string): string | undefined {
  const fields = text
    .slice(text.lastIndexOf(')') + 1)
    .trim()
    .split(/\s+/)
  const [state] = fields
  const startTime = fields[19]
  if (state === 'Z' || state === 'X' || startTime === undefined || !/^\d+$/.test(startTime)) return undefined
  return startTime
}

async function readBootId(): Promise<string> {
  if (process.platform === 'linux') return (await readFile('/proc/sys/kernel/random/boot_id', 'utf8')).trim()
  const { stdout } = await run('sysctl', ['-n', 'kern.boottime'], { timeout: COMMAND_TIMEOUT_MS })
  // `{ sec = 1700000000, usec = 5 } Tue Nov …` (macOS, FreeBSD): the date beside it depends on the locale.
  return /sec = (\d+)/.exec(stdout)?.[1] ?? stdout.trim()
}

async function readStartTimeByPs(pid: number): Promise<string | undefined> {
  try {
    const { stdout } = await run('ps', ['-o', 'stat=,lstart=', '-p', String(pid)], {
      timeout: COMMAND_TIMEOUT_MS,
      env: { ...process.env, LC_ALL: 'C', TZ: 'UTC' },
    })
    const [, stat, started] = /^\s*(\S+)\s+(.+?)\s*$/.exec(stdout) ?? []
    return stat?.startsWith('Z') ? undefined : started
  } catch (error) {
    // ps answers 1 when it knows no such process.
    if (error instanceof Error && Reflect.get(error, 'code') === 1) return undefined
    throw error
  }
}

function isNodeError(error: unknown): error is NodeJS.ErrnoException {
  return error instanceof Error && 'code' in error
}
