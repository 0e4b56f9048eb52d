import { Option } from 'commander'
import { InputError } from '../../errors.ts'
import { formatDuration } from '../../task/durations.ts'
import { isLoc } from '../../workflow/model/loc.ts'
import type { RunSummary, Workflows } from '../../workflow/run/workflows.ts'
import type { Cli } from '../cli.ts'
import { createCommand } from '../command-builder.ts'
import { repeated, wholeNumber } from '../flag-values.ts'
import { compileTable } from '../output/table.ts'
import { addCallRuleFlags, type CallRuleFlags, callRulesOf } from '../workflow/call-rule-flags.ts'
import { detachRun, followRun, workflowsOf } from '../workflow/follow-run.ts'
import { readInputFlags } from '../workflow/workflow-inputs.ts'
import { readWorkflowSource } from '../workflow/workflow-source.ts'

interface RunFlags extends CallRuleFlags {
  readonly input?: readonly string[]
  readonly executors?: string
  readonly registry?: readonly string[]
  readonly jobs?: number
  readonly id?: string
  readonly name?: string
  readonly layout: 'drover' | 'tierkreis'
  readonly checkpoints?: string
  readonly onFailure: 'finish' | 'cancel' | 'continue'
  readonly detach?: boolean
}

async function run(cli: Cli, given: string, flags: RunFlags): Promise<void> {
  const { createExecutors, recordExecutors } = await import('../workflow/workflow-executors.ts')
  const { resolve } = await import('node:path')
  const source = await readWorkflowSource(given, cli.host.directory)
  const record = recordExecutors(flags, cli.host.directory)
  const executors = createExecutors(cli, record, source.localTasks)
  const workflows = workflowsOf(cli)
  const checkpoints = flags.checkpoints ?? (flags.layout === 'tierkreis' ? tierkreisDirectory(cli) : undefined)
  const options = {
    executors,
    executorsDocument: record,
    source: source.source,
    inputs: readInputFlags(flags.input ?? [], cli.host.directory),
    layout: flags.layout,
    onFailure: flags.onFailure,
    rules: callRulesOf(flags),
    onWarning: (message: string) => void cli.say(`warning: ${message}`),
    ...(flags.id === undefined ? {} : { id: flags.id }),
    ...(flags.name === undefined ? {} : { name: flags.name }),
    ...(flags.jobs === undefined ? {} : { maxParallel: flags.jobs }),
    ...(checkpoints === undefined ? {} : { checkpoints: resolve(cli.host.directory, checkpoints) }),
  }
  try {
    if (!flags.detach) {
      // From here on there may be a run: what would end this command leaves that in the background.
      cli.host.interruption()
      cli.host.hangup()
      await followRun(cli, workflows, await workflows.start(source.bytes, options))
      return
    }
    const { id } = await workflows.create(source.bytes, options)
    await detachRun(cli, workflows, id)
    await cli.print({ json: await workflows.summary(id), ids: [id], text: () => `${id}\n` })
  } finally {
    // Those of a graph that was refused; a run has closed its own.
    for (const executor of executors.executors.values()) await executor.close()
  }
}

/** As Tierkreis finds it. */
function tierkreisDirectory(cli: Cli): string {
  const { TKR_DIR: given, HOME: home = '.' } = cli.host.environment
  return given || `${home}/.tierkreis/checkpoints`
}

async function takeUp(cli: Cli, selector: string, action: 'resume' | { readonly retry: readonly string[] }): Promise<void> {
  const { createExecutors } = await import('../workflow/workflow-executors.ts')
  const workflows = workflowsOf(cli)
  const { executors: record, source } = workflows.describe(selector)
  const localTasks = source?.includes('#') ? (await readWorkflowSource(source, '/')).localTasks : new Map()
  // Written by `run` of this command.
  const executors = createExecutors(cli, recordOf(record, selector), localTasks)
  try {
    const opened =
      action === 'resume' ? await workflows.resume(selector, executors) : await workflows.retry(selector, action.retry, executors)
    await followRun(cli, workflows, opened)
  } finally {
    for (const executor of executors.executors.values()) await executor.close()
  }
}

type Recorded = Parameters<typeof import('../workflow/workflow-executors.ts').createExecutors>[1]

function recordOf(record: unknown, selector: string): Recorded {
  if (typeof record === 'object' && record !== null && 'registries' in record) return record as Recorded
  throw new InputError('unsupported', `the run ${selector} was started by a program, which alone knows its executors`, {
    hint: 'Go on with it there: workflows.resume(id, executors).',
  })
}

async function list(cli: Cli): Promise<void> {
  const runs = await workflowsOf(cli).list()
  await cli.print({
    json: runs,
    ids: runs.map(({ id }) => id),
    text: () =>
      compileTable(
        ['ID', 'NAME', 'STATE', 'CREATED', 'TOOK', 'GRAPH'].map((title) => ({ title })),
        runs.map((each) => [each.id, each.name ?? '', each.state, each.created_at, tookOf(each), each.source ?? '']),
      ),
  })
  if (runs.length === 0 && cli.mode === 'table') await cli.say('no workflow runs')
}

function tookOf({ created_at, ended_at }: RunSummary): string {
  return ended_at === null ? '' : formatDuration(Date.parse(ended_at) - Date.parse(created_at))
}

async function show(cli: Cli, selector: string, all: boolean): Promise<void> {
  const { compileNodeTree } = await import('../workflow/workflow-text.ts')
  const workflows = workflowsOf(cli)
  const summary = await workflows.summary(selector)
  const { nodes } = workflows.inspect(summary.id)
  await cli.print({
    json: { ...summary, nodes },
    ids: [summary.id],
    text: () =>
      `${summary.id}${summary.name === null ? '' : ` ${summary.name}`}  ${summary.state}\n${compileNodeTree(nodes, cli.style, all)}`,
  })
}

async function outputs(cli: Cli, selector: string, port: string | undefined): Promise<void> {
  const { outputLines, outputsJson } = await import('../workflow/workflow-text.ts')
  const workflows = workflowsOf(cli)
  const { id, state } = await workflows.summary(selector)
  const contents = workflows.inspect(id).outputs
  if (contents === undefined) {
    throw new InputError('invalid_argument', `the run ${id} has no outputs: it is ${state}`, { hint: `drover workflow show ${id}` })
  }
  if (port === undefined) {
    if (cli.mode === 'json') await cli.host.stdout.write(`${outputsJson(contents, 0)}\n`)
    else
      await cli.host.stdout.write(cli.mode === 'quiet' ? [...contents.keys()].map((name) => `${name}\n`).join('') : outputLines(contents))
    return
  }
  const content = contents.get(port)
  if (content === undefined) {
    throw new InputError('invalid_argument', `the run ${id} has no output "${port}"`, {
      hint: `It has: ${[...contents.keys()].join(', ')}`,
    })
  }
  if (content.path === undefined) await cli.host.stdout.write(Buffer.from(content.bytes))
  else await copyOut(cli, content.path)
}

/** A value of several GB is never in memory as a whole. */
async function copyOut(cli: Cli, path: string): Promise<void> {
  const { createReadStream } = await import('node:fs')
  for await (const piece of createReadStream(path)) await cli.host.stdout.write(piece)
}

async function logs(cli: Cli, selector: string, loc: string | undefined): Promise<void> {
  const { nodeLogs } = await import('../workflow/node-logs.ts')
  await nodeLogs(cli, workflowsOf(cli), selector, loc)
}

async function validate(cli: Cli, given: string, flags: { readonly input?: readonly string[] }): Promise<void> {
  const { validateGraph } = await import('../../workflow/model/validate-graph.ts')
  const { graph } = await readWorkflowSource(given, cli.host.directory)
  const problems = validateGraph(graph, flags.input === undefined ? {} : { given: readInputFlags(flags.input, cli.host.directory).keys() })
  const errors = problems.filter(({ severity }) => severity === 'error')
  cli.exitCode = errors.length > 0 ? 1 : 0
  await cli.print({
    json: { valid: errors.length === 0, nodes: graph.nodes.length, problems },
    ids: problems.map(({ message }) => message),
    text: () =>
      `${problems.map(({ severity, message }) => `${severity}: ${message}\n`).join('')}${given}: ${graph.nodes.length} nodes, ${errors.length === 0 ? 'can run' : `${errors.length} error${errors.length === 1 ? '' : 's'}`}\n`,
  })
}

async function cancel(cli: Cli, selectors: readonly string[]): Promise<void> {
  const workflows = workflowsOf(cli)
  const summaries: RunSummary[] = []
  for (const selector of selectors) {
    const { id, state } = await workflows.summary(selector)
    if (state !== 'interrupted' && state !== 'running') throw new InputError('invalid_argument', `the run ${id} has ended: ${state}`)
    if (state === 'interrupted' || !(await workflows.requestCancel(id, 'drover workflow cancel'))) await endInterrupted(cli, workflows, id)
    summaries.push(await workflows.waitForEnd(id, cli.host.interruption()))
  }
  await cli.print({
    json: selectors.length > 1 ? summaries : summaries[0],
    ids: summaries.map(({ id }) => id),
    text: () => summaries.map(({ id, state }) => `${id} ${state}\n`).join(''),
  })
}

/** Calls that a dead controller left running are ended too, where the command line knows their executors. */
async function endInterrupted(cli: Cli, workflows: Workflows, id: string): Promise<void> {
  const { createExecutors } = await import('../workflow/workflow-executors.ts')
  const { executors: record } = workflows.describe(id)
  if (record === null) {
    await cli.say(`the run ${id} was started by a program, which alone knows its executors: calls that it left running go on`)
    await workflows.cancelInterrupted(id, 'drover workflow cancel')
    return
  }
  const executors = createExecutors(cli, recordOf(record, id), new Map())
  try {
    await workflows.cancelInterrupted(id, 'drover workflow cancel', executors)
  } finally {
    for (const executor of executors.executors.values()) await executor.close()
  }
}

async function exportRun(cli: Cli, selector: string, to: string): Promise<void> {
  const { resolve } = await import('node:path')
  const workflows = workflowsOf(cli)
  const description = workflows.describe(selector)
  const directory = resolve(cli.host.directory, to)
  const { exportRun: write } = await import('../../workflow/run/export-run.ts')
  const written = write(workflows.runs, description, directory)
  await cli.print({ json: { id: description.id, directory: written }, ids: [written], text: () => `${written}\n` })
}

async function draw(
  cli: Cli,
  given: string,
  flags: { readonly format: string; readonly out?: string; readonly run?: boolean },
): Promise<void> {
  const { drawSource } = await import('../workflow/draw-source.ts')
  await drawSource(cli, workflowsOf(cli), given, flags)
}

async function remove(cli: Cli, selectors: readonly string[]): Promise<void> {
  const workflows = workflowsOf(cli)
  const ids = selectors.map((selector) => workflows.describe(selector).id)
  for (const id of ids) await workflows.remove(id)
  await cli.print({ json: { removed: ids }, ids, text: () => ids.map((id) => `${id} removed\n`).join('') })
}

/** A location begins with a dash; marked, the parser takes it for a word and not for a flag. */
const LOC_MARK = 'loc:'

function markLocs(argv: readonly string[]): readonly string[] {
  return argv.map((word) => (/^-(\.|$)/.test(word) && isLoc(word) ? `${LOC_MARK}${word}` : word))
}

function locOf(word: string): string {
  return word.startsWith(LOC_MARK) ? word.slice(LOC_MARK.length) : word
}

/** `drover workflow run|validate|list|show|logs|outputs|resume|cancel|retry|export|graph|rm`. */
export async function workflowCommand(cli: Cli, argv: readonly string[]): Promise<void> {
  const command = createCommand(cli, 'workflow', "Run graphs of workers' tasks: Tierkreis's, and those built in TypeScript.").usage(
    'run GRAPH … | validate GRAPH | list | show|logs|outputs|resume|cancel|retry|export RUN … | graph GRAPH | rm RUN…',
  )
  const runFlags = createCommand(cli, 'run', 'Run a graph and follow it. Ctrl-C leaves it running in the background.')
    .argument('<graph>', 'graph.json, module.ts, or module.ts#export')
    .option('-i, --input <inputs>', 'a JSON file with a value per port, port=JSON, or port:FILE (repeatable)', repeated)
    .option('--registry <folder>', 'folder with a folder per worker; default ./workers (repeatable)', repeated)
    .option('--executors <file>', 'YAML that says which executor runs which worker')
    .option('-j, --jobs <n>', "most calls of workers at one time; default: their executors' own limits", wholeNumber('--jobs', 1))
    .option('--id <id>', 'id of the run; default a UUID')
    .option('--name <name>', 'a name to find it by')
    .addOption(
      new Option('--layout <layout>', "tierkreis: write the whole checkpoint directory, for Tierkreis's tools")
        .choices(['drover', 'tierkreis'])
        .default('drover'),
    )
    .option('--checkpoints <folder>', "where calls have their files; default Drover's own, with --layout tierkreis $TKR_DIR")
    .addOption(
      new Option('--on-failure <what>', 'finish: start nothing more; cancel: end what runs; continue: run what does not depend on it')
        .choices(['finish', 'cancel', 'continue'])
        .default('finish'),
    )
  command.addCommand(
    addCallRuleFlags(runFlags)
      .option('-d, --detach', 'return at once; it runs in the background')
      .action(async (given: string, flags: RunFlags) => await run(cli, given, flags)),
  )
  command.addCommand(
    createCommand(cli, 'validate', 'Say what is wrong with a graph, without running it.')
      .argument('<graph>', 'graph.json, module.ts, or module.ts#export')
      .option('-i, --input <inputs>', 'inputs, to see whether any is missing (repeatable)', repeated)
      .action(async (given: string, flags) => await validate(cli, given, flags)),
  )
  command.addCommand(createCommand(cli, 'list', 'List runs, newest first.').action(async () => await list(cli)))
  command.addCommand(
    createCommand(cli, 'show', "Show a run's nodes with states and times.")
      .argument('<run>', 'id, unique beginning of one, name, or "last"')
      .option('--all', 'every iteration and element')
      .action(async (selector: string, flags: { readonly all?: boolean }) => await show(cli, selector, flags.all === true)),
  )
  command.addCommand(
    createCommand(cli, 'logs', "Print a run's log, or what one node's worker wrote.")
      .argument('<run>', 'id, unique beginning of one, name, or "last"')
      .argument('[node]', 'location, such as -.N3.M7.N2')
      .action(async (selector: string, loc: string | undefined) => await logs(cli, selector, loc === undefined ? undefined : locOf(loc))),
  )
  command.addCommand(
    createCommand(cli, 'outputs', 'Print the outputs of a run that succeeded, or one of them as it is.')
      .argument('<run>', 'id, unique beginning of one, name, or "last"')
      .argument('[port]', 'one output: its content, byte for byte')
      .action(async (selector: string, port: string | undefined) => await outputs(cli, selector, port)),
  )
  command.addCommand(
    createCommand(cli, 'resume', 'Go on with a run whose controller is gone.')
      .argument('<run>', 'id, unique beginning of one, name, or "last"')
      .option('-d, --detach', 'return at once; it runs in the background')
      .addOption(new Option('--here').hideHelp())
      .action(async (selector: string, flags: { readonly detach?: boolean }) => {
        if (!flags.detach) return await takeUp(cli, selector, 'resume')
        const workflows = workflowsOf(cli)
        const { id } = workflows.describe(selector)
        await detachRun(cli, workflows, id)
        await cli.print({ json: await workflows.summary(id), ids: [id], text: () => `${id}\n` })
      }),
  )
  command.addCommand(
    createCommand(cli, 'cancel', 'End runs and the calls that run in them.')
      .argument('<runs...>', 'ids, unique beginnings, names, or "last"')
      .action(async (selectors: readonly string[]) => await cancel(cli, selectors)),
  )
  command.addCommand(
    createCommand(cli, 'retry', 'Run nodes again, with all that depends on them; default: those that failed.')
      .argument('<run>', 'id, unique beginning of one, name, or "last"')
      .argument('[nodes...]', 'locations')
      .action(async (selector: string, nodes: readonly string[]) => await takeUp(cli, selector, { retry: nodes.map(locOf) })),
  )
  command.addCommand(
    createCommand(cli, 'export', "Write a run as Tierkreis's checkpoint directory.")
      .argument('<run>', 'id, unique beginning of one, name, or "last"')
      .argument('<folder>', 'checkpoints directory; the run gets a folder of its id in it')
      .action(async (selector: string, to: string) => await exportRun(cli, selector, to)),
  )
  command.addCommand(
    createCommand(cli, 'graph', 'Draw a graph, or a run with its states.')
      .argument('<graph>', 'graph.json, module.ts#export; with --run a run')
      .addOption(
        new Option('-f, --format <format>', "form of the drawing; tierkreis: the graph's own file")
          .choices(['svg', 'mermaid', 'json', 'tierkreis'])
          .default('svg'),
      )
      .option('--out <file>', 'write it there; default: standard output')
      .option('--run', 'the argument names a run: its states are drawn')
      .action(async (given: string, flags) => await draw(cli, given, flags)),
  )
  command.addCommand(
    createCommand(cli, 'rm', 'Remove runs that are not running, with their files.')
      .argument('<runs...>', 'ids, unique beginnings, names, or "last"')
      .action(async (selectors: readonly string[]) => await remove(cli, selectors)),
  )
  await command.parseAsync(markLocs(argv), { from: 'user' })
}
