import { spawnSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'

interface ProcessRow {
  readonly pid: number
  readonly parent: number
  readonly session: number
}

/**
 * Pids of all living processes of one job, as a cgroup would hold them: those in the sessions it began, those that carry
 * its mark in their environment, and their descendants. Zombies are no processes.
 */
export function findJobProcesses(mark: string, sessions: ReadonlySet<number>): readonly number[] {
  const rows = process.platform === 'linux' ? readProcTable() : readPsTable()
  const found = new Set<number>()
  for (const row of rows) {
    if (sessions.has(row.session) || carriesMark(row.pid, mark)) found.add(row.pid)
  }
  for (let size = -1; size !== found.size; ) {
    size = found.size
    for (const row of rows) if (found.has(row.parent)) found.add(row.pid)
  }
  found.delete(process.pid)
  return [...found]
}

/** Sends a signal; a process that has gone is no error. */
export function signalProcess(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal)
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ESRCH')) throw error
  }
}

function readProcTable(): readonly ProcessRow[] {
  const rows: ProcessRow[] = []
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue
    const stat = readProc(`/proc/${name}/stat`)
    // The name in parentheses may hold anything, so the fields are counted from the last parenthesis on.
    const [state, parent, , session] = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    if (state === undefined || state === 'Z' || state === 'X' || state === '') continue
    rows.push({ pid: Number(name), parent: Number(parent), session: Number(session) })
  }
  return rows
}

/** Where there is no /proc, the process group stands for the session: job scripts are leaders of both. */
function readPsTable(): readonly ProcessRow[] {
  const { stdout } = spawnSync('ps', ['-Ao', 'pid=,ppid=,pgid=,stat='], { encoding: 'utf8' })
  return stdout
    .split('\n')
    .map((line) => line.trim().split(/\s+/))
    .filter((fields) => fields.length === 4 && !fields[3]?.startsWith('Z'))
    .map(([pid, parent, group]) => ({ pid: Number(pid), parent: Number(parent), session: Number(group) }))
}

function carriesMark(pid: number, mark: string): boolean {
  return process.platform === 'linux' && readProc(`/proc/${pid}/environ`).includes(mark)
}

/** Text of a file that may go at any time, or belong to someone else: '' then. */
function readProc(path: string): string {
  try {
    return readFileSync(path, 'latin1')
  } catch {
    return ''
  }
}
