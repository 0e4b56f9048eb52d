/** `drover/worker`: workers for Tierkreis graphs, written in TypeScript. It loads nothing of Drover beside. */
export { InputError } from '../../errors.ts'
export { Complex, type Value } from '../../workflow/values/value.ts'
export type { InterfaceModel, InterfaceTask, TypedPort, TypeShape, WorkerInterface } from '../stubs/worker-interface.ts'
export { type Json, json, list, nullable, record, struct, tuple } from './compound-types.ts'
export type { MemoryCall, MemoryTask, MemoryWorker } from './memory-worker.ts'
export { optional, type PortType } from './port-type.ts'
export { anyValue, bigInt, bool, bytes, complex, file, float, int, none, string } from './scalar-types.ts'
export {
  type EachPort,
  each,
  type InputPorts,
  type OutputPorts,
  type TaskContext,
  type TaskInputs,
  type TaskPorts,
  type TaskResult,
} from './task-definition.ts'
export { Worker, type WorkerOptions, worker } from './worker.ts'
