import type { InterfaceModel, InterfaceTask, TypedPort, TypeShape, WorkerInterface } from './worker-interface.ts'

/**
 * The interface without `any`: Tierkreis's stubs and its interface language say "any value" by a type parameter of the task, or of
 * the model that has such a field. `f(x: any): any` becomes `f<T1, T2>(x: T1): T2`.
 */
export function withParameters(worker: WorkerInterface): WorkerInterface {
  const models = new Map(worker.models.map((model) => [model.name, model]))
  const finished = new Map<string, InterfaceModel>()
  const modelOf = (name: string): InterfaceModel | undefined => {
    const known = finished.get(name)
    const model = models.get(name)
    if (known !== undefined || model === undefined) return known
    // A model that contains itself keeps its own parameters.
    finished.set(name, model)
    const fresh = new Parameters(model.parameters, modelOf)
    const fields = fresh.ports(model.fields)
    const result = { ...model, fields, parameters: fresh.names }
    finished.set(name, result)
    return result
  }
  const tasks = worker.tasks.map((task): InterfaceTask => {
    const fresh = new Parameters(task.parameters, modelOf)
    const inputs = fresh.ports(task.inputs)
    const returns = fresh.shape(task.returns)
    return { ...task, inputs, returns, parameters: fresh.names }
  })
  return { ...worker, tasks, models: worker.models.map((model) => modelOf(model.name) ?? model) }
}

class Parameters {
  readonly #names: string[]
  readonly #modelOf: (name: string) => InterfaceModel | undefined

  constructor(names: readonly string[], modelOf: (name: string) => InterfaceModel | undefined) {
    this.#names = [...names]
    this.#modelOf = modelOf
  }

  get names(): readonly string[] {
    return this.#names
  }

  ports(ports: readonly TypedPort[]): readonly TypedPort[] {
    return ports.map((port) => ({ ...port, type: this.shape(port.type) }))
  }

  shape(shape: TypeShape): TypeShape {
    switch (shape.kind) {
      case 'any':
        return this.#fresh()
      case 'list':
      case 'record':
        return { ...shape, of: this.shape(shape.of) }
      case 'tuple':
      case 'union':
        return { ...shape, of: shape.of.map((member) => this.shape(member)) }
      case 'named': {
        const wanted = this.#modelOf(shape.name)?.parameters.length ?? 0
        const args = shape.args.map((arg) => this.shape(arg))
        while (args.length < wanted) args.push(this.#fresh())
        return { ...shape, args }
      }
      default:
        return shape
    }
  }

  #fresh(): TypeShape {
    let number = 1
    while (this.#names.includes(`T${number}`)) number++
    this.#names.push(`T${number}`)
    return { kind: 'named', name: `T${number}`, args: [] }
  }
}
