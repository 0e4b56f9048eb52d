import { type ChildProcess, spawn } from 'node:child_process'
import { closeSync, mkdirSync } from 'node:fs'
import { createConnection } from 'node:net'
import type { Readable } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import { DroverError, type ErrorJson, fromErrorJson } from '../errors.ts'
import { packageFacts } from './package-root.ts'
import { openSupervisorLog, supervisorLogPath, supervisorLogTail } from './supervisor-log.ts'

/** Where a supervisor belongs. */
export interface DaemonPlace {
  readonly home: string
  readonly socketPath: string
  readonly environment: Readonly<Record<string, string | undefined>>
}

/** Longest time until a started supervisor listens: a cold cache on a slow network home takes seconds. */
const START_DEADLINE_MS = 30_000
/** Between two looks at a socket that somebody else is making. */
const RETRY_MS = 8

/** The first line a starting supervisor writes to descriptor 3: that it listens, or why it does not. */
export type ReadyLine = { readonly ready: true } | { readonly error: ErrorJson }

/** Name of the variable that tells a supervisor that descriptor 3 waits for its first line. */
export const READY_VARIABLE = 'DROVER_READY_FD'

/** True when something accepts connections on the socket. */
export function isListening(socketPath: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createConnection(socketPath)
    const done = (answer: boolean): void => {
      socket.destroy()
      resolve(answer)
    }
    socket.once('connect', () => done(true))
    socket.once('error', () => done(false))
  })
}

function startFailed(home: string, why: string): DroverError {
  const outputTail = supervisorLogTail(home, 8)
  return new DroverError(
    'supervisor_unreachable',
    `the supervisor did not start: ${why}${outputTail === '' ? '' : `\n${outputTail.replace(/^/gm, '  | ')}`}`,
    {
      level: 'internal',
      hint: `Its log is ${supervisorLogPath(home)}; to run without one: --no-daemon.`,
      ...(outputTail === '' ? {} : { outputTail }),
    },
  )
}

/** Reads the ready line. Resolves to undefined when the process ended or was silent until the deadline. */
async function readReadyLine(child: ChildProcess, deadline: AbortSignal): Promise<ReadyLine | undefined> {
  const pipe = child.stdio[3] as Readable
  return await new Promise((resolve) => {
    let text = ''
    const end = (line: ReadyLine | undefined): void => {
      pipe.destroy()
      resolve(line)
    }
    pipe.on('data', (piece: Buffer) => {
      text += piece.toString('utf8')
      // Written by the same version of this program.
      if (text.includes('\n')) end(JSON.parse(text) as ReadyLine)
    })
    pipe.once('close', () => end(undefined))
    pipe.once('error', () => end(undefined))
    child.once('error', () => end(undefined))
    deadline.addEventListener('abort', () => end(undefined), { once: true })
  })
}

async function untilListening(socketPath: string, deadline: AbortSignal): Promise<boolean> {
  while (!deadline.aborted) {
    if (await isListening(socketPath)) return true
    await sleep(RETRY_MS)
  }
  return false
}

/**
 * Starts a detached supervisor and returns once its socket accepts connections. When another client starts one at the
 * same moment, one of the two wins and both clients go on. Throws DroverError with the end of the supervisor's log.
 */
export async function startDaemon(place: DaemonPlace): Promise<void> {
  const { home, socketPath } = place
  mkdirSync(home, { recursive: true, mode: 0o700 })
  const log = openSupervisorLog(home)
  const { DROVER_DAEMON: _, ...environment } = place.environment
  const child = spawn(process.execPath, [packageFacts().entry, 'supervisor', 'run'], {
    cwd: '/',
    detached: true,
    env: { ...environment, DROVER_HOME: home, [READY_VARIABLE]: '3' },
    stdio: ['ignore', log, log, 'pipe'],
  })
  closeSync(log)
  child.unref()
  const timer = new AbortController()
  const deadline = AbortSignal.any([timer.signal, AbortSignal.timeout(START_DEADLINE_MS)])
  try {
    const line = await readReadyLine(child, deadline)
    if (line === undefined) {
      if (deadline.aborted) throw startFailed(home, `it was silent for ${START_DEADLINE_MS / 1000} s`)
      if (await isListening(socketPath)) return
      throw startFailed(
        home,
        child.exitCode === null ? `it ended with ${child.signalCode ?? 'an error'}` : `it ended with exit code ${child.exitCode}`,
      )
    }
    if ('ready' in line) return
    // Another supervisor of this home was first, or is just leaving; the socket is about to be there.
    if (line.error.code !== 'conflict') throw fromErrorJson(line.error)
    if (!(await untilListening(socketPath, AbortSignal.timeout(5000)))) throw fromErrorJson(line.error)
  } finally {
    timer.abort()
  }
}
