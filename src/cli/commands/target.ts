import { InputError } from '../../errors.ts'
import type { TargetView } from '../../jobs/drover.ts'
import { nearestName } from '../../task/nearest-name.ts'
import { printChecks } from '../check-text.ts'
import type { Cli } from '../cli.ts'
import { createCommand } from '../command-builder.ts'
import { repeated } from '../flag-values.ts'
import { bytesText, spanText } from '../output/amounts.ts'
import { compileFields, compileTable, printable } from '../output/table.ts'
import { ownFlags, type TargetFlags, withTargetFlags } from '../target-flags.ts'
import type { LoginFlags } from '../target-login.ts'

function compileTargets(targets: readonly TargetView[]): string {
  return compileTable(
    [
      { title: 'NAME' },
      { title: 'KIND' },
      { title: 'HOST' },
      { title: 'CORES', align: 'right' },
      { title: 'MEMORY', align: 'right' },
      { title: 'GPUS' },
      { title: 'SEEN', align: 'right' },
    ],
    targets.map(({ name, kind, site, site_age_ms: age }) => [
      name,
      kind,
      site?.hostname ?? '',
      site === null ? '' : String(site.cpus),
      site === null ? '' : bytesText(site.memoryBytes),
      site === null ? '' : site.gpus.map((gpu) => gpu.name).join(', '),
      age === null ? 'never' : `${spanText(age)} ago`,
    ]),
  )
}

function compileTarget(target: TargetView): string {
  const { capabilities, site } = target
  const limit = (value: number): string => (Number.isFinite(value) ? String(value) : 'no limit')
  return compileFields([
    ['name', target.name],
    ['kind', target.kind],
    ['host', site?.hostname],
    ['user', site?.user],
    ['root', site?.root ?? target.root],
    ['cores', site === null ? null : String(site.cpus)],
    ['memory', site === null ? null : bytesText(site.memoryBytes)],
    ['GPUs', site?.gpus.map((gpu) => `${gpu.index}: ${gpu.name} (${bytesText(gpu.memoryBytes)})`).join(', ')],
    ['groups', site?.processGroups],
    ['tools', site === null ? null : Object.keys(site.tools).join(' ')],
    ['seen', target.site_age_ms === null ? 'never' : `${spanText(target.site_age_ms)} ago`],
    ['nodes', limit(capabilities.maxNodes)],
    ['arrays', `${capabilities.arrays}, ${limit(capabilities.maxArraySize)} elements`],
    [
      'refuses',
      Object.entries(capabilities.refusedKeys)
        .map(([key, why]) => `${key} (${why})`)
        .join('; '),
    ],
    ['options', Object.keys(target.options).length === 0 ? null : JSON.stringify(target.options)],
    ['limits', Object.keys(target.limits).length === 0 ? null : JSON.stringify(target.limits)],
    ['prologue', target.prologue === null ? null : printable(target.prologue.trimEnd())],
    ['files', target.files.join(', ')],
  ])
}

/** What the configuration files say and does not hold, each once. */
async function sayWarnings(cli: Cli, targets: readonly TargetView[]): Promise<void> {
  for (const warning of new Set(targets.flatMap((target) => target.warnings))) await cli.say(`drover: warning: ${printable(warning)}`)
}

async function findTarget(cli: Cli, name: string): Promise<TargetView> {
  const targets = await (await cli.drover()).targets(cli.client)
  const found = targets.find((target) => target.name === name)
  if (found) return found
  const near = nearestName(
    name,
    targets.map((target) => target.name),
  )
  throw new InputError('unknown_target', `no target "${name}"`, {
    hint: near === undefined ? 'Known targets: drover target list' : `Did you mean "${near}"?`,
  })
}

/** `drover target list|show|check|add|edit|remove|login`. */
export async function targetCommand(cli: Cli, argv: readonly string[]): Promise<void> {
  const command = createCommand(cli, 'target', 'Name the places that run jobs, and ask them whether they can.').usage(
    'list | show NAME | check NAME | add NAME … | edit NAME … | remove NAME | login NAME',
  )
  const list = createCommand(cli, 'list', 'List all targets.').action(async () => {
    const targets = await (await cli.drover()).targets(cli.client)
    await sayWarnings(cli, targets)
    await cli.print({ json: targets, ids: targets.map((target) => target.name), text: () => compileTargets(targets) })
  })
  const show = createCommand(cli, 'show', 'Show what is known of a target.')
    .argument('<name>', 'name of the target')
    .action(async (name: string) => {
      const target = await findTarget(cli, name)
      await sayWarnings(cli, [target])
      await cli.print({ json: target, ids: [target.name], text: () => compileTarget(target) })
    })
  const check = createCommand(cli, 'check', 'Ask a target whether it can run jobs.')
    .argument('<name>', 'name of the target')
    .action(async (name: string) => await printChecks(cli, await (await cli.drover()).checkTarget(name, cli.client)))
  const add = withTargetFlags(createCommand(cli, 'add', 'Add a target to your configuration file.'))
    .argument('<name>', 'name of the new target')
    .action(async (name: string, flags: TargetFlags) => await (await import('../target-edit.ts')).addTarget(cli, name, flags))
  const edit = withTargetFlags(createCommand(cli, 'edit', 'Change single values of a target; without flags, edit the file.'))
    .argument('<name>', 'name of the target')
    .option('--remove-node <name>', 'take a node out; repeatable', repeated)
    .option('--unset <key>', 'take a key out; repeatable', repeated)
    .action(async (name: string, flags: TargetFlags) => await (await import('../target-edit.ts')).editTarget(cli, name, ownFlags(flags)))
  const remove = createCommand(cli, 'remove', 'Take a target out of a configuration file. Its jobs run on and can be followed.')
    .argument('<name>', 'name of the target')
    .option('--project', "the project's drover.yaml, not your own file")
    .action(
      async (name: string, flags: { readonly project?: boolean }) =>
        await (await import('../target-edit.ts')).removeTargetCommand(cli, name, flags),
    )
  const login = createCommand(cli, 'login', 'Open connections at this terminal once, where a password or a one-time password is asked.')
    .argument('<name>', 'name of the target')
    .option('--check', 'only say whether they are open')
    .option('--close', 'close them')
    .action(async (name: string, flags: LoginFlags) => await (await import('../target-login.ts')).loginTarget(cli, name, flags))
  for (const one of [list, show, check, add, edit, remove, login]) command.addCommand(one)
  await command.parseAsync(argv, { from: 'user' })
}
