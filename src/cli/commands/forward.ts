import { once } from 'node:events'
import { createServer } from 'node:net'
import { Option } from 'commander'
import { DroverError } from '../../errors.ts'
import type { JobLocation } from '../../jobs/drover.ts'
import { startAttached } from '../attached-child.ts'
import type { Cli } from '../cli.ts'
import { createCommand } from '../command-builder.ts'
import { refuseValue, wholeNumber } from '../flag-values.ts'
import { compileJson } from '../output/json.ts'
import { relayArgv, sharesConnection, startRelay } from '../port-relay.ts'

const LOOPBACK = '127.0.0.1'

interface Ports {
  readonly here: number
  readonly there: number
}

/** `8888` or `8888:6006`: the port here, then the one there. */
function parsePorts(text: string): Ports {
  const [here = 0, there = here, ...more] = text.split(':').map((word) => (/^\d+$/.test(word) ? Number(word) : 0))
  const isPort = (port: number): boolean => port >= 1 && port <= 65_535
  if (more.length > 0 || !isPort(here) || !isPort(there)) refuseValue('port', text, 'PORT or PORT:REMOTE_PORT, each from 1 to 65535')
  return { here, there }
}

/** The ssh that forwards over a connection of its own. It runs the local command once all ports are bound. */
function forwardArgv(address: readonly string[], { here, there }: Ports): readonly string[] {
  const options = ['ControlMaster=no', 'ControlPath=none', 'ExitOnForwardFailure=yes', 'PermitLocalCommand=yes', 'LocalCommand=echo up']
  return ['ssh', ...options.flatMap((option) => ['-o', option]), '-N', '-T', '-L', `${LOOPBACK}:${here}:${LOOPBACK}:${there}`, ...address]
}

/** ssh says of a taken port only that it cannot listen. @throws DroverError `conflict` */
export async function requireFree(port: number): Promise<void> {
  const server = createServer()
  try {
    server.listen(port, LOOPBACK)
    await once(server, 'listening')
  } catch (cause) {
    const taken = cause instanceof Error && 'code' in cause && cause.code === 'EADDRINUSE'
    throw new DroverError(
      taken ? 'conflict' : 'no_permission',
      taken ? `port ${port} of this machine is in use` : `cannot listen on port ${port} of this machine: ${String(cause)}`,
      { level: 'input', cause, hint: `Choose another one here: drover forward JOB OTHER:REMOTE_PORT` },
    )
  } finally {
    server.close()
  }
}

async function forward(cli: Cli, location: JobLocation, address: readonly string[], ports: Ports, shared: boolean): Promise<void> {
  const { job, rank, node } = location
  await requireFree(ports.here)
  const signal = cli.host.interruption()
  await using relay = shared ? await startRelay(cli, address, ports) : undefined
  const { process: child, ended } = relay ?? startAttached(cli, forwardArgv(address, ports), 'pipe')
  let up = false
  const onAbort = (): void => void child.kill('SIGTERM')
  signal.addEventListener('abort', onAbort, { once: true })
  child.stdout?.once('data', () => {
    up = true
    void cli.say(
      `drover: ${LOOPBACK}:${ports.here} here is port ${ports.there} of ${node} (job ${job}, rank ${rank}) until you press Ctrl-C`,
    )
  })
  try {
    const code = await ended
    if (signal.aborted) {
      cli.exitCode = typeof signal.reason === 'number' ? signal.reason : 130
      return
    }
    throw new DroverError(
      'transport_failed',
      up
        ? `the connection to ${node} has ended (ssh exit ${code})`
        : `cannot forward port ${ports.here} to ${node}: ssh ended with ${code}`,
      { level: 'transport', transient: up, exitCode: code, hint: 'What ssh said stands above.' },
    )
  } finally {
    signal.removeEventListener('abort', onAbort)
  }
}

/** `drover forward JOB PORT[:REMOTE_PORT]`: runs until it is interrupted, or the connection ends. */
export async function forwardCommand(cli: Cli, argv: readonly string[]): Promise<void> {
  const command = createCommand(cli, 'forward', 'Bring a port of the node where a job runs to this machine, until Ctrl-C.')
    .argument('<job>', 'id, unique prefix of one, name, or "last"')
    .argument('<port[:remote]>', 'port here, and there where that differs', parsePorts)
    .addOption(new Option('-r, --rank <rank>', 'to the node of this rank (default: 0)').argParser(wholeNumber('--rank')))
    .action(async (selector: string, ports: Ports, flags: { readonly rank?: number }) => {
      const location = await (await cli.drover()).locate(selector, flags.rank === undefined ? {} : { rank: flags.rank })
      const { job, state, ended, address } = location
      const shared = address !== null && (await sharesConnection(cli, address))
      if (cli.mode === 'json') {
        const argv = address === null ? [] : shared ? relayArgv(address, ports.there) : forwardArgv(address, ports)
        return await cli.host.stdout.write(compileJson({ argv }))
      }
      if (ended) await cli.say(`drover: job ${job} has ended (${state}): nothing of it may listen there any more`)
      if (address !== null) return await forward(cli, location, address, ports, shared)
      await cli.say(`drover: job ${job} runs on this machine: its port is ${LOOPBACK}:${ports.there} already, there is nothing to forward`)
    })
  await command.parseAsync(argv, { from: 'user' })
}
