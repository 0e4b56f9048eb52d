import type { PlacePlanView, PlanView } from '../../jobs/drover.ts'
import type { Cli } from '../cli.ts'
import { createCommand } from '../command-builder.ts'
import { bytesText } from '../output/amounts.ts'
import { compileFields, printable } from '../output/table.ts'
import { addTaskFlags, readTask, splitCommand, type TaskFlags } from '../task-flags.ts'

function section(title: string, body: string): string {
  return body === '' ? '' : `\n${title}\n${body.replace(/^(?=.)/gm, '  ')}`
}

function placeFields(place: PlacePlanView): readonly (readonly [string, string])[] {
  const env = Object.entries(place.env).map(([name, value]) => printable(`${name}=${value}`))
  return [
    ['directory', place.attempt_dir],
    ['starts', place.command.map(printable).join(' ')],
    ['env', env.join(' ')],
  ]
}

function fileSection(node: string, { path, mode, content }: PlacePlanView['files'][number]): string {
  return section(`${node}${path} (${mode})`, content.endsWith('\n') ? content : `${content}\n`)
}

/** Empty where a scheduler gives out the room: then the directives say what is asked for. */
function needs({ demand }: PlanView): string {
  if (demand.cpus + demand.gpus + demand.memory_bytes === 0) return ''
  return `${demand.cpus} cores, ${demand.gpus} GPUs${demand.memory_bytes > 0 ? `, ${bytesText(demand.memory_bytes)}` : ''}`
}

function compilePlanText(cli: Cli, plan: PlanView): string {
  const only = plan.places.length === 1 ? plan.places[0] : undefined
  return [
    compileFields([
      ['task', cli.style.bold(printable(plan.name))],
      ['target', `${plan.target} (${plan.kind})`],
      ['needs', needs(plan)],
      ['after', plan.after.map((one) => `${one.task} (${one.condition})`).join(', ')],
      ...(only === undefined ? [] : placeFields(only)),
      ['secrets', plan.secret_names.join(' ')],
    ]),
    section('prologue', plan.prologue === null ? '' : `${plan.prologue.trimEnd()}\n`),
    section('Keys', compileFields(plan.keys.map((key) => [key.key, printable(key.became)] as const))),
    ...plan.warnings.map((warning) => `\n${cli.style.bad('warning')} ${printable(warning)}\n`),
    ...(only === undefined ? plan.places : []).map((place) => section(`Node ${place.node}`, compileFields(placeFields(place)))),
    ...plan.places.flatMap((place) => place.files.map((file) => fileSection(only === undefined ? `${place.node}: ` : '', file))),
  ].join('')
}

/** Prints plans. In JSON always an array, one plan per task. */
export async function printPlan(cli: Cli, plans: readonly PlanView[]): Promise<void> {
  await cli.print({
    json: plans,
    ids: plans.map((plan) => plan.name),
    text: () => plans.map((plan) => compilePlanText(cli, plan)).join('\n'),
  })
}

/** `drover plan FILE`: what would run, down to the scripts; nothing is made and nothing is sent. */
export async function planCommand(cli: Cli, argv: readonly string[]): Promise<void> {
  const { own, command: words } = splitCommand(argv)
  const command = addTaskFlags(createCommand(cli, 'plan', 'Show what would run, down to the generated scripts.'))
    .usage('[options] FILE | [options] -- COMMAND [ARGUMENTS]')
    .argument('[file]', 'task file in YAML; - is standard input')
    .action(async (file: string | undefined, flags: TaskFlags) => {
      const source = { ...(file === undefined ? {} : { file }), ...(words === undefined ? {} : { command: words }) }
      const task = await readTask(cli.host, source, flags)
      await printPlan(cli, await (await cli.drover()).plan(task, cli.client))
    })
  await command.parseAsync(own, { from: 'user' })
}
