import { DroverError } from '../../errors.ts'
import type { CheckLine } from '../../targets/check-line.ts'
import { probeScript } from '../../targets/probe-script.ts'
import { parseProbe, type SiteFacts } from '../../targets/site-facts.ts'
import type { Target } from '../../targets/target.ts'
import { createLocalTransport } from '../../transports/local-transport.ts'
import { createSpawner, smallEnvironment } from '../../transports/spawner.ts'
import { createSshTransport } from '../../transports/ssh-transport.ts'
import type { Transport } from '../../transports/transport.ts'
import type { Executor } from '../executor.ts'
import type { ConnectWorld, ExecutorKind } from '../registry.ts'
import { sshLoginSteps } from '../ssh/ssh-login.ts'
import { parseSshOptions } from '../ssh/ssh-options.ts'
import { sshSessionArguments } from '../ssh/ssh-session.ts'
import { createBatchExecutor } from './batch-executor.ts'
import { batchOptionNames, refuseBatchOption } from './batch-options.ts'
import { commandOutcomes, framed, OUTPUT_DIRECTORY } from './framed-commands.ts'
import { loginNode, loginTarget } from './login-node.ts'
import type { CommandOutcome, Scheduler } from './scheduler.ts'

/** Login node and scheduler in one round trip. */
async function probe<Options>(
  scheduler: Scheduler<Options>,
  target: Target,
  transport: Transport,
  now: () => number,
): Promise<{ readonly site: SiteFacts; readonly extra: CommandOutcome | undefined }> {
  const script = `${probeScript(target.root)}
${OUTPUT_DIRECTORY}
${framed('facts', scheduler.facts.script)}
${scheduler.check === undefined ? '' : framed('check', scheduler.check.script)}`
  const { stdout, stderr, code } = await transport.run(script, { timeoutMs: 120_000 })
  const outcomes = commandOutcomes(stdout)
  const facts = outcomes.get('facts')
  if (facts === undefined)
    throw new DroverError('transport_failed', `cannot read the facts of target "${target.name}"`, {
      level: 'transport',
      transient: true,
      ...(code === undefined ? {} : { exitCode: code }),
      outputTail: stderr.slice(-500),
    })
  return { site: { ...parseProbe(stdout, now()), sharedHome: true, scheduler: scheduler.facts.parse(facts) }, extra: outcomes.get('check') }
}

function transportOf(target: Target, world: ConnectWorld): Transport {
  const address = loginNode(target, world.environment)
  if (address !== undefined) return createSshTransport(address)
  return createLocalTransport({ spawner: createSpawner({ environment: smallEnvironment(world.environment) }) })
}

/** The kind of target that a scheduler makes; its jobs are submitted on the login node, here or by SSH. */
export function createBatchKind<Options>(scheduler: Scheduler<Options>): ExecutorKind {
  const own = new Set<string>(scheduler.optionNames)
  return {
    kind: scheduler.kind,
    summary: scheduler.summary,
    capabilities: scheduler.capabilities,
    optionNames: [...batchOptionNames, ...scheduler.optionNames],
    ...(scheduler.held === undefined ? {} : { held: scheduler.held }),
    refuseOption: (name, value) => (own.has(name) ? scheduler.refuseOption(name, value) : refuseBatchOption(name, value)),
    async connect(target, world) {
      const transport = transportOf(target, world)
      try {
        const { site } = await probe(scheduler, target, transport, world.now)
        const executor: Executor = createBatchExecutor(scheduler, target, site)
        return { executor, transport, site }
      } catch (error) {
        await transport.close()
        throw error
      }
    },
    async check(target, world) {
      const transport = transportOf(target, world)
      try {
        const { site, extra } = await probe(scheduler, target, transport, world.now)
        return [...siteLines(scheduler, site), ...(extra && site.scheduler ? (scheduler.check?.lines(extra, site.scheduler) ?? []) : [])]
      } finally {
        await transport.close()
      }
    },
    loginSteps(target, environment) {
      const login = loginTarget(target)
      return login === undefined ? [] : sshLoginSteps(login, environment)
    },
    sessionArguments(target, _node, environment) {
      const login = loginTarget(target)
      return login === undefined ? undefined : sshSessionArguments(login, sshNodeName(login), environment)
    },
  }
}

function sshNodeName(login: Target): string {
  return parseSshOptions(login.options).nodes[0]?.name ?? ''
}

function siteLines<Options>({ title }: Scheduler<Options>, { hostname, scheduler, root }: SiteFacts): readonly CheckLine[] {
  if (scheduler === undefined) return []
  const { version, cluster, accounting, maxArraySize, partitions } = scheduler
  const up = partitions.filter((each) => each.up)
  return [
    { check: 'reach', ok: true, detail: `${hostname}, jobs below ${root}`, fix: null },
    { check: 'scheduler', ok: true, detail: `${title} ${version}${cluster === undefined ? '' : `, cluster ${cluster}`}`, fix: null },
    accounting
      ? { check: 'accounting', ok: true, detail: 'what has ended is remembered', fix: null }
      : {
          check: 'accounting',
          ok: true,
          warning: true,
          detail: 'none: what the queue has forgotten is known by exit records alone',
          fix: null,
        },
    { check: 'arrays', ok: true, detail: `up to ${maxArraySize} elements a job; longer ones are split`, fix: null },
    up.length > 0
      ? {
          check: 'partitions',
          ok: true,
          detail: up.map(({ name, isDefault }) => (isDefault ? `${name} (default)` : name)).join(', '),
          fix: null,
        }
      : { check: 'partitions', ok: false, detail: 'none is up', fix: 'Ask the administrators: jobs would wait for ever.' },
  ]
}
