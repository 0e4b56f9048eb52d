import { compileRuntimeCheck, parseRuntimeCheck, type RuntimeAnswer } from '../../containers/runtime-check.ts'
import type { CheckLine } from '../../targets/check-line.ts'
import { preflight } from '../../targets/preflight.ts'
import type { Target } from '../../targets/target.ts'
import type { SshOptions as SshAddress } from '../../transports/ssh-options.ts'
import type { Transport } from '../../transports/transport.ts'
import type { ConnectWorld } from '../registry.ts'
import { sshAddresses } from './ssh-addresses.ts'
import { parseSshOptions } from './ssh-options.ts'

/** ms a node has to say what its container runtimes are up to. */
const ANSWER_MS = 60_000

/** Preflight of all nodes at once, with what each has for containers and buckets. `open` makes the transport of one; all are closed at the end. */
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
    const lines = await preflight(hosts, {
      target: target.name,
      root: target.root,
      signal: world.signal,
      now: world.now,
      ...(sharedHome === undefined ? {} : { sharedHome }),
    })
    const further = await Promise.all(
      hosts.map(async ({ name, transport }) => {
        // A node that was not reached has been said to be so.
        if (!lines.some(({ check }) => check === `${name}: tools`)) return []
        const script = compileRuntimeCheck(target.prologue)
        const said = await transport.run(script, { timeoutMs: ANSWER_MS, signal: world.signal }).catch(() => undefined)
        return [...runtimeLines(name, said === undefined ? undefined : parseRuntimeCheck(said.stdout))]
      }),
    )
    // Each node's stand behind its other ones.
    return hosts.reduce((all, { name }, index) => {
      const last = all.findLastIndex(({ check }) => check.startsWith(`${name}: `))
      return [...all.slice(0, last + 1), ...(further[index] ?? []), ...all.slice(last + 1)]
    }, lines)
  } finally {
    await Promise.allSettled(hosts.map(({ transport }) => transport.close()))
  }
}

/** What a node has for tasks with an image, and for buckets. Neither keeps other tasks from running: at most a warning. */
export function runtimeLines(name: string, answers: readonly RuntimeAnswer[] | undefined): readonly CheckLine[] {
  const check = `${name}: containers`
  if (answers === undefined) {
    const detail = 'unknown: the node did not say in time, or the prologue of the target ends the shell'
    return [{ check, ok: true, warning: true, detail, fix: null }]
  }
  const runtimes = answers.filter(({ program }) => program !== 'rclone')
  const words = runtimes.map(({ program, works, text }) => (works ? `${program} ${text}` : `${program} does not work: ${text}`))
  const rclone = answers.find(({ program }) => program === 'rclone')
  return [
    {
      check,
      ok: true,
      // Installed, and of no use to this account.
      ...(runtimes.some(({ works }) => works) || runtimes.length === 0 ? {} : { warning: true }),
      detail: words.join('; ') || 'none: tasks with an image cannot run here (install docker or podman)',
      fix: null,
    },
    {
      check: `${name}: buckets`,
      ok: true,
      ...(rclone === undefined || rclone.works ? {} : { warning: true }),
      detail:
        rclone === undefined
          ? 'no rclone: file_mounts of buckets cannot be brought here (https://rclone.org/install)'
          : `rclone ${rclone.works ? '' : 'does not work: '}${rclone.text}`,
      fix: null,
    },
  ]
}
