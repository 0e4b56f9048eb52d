import type { CheckLine } from '../../jobs/drover.ts'
import { type InterfaceTask, outputPorts, type WorkerInterface } from '../../workers/stubs/worker-interface.ts'
import { printChecks } from '../check-text.ts'
import type { Cli } from '../cli.ts'
import { compileTable } from '../output/table.ts'
import { type FoundWorker, findAll, findOne, workerPlaces } from './worker-find.ts'
import { byDescribe, describeWorker, writtenInterface } from './worker-interface.ts'
import { executorFor } from './worker-run.ts'

interface PlaceFlags {
  readonly registry?: readonly string[]
}

function signature(worker: WorkerInterface, task: InterfaceTask): string {
  const inputs = task.inputs.map(({ name, isOptional }) => (isOptional ? `${name}?` : name)).join(', ')
  return `${task.name}(${inputs}) -> ${outputPorts(worker, task)
    .map(({ name }) => name)
    .join(', ')}`
}

/** `drover worker check NAME`: whether it can be called; exit code 125 where it cannot. */
export async function checkWorker(cli: Cli, name: string, flags: PlaceFlags): Promise<void> {
  const places = workerPlaces(cli, flags)
  const worker = await findOne(name, places)
  const lines: CheckLine[] = [{ check: 'found', ok: true, detail: `${worker.kind}, ${worker.path}`, fix: null }]
  const executor = executorFor(worker, places.searchPath)
  try {
    const refused = await executor.check(name, [])
    lines.push({ check: 'callable', ok: refused === undefined, detail: refused ?? `by the ${executor.kind} executor`, fix: null })
    if (refused === undefined) lines.push(...(await taskLines(worker)))
  } finally {
    await executor.close()
  }
  await printChecks(cli, lines)
}

async function taskLines(worker: FoundWorker): Promise<readonly CheckLine[]> {
  const asked = await describeWorker(worker)
  if ('problem' in asked) {
    const isUnknown = worker.kind === 'script'
    const fix = isUnknown ? 'Beside main.sh, a file NAME.tsp or stubs.py would say it.' : 'Mend what it says, then check again.'
    return [{ check: 'tasks', ok: isUnknown, warning: isUnknown, detail: asked.problem, fix }]
  }
  const { described } = asked
  if (described.tasks.length === 0) return [{ check: 'tasks', ok: false, detail: 'it has none', fix: 'Declare one: worker.task(…).' }]
  const lines = described.tasks.map((task): CheckLine => ({ check: 'task', ok: true, detail: signature(described, task), fix: null }))
  if (described.name === worker.name) return lines
  const detail = `it calls itself "${described.name}": its stubs make graphs that name that worker`
  return [...lines, { check: 'name', ok: true, warning: true, detail, fix: `Call it "${worker.name}", as its folder.` }]
}

/** `drover worker list`. */
export async function listWorkers(cli: Cli, flags: PlaceFlags): Promise<void> {
  const places = workerPlaces(cli, flags)
  const workers = await findAll(places)
  const rows = await Promise.all(workers.map(async (worker) => ({ worker, tasks: await tasksOf(worker) })))
  await cli.print({
    json: rows.map(({ worker: { name, kind, path, registry }, tasks }) => ({ name, kind, tasks, path, registry })),
    ids: workers.map(({ name }) => name),
    text: () =>
      compileTable(
        ['NAME', 'KIND', 'TASKS', 'PATH'].map((title) => ({ title })),
        rows.map(({ worker, tasks }) => [worker.name, worker.kind, tasks?.join(' ') ?? '?', worker.path]),
      ),
  })
  if (workers.length > 0 || cli.mode !== 'table') return
  const where =
    places.registries.length === 0 ? 'there is no folder "workers" here: name one with --registry' : places.registries.join(', ')
  await cli.say(`no workers (${where}; no tkr-… on PATH)`)
}

/** Null where it is not written down and only running foreign code could tell. */
async function tasksOf(worker: FoundWorker): Promise<readonly string[] | null> {
  const asked =
    writtenInterface(worker) ?? (worker.kind === 'typescript' ? await byDescribe([worker.path], worker.registry ?? '/') : undefined)
  return asked !== undefined && 'described' in asked ? asked.described.tasks.map(({ name }) => name) : null
}
