import { readFileSync, writeFileSync } from 'node:fs'
import { createServer, connect as dial, type Socket } from 'node:net'
import { join } from 'node:path'
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads'
import type { SshRig } from '../engines/ssh-rig.ts'

/** The login machine of a rig as it is reached over a longer line. */
export interface SlowLine extends AsyncDisposable {
  /** Configuration for ssh, in which `login` is the far one. */
  readonly configFile: string
}

/** What the thread of a relay is given. */
interface Relay {
  readonly toPort: number
  readonly halfMs: number
}

/** Relays connections to the login machine; every byte is late by half of `roundTripMs`, each way. */
export async function openSlowLine(rig: SshRig, directory: string, roundTripMs: number): Promise<SlowLine> {
  const toPort = Number(/^Host login\n(?: .*\n)*? +Port (\d+)/m.exec(readFileSync(rig.configFile, 'utf8'))?.[1])
  const given: Relay = { toPort, halfMs: roundTripMs / 2 }
  // A thread of its own: this one stands still while it waits for commands.
  const worker = new Worker(new URL(import.meta.url), { workerData: given })
  const port = await new Promise<unknown>((resolve, reject) => worker.once('message', resolve).once('error', reject))
  const configFile = join(directory, 'far_ssh_config')
  // The first value of an option holds.
  writeFileSync(configFile, `Host login\n  HostName 127.0.0.1\n  Port ${String(port)}\nMatch all\nInclude ${rig.configFile}\n`)
  return {
    configFile,
    async [Symbol.asyncDispose]() {
      await worker.terminate()
    },
  }
}

function relay({ toPort, halfMs }: Relay): void {
  const pass = (from: Socket, to: Socket): void => {
    from.setNoDelay(true)
    // Timers of one length fire in the order they were set.
    const later = (act: () => void): void => void setTimeout(act, halfMs)
    from.on('data', (piece) => later(() => to.writable && to.write(piece)))
    from.on('end', () => later(() => to.end()))
    from.on('error', () => to.destroy())
  }
  const server = createServer((near) => {
    const far = dial(toPort, '127.0.0.1')
    pass(near, far)
    pass(far, near)
  })
  server.listen(0, '127.0.0.1', () => {
    const address = server.address()
    parentPort?.postMessage(typeof address === 'string' ? 0 : address?.port)
  })
}

if (!isMainThread) relay(workerData as Relay)
