import { afterEach, describe, expect, test } from 'vitest'
import { dict, text } from '../../src/task/shape.ts'
import { createExecutorSet, singleExecutor } from '../../src/workers/multiple/executor-set.ts'
import { type ExecutorKind, parseExecutors } from '../../src/workers/multiple/parse-executors.ts'
import { SCRIPT_KINDS } from '../../src/workers/multiple/script-kinds.ts'
import type { ExecutorSet, FileExecutor } from '../../src/workflow/calls/worker-call.ts'

/** An executor that runs nothing. */
function idle(kind: string): FileExecutor {
  const end = async () => ({ outcome: 'cancelled' }) as const
  return { kind, maxParallel: 1, check: async () => undefined, run: end, attach: end, close: async () => undefined }
}

const executors = Object.fromEntries(['uv', 'sh', 'gpu', 'far'].map((name) => [name, idle(name)]))

describe('which executor', () => {
  const rows: readonly (readonly [assignments: Record<string, string>, name: string, loc: string | undefined, expected: string])[] = [
    [{}, 'qsim.run', '-.N4', 'uv'],
    [{ openssl: 'sh' }, 'openssl.genrsa', '-.N4', 'sh'],
    [{ openssl: 'sh' }, 'openssl2.genrsa', '-.N4', 'uv'],
    [{ 'my.worker': 'sh' }, 'my.worker.task', '-.N4', 'sh'],
    [{ 'my.worker': 'sh' }, 'my.worker', '-.N4', 'sh'],
    [{ 'qsim.*': 'gpu', qsim: 'sh' }, 'qsim.run', undefined, 'gpu'],
    [{ qsim: 'sh', 'qsim.run': 'far', 'qsim.*': 'gpu' }, 'qsim.run', undefined, 'far'],
    [{ '*': 'sh', 'qsim.r*': 'gpu', 'qsim.*': 'far' }, 'qsim.run', undefined, 'gpu'],
    [{ '*.run': 'sh', 'qsim*': 'gpu' }, 'qsim.run', undefined, 'sh'],
    [{ '*.[qr]un': 'sh' }, 'qsim.run', undefined, 'sh'],
    [{ '*.[!qr]un': 'sh' }, 'qsim.run', undefined, 'uv'],
    [{ 'q?im.run': 'sh' }, 'qsim.run', undefined, 'sh'],
    [{ 'qsim.run': 'far', '-.N4': 'gpu' }, 'qsim.run', '-.N4', 'gpu'],
    [{ 'qsim.run': 'far', '-.N4': 'gpu' }, 'qsim.run', '-.N40', 'far'],
    [{ '-.N4': 'gpu' }, 'qsim.run', '-.N4.M7.N2', 'gpu'],
    [{ '-.N4': 'gpu', '-.N4.M*.N2': 'sh' }, 'qsim.run', '-.N4.M7.N2', 'sh'],
    [{ '-.N4.M*': 'gpu', '-.N4.M7': 'sh' }, 'qsim.run', '-.N4.M7.N2', 'sh'],
    [{ '-.N4': 'gpu' }, 'qsim.run', undefined, 'uv'],
  ]
  test.each(rows)('%o: %s at %s → %s', (assignments, name, loc, expected) => {
    const dot = name.lastIndexOf('.')
    const set = createExecutorSet({ default: 'uv', executors, assignments })
    expect(set.assign(name.slice(0, dot), name.slice(dot + 1), loc)).toBe(expected)
    expect(set.assign(name.slice(0, dot), name.slice(dot + 1), loc)).toBe(expected)
  })

  test('one executor for everything', () => {
    const set = singleExecutor(idle('uv'))
    expect([...set.executors.keys(), set.assign('a', 'b', '-.N1')]).toEqual(['uv', 'uv'])
  })

  test('an executor that is not there is refused with the nearest name', () => {
    expect(() => createExecutorSet({ default: 'uvv', executors })).toThrow(/the default executor "uvv"/)
    expect(() => createExecutorSet({ default: 'uv', executors, assignments: { qsim: 'gpus' } })).toThrow(
      expect.objectContaining({
        message: expect.stringContaining('"qsim" is assigned to "gpus"'),
        details: expect.objectContaining({ hint: 'Did you mean "gpu"?' }),
      }),
    )
  })
})

describe('a document', () => {
  let set: ExecutorSet | undefined
  afterEach(async () => {
    for (const executor of set?.executors.values() ?? []) await executor.close()
    set = undefined
  })
  const made: unknown[] = []
  const job: ExecutorKind = {
    keys: { target: text(), resources: dict(text()) },
    required: ['target'],
    create: (options, context) => {
      made.push([options, context])
      return idle('job')
    },
  }
  const parse = (document: string): ExecutorSet => parseExecutors(document, 'executors.yaml', '/somewhere', { ...SCRIPT_KINDS, job })

  test('YAML, as written in the manual', () => {
    made.length = 0
    set = parse(`default: sh
executors:
  sh: {kind: shell, registry: ./scripts, paths: absolute, max_parallel: 3, env: {A: '1'}}
  filter: {kind: stdinout, registry: [./a, /b]}
  gpu: {kind: job, target: hpc, resources: {gpus: 'A100:1'}}
  own: {kind: custom, command: [my-runner, '{worker}', '{args}']}
assignments: {openssl: filter, "qsim.*": gpu, "-.N4": own}
`)
    expect([...set.executors].map(([name, executor]) => [name, executor.kind])).toEqual([
      ['sh', 'shell'],
      ['filter', 'stdinout'],
      ['gpu', 'job'],
      ['own', 'own'],
    ])
    expect(set.executors.get('sh')?.maxParallel).toBe(3)
    expect(set.assign('qsim', 'run')).toBe('gpu')
    expect(set.assign('qsim', 'run', '-.N4.M1')).toBe('own')
    expect(made).toEqual([
      [
        { target: 'hpc', resources: { gpus: 'A100:1' } },
        { name: 'gpu', directory: '/somewhere' },
      ],
    ])
  })

  test('JSON with one executor needs no default', () => {
    set = parse('{"executors": {"x": {"kind": "shell"}}}')
    expect(set.assign('any', 'task')).toBe('x')
  })

  test.each([
    { name: 'unknown key', document: 'executor: {}', says: 'unknown key "executor"', hint: 'Did you mean "executors"?', line: 1 },
    {
      name: 'unknown kind',
      document: 'executors:\n  a: {kind: shel}',
      says: 'there is no kind of executor "shel"',
      hint: 'Did you mean "shell"?',
      line: 2,
    },
    { name: 'no kind', document: 'executors: {a: {registry: x}}', says: 'the key "kind" is missing', line: 1 },
    {
      name: 'unknown option',
      document: 'executors: {a: {kind: shell, registy: x}}',
      says: 'unknown key "registy"',
      hint: 'Did you mean "registry"?',
      line: 1,
    },
    { name: 'required option', document: 'executors: {a: {kind: job}}', says: 'the key "target" is missing', line: 1 },
    {
      name: 'wrong value',
      document: 'executors: {a: {kind: shell, max_parallel: 0}}',
      says: '0',
      hint: 'Allowed: whole numbers from 1.',
      line: 1,
    },
    { name: 'no executors', document: 'default: a', says: 'must name at least one executor', line: 1 },
    { name: 'no default', document: 'executors: {a: {kind: shell}, b: {kind: shell}}', says: 'is missing, and there are several', line: 1 },
    {
      name: 'unknown default',
      document: 'default: aa\nexecutors: {ab: {kind: shell}}',
      says: 'default: there is no executor "aa"',
      line: 1,
    },
    {
      name: 'assigned to nobody',
      document: 'executors: {gpu: {kind: shell}}\nassignments:\n  qsim: gpus',
      says: 'assignments.qsim: there is no executor "gpus"',
      hint: 'Did you mean "gpu"?',
      line: 3,
    },
    { name: 'no mapping', document: '- a', says: 'must hold one mapping', line: 1 },
    { name: 'no YAML', document: 'a: [', says: 'not valid YAML', line: 1 },
  ])('refused: $name', ({ document, says, hint, line }) => {
    const details = { location: expect.objectContaining({ line }), ...(hint === undefined ? {} : { hint }) }
    expect(() => parse(document)).toThrow(
      expect.objectContaining({ message: expect.stringContaining(says), details: expect.objectContaining(details) }),
    )
  })
})
