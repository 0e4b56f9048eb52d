import { InputError } from '../errors.ts'
import { checkGraph, type LocatedAfter, readAfterFlags } from './after.ts'
import { type BuiltTask, buildTask } from './build-task.ts'
import { parseDuration } from './durations.ts'
import { describe, get, type Located, type LocatedMap, nodeText, quote, refusal, set, textNode } from './located.ts'
import { nameFromProgram } from './names.ts'
import { nearestName } from './nearest-name.ts'
import { applyOverrides } from './overrides.ts'
import { checkShape } from './shape.ts'
import type { TaskContext } from './task-context.ts'
import { headerShape } from './task-shape.ts'
import { COMMAND_SOURCE, type TaskFile } from './task-spec.ts'
import { readYamlDocuments } from './yaml-documents.ts'

/** First document of a file that holds no task but says how the others belong together. */
interface Header {
  readonly node: LocatedMap
  readonly name?: string
  readonly execution?: TaskFile['execution']
}

/**
 * Reads a task file: one task, or several documents divided by `---`. Without a header and without any `after` they run
 * one after another, as SkyPilot runs them; with `after` they are a graph.
 *
 * @param text the file's text, or its bytes, which must be UTF-8
 * @param source the file's name, for messages
 * @throws InputError `invalid_task` with the place; `missing_secret`, `missing_file`; `invalid_argument` for a flag
 * @example
 * parseTaskFile('run: echo hi', 'task.yaml', context).tasks[0].run  // { kind: 'script', text: 'echo hi' }
 */
export function parseTaskFile(text: string | Uint8Array, source: string, context: TaskContext): TaskFile {
  const documents = readYamlDocuments(typeof text === 'string' ? text : decode(text, source), source)
  return buildTaskFile(documents, source, context)
}

function decode(bytes: Uint8Array, file: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch (cause) {
    throw new InputError('invalid_task', 'the file is not UTF-8 text', {
      cause,
      hint: 'Is it a task file? If so, save it as UTF-8.',
      location: { file, line: 1, column: 1 },
    })
  }
}

/**
 * A task from a bare command: `drover run -- python train.py`. It runs in the current directory as it is, unless a flag
 * names another `workdir`; its name comes from the program's.
 *
 * @throws InputError `invalid_argument` when there is no command, or a flag is wrong
 */
export function taskFromCommand(argv: readonly string[], context: TaskContext): TaskFile {
  const [program] = argv
  if (program === undefined || program === '') {
    throw new InputError('invalid_argument', 'there is no command to run', { hint: 'Write it after --: drover run -- echo hi' })
  }
  if (argv.some((argument) => argument.includes('\0'))) throw new InputError('invalid_argument', 'the command holds a NUL character')
  const origin = { flag: '<command>' }
  const empty: LocatedMap = { kind: 'map', entries: [], origin }
  const document = applyOverrides(set(empty, 'name', textNode(nameFromProgram(program), origin)), context.overrides)
  const link = { kind: 'link', path: context.currentDirectory ?? context.baseDirectory } as const
  const task = buildTask(document, context, { run: { kind: 'argv', argv: [...argv] }, workdir: link })
  return assemble([task], COMMAND_SOURCE, undefined, context)
}

/** Turns documents, of a file or of the TypeScript builder, into a TaskFile. */
export function buildTaskFile(documents: readonly Located[], source: string, context: TaskContext): TaskFile {
  const maps: LocatedMap[] = []
  for (const document of documents) {
    if (document.kind === 'scalar' && document.type === 'null') continue
    if (document.kind !== 'map') {
      throw refusal(
        '',
        document.origin,
        `a task must be a mapping of keys, not ${describe(document)}`,
        'A task needs at least: "run: COMMAND".',
      )
    }
    maps.push(document)
  }
  const [first] = maps
  if (first === undefined) {
    throw new InputError('invalid_task', 'the file is empty', {
      hint: 'A task needs at least: "run: COMMAND".',
      location: { file: source, line: 1, column: 1 },
    })
  }
  const header = readHeader(first, maps.length)
  const bodies = header ? maps.slice(1) : maps
  const { name: nameFlag, ...others } = context.overrides
  if (bodies.length === 0)
    throw refusal('', first.origin, 'the file has a header but no task after it', 'Add a task after a line with ---.')
  // With several tasks, --name names the group.
  const overrides = bodies.length === 1 && !header ? context.overrides : others
  const tasks = bodies.map((body) => buildTask(applyOverrides(body, overrides), context))
  const named = nameFlag === undefined ? header : { node: header?.node ?? first, ...header, name: nameFlag }
  return assemble(tasks, source, named, context)
}

function readHeader(first: LocatedMap, documents: number): Header | undefined {
  const keys = first.entries.map((entry) => entry.key)
  const execution = get(first, 'execution')
  const isHeader = execution !== undefined || (documents > 1 && keys.length === 1 && keys[0] === 'name')
  if (!isHeader) return undefined
  checkShape(first, headerShape, '')
  const name = nodeText(get(first, 'name'))
  const word = nodeText(execution)
  if (word !== 'parallel') {
    const stray = first.entries.find(({ key }) => key === 'primary_tasks' || key === 'termination_delay')
    if (stray) throw refusal(stray.key, stray.keyOrigin, 'is known only beside "execution: parallel"')
  }
  return {
    node: first,
    ...(name === undefined ? {} : { name }),
    ...(word === undefined ? {} : { execution: word as TaskFile['execution'] }),
  }
}

function assemble(tasks: readonly BuiltTask[], source: string, header: Header | undefined, context: TaskContext): TaskFile {
  const usesAfter = tasks.some((task) => task.after.length > 0)
  const execution = header?.execution ?? (usesAfter || tasks.length === 1 ? 'graph' : 'serial')
  const named = nameTasks(tasks, execution, header?.name)
  if (execution !== 'graph') {
    const stray = tasks.flatMap((task) => task.after)[0]
    if (stray)
      throw refusal(
        'after',
        stray.origin,
        `cannot be used beside "execution: ${execution}"`,
        'Leave execution out, or write "execution: graph".',
      )
  }
  const flags = context.overrides.after
  const afters = new Map<string, readonly LocatedAfter[]>()
  named.forEach((name, index) => {
    const previous = named[index - 1]
    const own = tasks[index]?.after ?? []
    const serial = execution === 'serial' && previous !== undefined ? [{ task: previous, condition: 'ok' as const, origin: {} }] : own
    // A flag holds for the tasks that nothing of the file comes before.
    const replaced =
      flags && serial.every(({ task }) => task.startsWith('job:'))
        ? readAfterFlags(flags, tasks.length === 1 ? new Set() : new Set(named))
        : serial
    afters.set(name, replaced)
  })
  checkGraph(afters)
  return {
    source,
    ...(header?.name === undefined ? {} : { groupName: header.name }),
    execution,
    ...readParallel(header, named),
    tasks: tasks.map(({ spec }, index) => ({
      ...spec,
      ...(tasks.length === 1 ? {} : { name: named[index] ?? '' }),
      after: (afters.get(named[index] ?? '') ?? []).map(({ task, condition }) => ({ task, condition })),
    })),
  }
}

/** Names by which tasks know each other. Only a pipeline's may be left out: they become `<group>-<index>`, as SkyPilot's. */
function nameTasks(tasks: readonly BuiltTask[], execution: TaskFile['execution'], group: string | undefined): readonly string[] {
  const seen = new Map<string, BuiltTask>()
  return tasks.map((task, index) => {
    const name = task.spec.name
    if (name === undefined && execution !== 'serial' && tasks.length > 1) {
      throw refusal('', task.node.origin, 'the task has no name', 'With several tasks in a file each needs the key name.')
    }
    const used = name ?? (tasks.length === 1 ? '' : `${group ?? 'task'}-${index}`)
    if (seen.has(used)) {
      const origin = get(task.node, 'name')?.origin ?? task.node.origin
      throw refusal('name', origin, `two tasks of the file are called ${quote(used)}`, 'Give each its own name.')
    }
    seen.set(used, task)
    return used
  })
}

function readParallel(header: Header | undefined, names: readonly string[]): Pick<TaskFile, 'primaryTasks' | 'terminationDelayMs'> {
  const primary = header && get(header.node, 'primary_tasks')
  const delay = header && get(header.node, 'termination_delay')
  const check = (name: string, path: string, origin: Located['origin']) => {
    if (names.includes(name)) return name
    const near = nearestName(name, names)
    throw refusal(
      path,
      origin,
      `no task of this file is called ${quote(name)}`,
      near === undefined ? `Tasks: ${names.join(', ')}.` : `Did you mean "${near}"?`,
    )
  }
  const read = (node: Located) => (node.kind === 'scalar' ? (parseDuration(node.value as string | number) ?? 0) : 0)
  const delays: Record<string, number> = {}
  if (delay?.kind === 'scalar') delays['*'] = read(delay)
  if (delay?.kind === 'map') {
    for (const { key, keyOrigin, value } of delay.entries) {
      delays[key === 'default' || key === '*' ? '*' : check(key, 'termination_delay', keyOrigin)] = read(value)
    }
  }
  return {
    primaryTasks: primary?.kind === 'list' ? primary.items.map((item) => check(nodeText(item) ?? '', 'primary_tasks', item.origin)) : [],
    terminationDelayMs: delays,
  }
}
