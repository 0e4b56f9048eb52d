import { readFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { InputError } from '../../errors.ts'
import { nearestName } from '../../task/nearest-name.ts'
import type { LocalTask } from '../../workflow/builder/local-task.ts'
import { Workflow } from '../../workflow/builder/workflow.ts'
import { parseGraph } from '../../workflow/model/graph-codec.ts'
import type { GraphData } from '../../workflow/model/graph-data.ts'

/** A graph as a command line names it. */
export interface WorkflowSource {
  readonly graph: GraphData
  /** The document as it is in the file; of a module as it is written. */
  readonly bytes: Uint8Array
  /** Functions of a module that run in the controller. */
  readonly localTasks: ReadonlyMap<string, LocalTask>
  /** Absolute: `/x/graph.json`, `/x/module.ts#graph`. */
  readonly source: string
}

/** Reads `graph.json`, `module.ts` or `module.ts#export`. Throws InputError for what is no graph. */
export async function readWorkflowSource(given: string, directory: string): Promise<WorkflowSource> {
  const hash = given.lastIndexOf('#')
  const file = resolve(directory, hash < 0 ? given : given.slice(0, hash))
  if (hash >= 0 || /\.[cm]?[jt]s$/.test(file)) return await readModule(file, hash < 0 ? undefined : given.slice(hash + 1))
  let bytes: Uint8Array
  try {
    bytes = await readFile(file)
  } catch (error) {
    throw new InputError('missing_file', `cannot read ${file}: ${error instanceof Error ? error.message : String(error)}`)
  }
  return { graph: parseGraph(bytes, given), bytes, localTasks: new Map(), source: file }
}

async function readModule(file: string, name: string | undefined): Promise<WorkflowSource> {
  let module: Readonly<Record<string, unknown>>
  try {
    module = await import(pathToFileURL(file).href)
  } catch (error) {
    throw new InputError('invalid_argument', `cannot load ${file}: ${error instanceof Error ? error.message : String(error)}`, {
      cause: error,
    })
  }
  const workflows = Object.entries(module).filter(([, value]) => isWorkflow(value))
  const names = workflows.map(([found]) => found)
  const only = workflows.length === 1 ? names[0] : undefined
  const chosen = name ?? (names.includes('default') ? 'default' : only)
  const workflow = chosen === undefined ? undefined : module[chosen]
  if (chosen === undefined || !isWorkflow(workflow)) {
    const nearest = name === undefined ? undefined : nearestName(name, names)
    const wanted =
      name === undefined
        ? `${file} exports ${names.length === 0 ? 'no workflow' : 'several workflows'}`
        : `${file} exports no workflow "${name}"`
    throw new InputError('invalid_argument', wanted, {
      hint:
        nearest !== undefined
          ? `Did you mean "${nearest}"?`
          : names.length > 0
            ? `Name one: ${names.map((one) => `${file}#${one}`).join(', ')}`
            : 'Export what graph(…).output(…) gives.',
    })
  }
  return {
    graph: workflow.toGraphData(),
    bytes: Buffer.from(workflow.toText()),
    localTasks: workflow.localTasks,
    source: `${file}#${chosen}`,
  }
}

/** Also of another copy of the package, which the module may have loaded. */
function isWorkflow(value: unknown): value is Workflow<unknown, unknown> {
  if (value instanceof Workflow) return true
  return typeof value === 'object' && value !== null && 'toGraphData' in value && 'toText' in value && 'localTasks' in value
}
