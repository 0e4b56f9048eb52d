import { setTimeout as sleep } from 'node:timers/promises'
import { DroverError } from '../errors.ts'
import { requestStop } from './client.ts'
import { isListening } from './start-daemon.ts'

/** Between two looks at a process that is leaving. */
const RETRY_MS = 8

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM'
  }
}

/**
 * Ends the supervisor behind a socket; its jobs run on. Returns when socket and process are gone, so that its home may
 * be moved or removed. Resolves to whether there was one. Throws DroverError when it does not stop within 10 s.
 */
export async function stopAndWait(socketPath: string, version: string): Promise<boolean> {
  const pid = await requestStop(socketPath, version)
  if (pid === undefined) return false
  const deadline = AbortSignal.timeout(10_000)
  while ((await isListening(socketPath)) || (pid > 0 && isAlive(pid))) {
    if (deadline.aborted) throw new DroverError('supervisor_unreachable', 'the supervisor did not stop within 10 s', { level: 'internal' })
    await sleep(RETRY_MS)
  }
  return true
}
