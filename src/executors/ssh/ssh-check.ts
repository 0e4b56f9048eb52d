import type { CheckLine } from '../../targets/check-line.ts'
import { preflight } from '../../targets/preflight.ts'
import type { Target } from '../../targets/target.ts'
import type { SshOptions as SshAddress } from '../../transports/ssh-options.ts'
import type { Transport } from '../../transports/transport.ts'
import type { ConnectWorld } from '../registry.ts'
import { sshAddresses } from './ssh-addresses.ts'
import { parseSshOptions } from './ssh-options.ts'

/** Preflight of all nodes at once. `open` makes the transport of one; all are closed at the end. */
export async function checkSshTarget(
  target: Target,
  world: ConnectWorld,
  open: (address: SshAddress) => Transport,
): Promise<readonly CheckLine[]> {
  const { sharedHome } = parseSshOptions(target.options)
  const hosts = sshAddresses(target, world.environment).map(({ node: { name, gpus, cpus }, address }) => ({
    name,
    transport: open(address),
    ...(gpus === undefined ? {} : { gpus }),
    ...(cpus === undefined ? {} : { cpus }),
  }))
  try {
    return await preflight(hosts, {
      target: target.name,
      root: target.root,
      signal: world.signal,
      now: world.now,
      ...(sharedHome === undefined ? {} : { sharedHome }),
    })
  } finally {
    await Promise.allSettled(hosts.map(({ transport }) => transport.close()))
  }
}
