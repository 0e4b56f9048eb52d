import type { MemoryTask, MemoryWorker } from '../../src/workers/sdk/memory-worker.ts'
import { readValue } from '../../src/workflow/values/codec.ts'
import type { Value } from '../../src/workflow/values/value.ts'

/** The worker `work` of the recorded graphs (test/engines/tierkreis_cases/case.py), in TypeScript. */
export function oracleWorker(): MemoryWorker {
  return {
    name: 'work',
    tasks: new Map([
      [
        'greet',
        task(['name', 'greeting'], ['value'], (inputs) => `${text(inputs.get('greeting') ?? 'hello')} ${text(inputs.get('name'))}`),
      ],
      [
        'fail',
        task(['reason'], ['value'], (inputs) => {
          throw new Error(text(inputs.get('reason')))
        }),
      ],
      [
        'two_inputs',
        task(['a', 'b'], ['value'], (inputs) => {
          for (const port of ['a', 'b']) if (!inputs.has(port)) throw new Error(`Input ${port} not found`)
          return int(inputs.get('a')) - int(inputs.get('b'))
        }),
      ],
      [
        'fail_at',
        task(['value', 'limit'], ['value'], (inputs) => {
          const [value, limit] = [int(inputs.get('value')), int(inputs.get('limit'))]
          if (value >= limit) throw new Error(`${value} reaches ${limit}`)
          return value + 1n
        }),
      ],
      ['half', { inputs: [], outputs: ['a', 'b'], run: async () => new Map([['a', 1n]]) }],
      ['raw', task(['hex'], ['value'], (inputs) => new Uint8Array(Buffer.from(text(inputs.get('hex')), 'hex')))],
    ]),
  }
}

function task(inputs: readonly string[], outputs: readonly string[], compute: (inputs: ReadonlyMap<string, Value>) => Value): MemoryTask {
  return {
    inputs,
    outputs,
    run: async (call) => new Map([['value', compute(new Map(Array.from(call.inputs, ([port, bytes]) => [port, readValue(bytes)])))]]),
  }
}

function text(value: Value | undefined): string {
  if (typeof value !== 'string') throw new Error(`no text: ${String(value)}`)
  return value
}

function int(value: Value | undefined): bigint {
  if (typeof value !== 'bigint') throw new Error(`no int: ${String(value)}`)
  return value
}
