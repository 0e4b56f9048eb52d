import type { InterfaceModel, InterfaceTask, TypedPort, TypeShape, WorkerInterface } from '../stubs/worker-interface.ts'
import type { PortType } from './port-type.ts'
import { isEachPort, type TaskDefinition } from './task-definition.ts'

function typedPort(name: string, type: PortType<unknown>): TypedPort {
  return { name, type: type.shape, isOptional: type.isOptional }
}

/** `split_parts` → `SplitPartsOutputs`. */
function outputsName(task: string): string {
  return `${task.replace(/(?:^|_+)([A-Za-z0-9])/g, (_, letter: string) => letter.toUpperCase())}Outputs`
}

/**
 * Tasks, ports and types of a worker. Several output ports become a port mapping named after the task. Elements (`each`) have no type
 * in Tierkreis's interfaces: as an input they are any value, as outputs a port `*`.
 */
export function interfaceOf(name: string, tasks: ReadonlyMap<string, TaskDefinition>): WorkerInterface {
  const models = new Map<string, InterfaceModel>()
  const described = [...tasks.values()].map((task): InterfaceTask => {
    const inputs = [...task.inputs].map(([port, type]) => {
      if (isEachPort(type)) return { name: port, type: { kind: 'any' } as const, isOptional: false }
      for (const model of type.models) models.set(model.name, model)
      return typedPort(port, type)
    })
    for (const type of task.outputs?.values() ?? []) for (const model of type.models) models.set(model.name, model)
    return { name: task.name, parameters: [], inputs, returns: returnShape(task, models) }
  })
  return { name, models: [...models.values()], tasks: described }
}

function returnShape(task: TaskDefinition, models: Map<string, InterfaceModel>): TypeShape {
  const { outputs } = task
  const only = outputs?.size === 1 ? outputs.get('value') : undefined
  if (only !== undefined && !only.isOptional) return only.shape
  const fields =
    outputs === undefined
      ? [{ name: '*', type: task.eachOutput?.shape ?? ({ kind: 'any' } as const), isOptional: false }]
      : [...outputs].map(([port, type]) => typedPort(port, type))
  const name = outputsName(task.name)
  models.set(name, { name, parameters: [], isPortMapping: true, fields })
  return { kind: 'named', name, args: [] }
}
