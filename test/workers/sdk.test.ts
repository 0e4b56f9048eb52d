import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, describe, expect, test } from 'vitest'
import { WorkerFixture } from './sdk-fixture.ts'

const SOURCE = `
import { closeSync, openSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import { anyValue, bigInt, bool, bytes, complex, each, file, float, int, json, list, nullable, optional, record, string, struct, tuple, worker } from 'drover/worker'
const Point = struct('Point', { x: int, y: int })
const w = worker('math')
  .task('double', { inputs: { x: int }, outputs: int }, ({ x }, { log }) => { log('doubling ' + x); return 2 * x })
  .task('big', { inputs: { x: bigInt }, outputs: { value: bigInt } }, ({ x }) => ({ value: x * x }))
  .task('scale', { inputs: { x: float, by: optional(float, 2) }, outputs: float }, async ({ x, by }) => x * by)
  .task('split', { inputs: { text: string }, outputs: { head: string, tail: list(string), rest: optional(string) } }, ({ text }) => {
    const [head = '', ...tail] = text.split(' ')
    return { head, tail }
  })
  .task('turn', { inputs: { z: complex }, outputs: complex }, ({ z }) => ({ re: -z.im, im: z.re }))
  .task('swap', { inputs: { p: Point }, outputs: Point }, ({ p }) => ({ x: p.y, y: p.x }))
  .task('pair', { inputs: { a: tuple(int, string), m: record(bool), n: nullable(int), raw: bytes, any: json, exact: anyValue }, outputs: { text: string, raw: bytes, any: json, exact: anyValue } },
    ({ a, m, n, raw, any, exact }) => ({ text: JSON.stringify([a, m, n]), raw: raw.subarray(1), any, exact }))
  .task('explode', { inputs: { n: int }, outputs: each(int) }, async function* ({ n }) { for (let k = 0; k < n; k++) yield k * k })
  .task('collect', { inputs: { values_glob: each(int) }, outputs: list(int) }, ({ values_glob }) => values_glob)
  .task('grow', { inputs: { source: file }, outputs: { grown: file, same: file } }, ({ source }, { newFile }) => {
    const path = newFile('grown')
    closeSync(openSync(path, 'w'))
    truncateSync(path, statSync(source).size * 2)
    return { grown: path, same: source }
  })
  .task('fail', { inputs: {}, outputs: int }, () => { throw new Error('no luck today') })
  .task('wrong', { inputs: {}, outputs: { a: int, b: int } }, () => ({ a: 1, b: 1.5 }))
  .task('nothing', { inputs: {}, outputs: { a: int, b: int } }, () => ({ a: 1 }) as never)
  .task('exits', { inputs: {}, outputs: int }, () => process.exit(0))
  .task('forever', { inputs: {}, outputs: int }, () => new Promise(() => {}))
  .task('thrown_later', { inputs: {}, outputs: int }, () => new Promise(() => { setTimeout(() => { throw new Error('from a timer') }, 1) }))
  .task('half', { inputs: { mark: string }, outputs: { out: file } }, async ({ mark }, { newFile, signal }) => {
    writeFileSync(newFile('out'), 'half of it')
    writeFileSync(mark, '')
    await new Promise((resolve) => { setTimeout(resolve, 60_000); signal.addEventListener('abort', resolve) })
    return { out: newFile('out') }
  })
w.app()
`

let fixture: WorkerFixture
function open(source = SOURCE): WorkerFixture {
  fixture = new WorkerFixture(source)
  return fixture
}
afterEach(() => fixture.close())

/** What lies in the directory of outputs. */
function outputs(): Record<string, string> {
  const directory = join(fixture.node, 'outputs')
  return Object.fromEntries(readdirSync(directory).map((name) => [name, readFileSync(join(directory, name), 'utf8')]))
}

describe('a call succeeds', () => {
  const cases: Record<string, [string, Record<string, string | Uint8Array>, string[], Record<string, string>]> = {
    'an int': ['double', { x: '21' }, ['value'], { value: '42' }],
    'an int of any size': ['big', { x: '100000000000000000000' }, ['value'], { value: `1${'0'.repeat(40)}` }],
    'a float is written with its point': ['scale', { x: '1' }, ['value'], { value: '2.0' }],
    'an optional input that is given': ['scale', { x: '1.5', by: '3' }, ['value'], { value: '4.5' }],
    'only the outputs that are read are written': ['split', { text: '"a b"' }, ['head'], { head: '"a"' }],
    'several outputs, one left out by the task': [
      'split',
      { text: '"ä b c"' },
      ['head', 'tail', 'rest'],
      { head: '"\\u00e4"', tail: '[\n  "b",\n  "c"\n]' },
    ],
    'complex numbers of the newest release': ['turn', { z: '[1, 2.5]' }, ['value'], { value: '[\n  -2.5,\n  1.0\n]' }],
    'complex numbers of older releases are read': [
      'turn',
      { z: '{"__tkr_complex__": [1.0, 2.0]}' },
      ['value'],
      { value: '[\n  -2.0,\n  1.0\n]' },
    ],
    'an object of named fields': ['swap', { p: '{"x": 1, "y": 2, "z": 3}' }, ['value'], { value: '{\n  "x": 2,\n  "y": 1\n}' }],
    'every other type': [
      'pair',
      { a: '[1, "x"]', m: '{"k": true}', n: 'null', raw: 'abc', any: '{"a": [1.0, 2]}', exact: '{"a": [1.0, 2, NaN]}' },
      ['text', 'raw', 'any', 'exact'],
      {
        text: '"[[1,\\"x\\"],{\\"k\\":true},null]"',
        raw: 'bc',
        any: '{\n  "a": [\n    1,\n    2\n  ]\n}',
        exact: '{\n  "a": [\n    1.0,\n    2,\n    NaN\n  ]\n}',
      },
    ],
    'a port for each element': ['explode', { n: '4' }, ['*'], { 0: '0', 1: '1', 2: '4', 3: '9' }],
  }
  test.each(Object.entries(cases))('%s', (_, [task, inputs, ports, expected]) => {
    const served = open().serve([fixture.prepare(task, inputs, ports)])
    expect(served).toEqual({ code: 0, stdout: '', stderr: '' })
    expect(outputs()).toEqual(expected)
    expect(fixture.read('_done')).toBe('')
    expect(fixture.read('logs')).toBeUndefined()
  })

  test('its log goes to the log of the workflow, line by line', () => {
    open().serve([fixture.prepare('double', { x: '1' }, ['value'])])
    expect(readFileSync(join(fixture.root, 'W', 'logs'), 'utf8')).toMatch(/^\d{4}-\S+Z: running: double in math\n\d{4}-\S+Z: doubling 1\n$/)
  })

  test('elements are read in the order of their numbers', () => {
    open().prepare('collect', {}, ['value'], { inputs: { values_glob: 'W/-.N5/outputs/*' } })
    mkdirSync(join(fixture.root, 'W/-.N5/outputs'), { recursive: true })
    for (const k of [10, 9, 100]) writeFileSync(join(fixture.root, `W/-.N5/outputs/value-${k}`), String(k))
    writeFileSync(join(fixture.root, 'W/-.N5/outputs/.value-3.partial'), 'no')
    expect(fixture.serve(['W/-.N1/definition']).stderr).toBe('')
    expect(JSON.parse(fixture.read('outputs/value') ?? '')).toEqual([9, 10, 100])
  })

  test('files of gigabytes are passed on without being read', () => {
    const definition = open().prepare('grow', { source: '' }, ['grown', 'same'])
    const source = join(fixture.root, 'W/-.N0/outputs/source')
    truncateSync(source, 3 * 2 ** 30)
    const served = fixture.serve([definition], { NODE_OPTIONS: '--max-old-space-size=64' })
    expect(served).toEqual({ code: 0, stdout: '', stderr: '' })
    expect(statSync(join(fixture.node, 'outputs/grown')).size).toBe(6 * 2 ** 30)
    expect(statSync(join(fixture.node, 'outputs/same')).size).toBe(3 * 2 ** 30)
    expect(statSync(source).size).toBe(3 * 2 ** 30)
    expect(readdirSync(join(fixture.node, 'outputs')).toSorted()).toEqual(['grown', 'same'])
  })

  test('absolute paths, no output directory, no log: the dialect of the announced controller', () => {
    open()
    const at = (name: string): string => join(fixture.base, name)
    writeFileSync(at('in'), '3')
    const change = {
      inputs: { n: at('in') },
      outputs: { '*': at('elements/*') },
      output_dir: '',
      done_path: at('thrown-away'),
      error_path: at('thrown-away-too'),
      logs_path: null,
    }
    fixture.prepare('explode', {}, [], change)
    const served = fixture.serve([join(fixture.node, 'definition')], { TKR_DIR: '' })
    expect(served).toMatchObject({ code: 0, stdout: '' })
    expect(served.stderr).toMatch(/running: explode in math/)
    expect(readdirSync(at('elements'))).toEqual(['0', '1', '2'])
    expect(existsSync(at('thrown-away'))).toBe(true)
  })

  test('without TKR_DIR paths are relative to ~/.tierkreis/checkpoints', () => {
    open().prepare('double', { x: '4' }, ['value'])
    mkdirSync(join(fixture.base, '.tierkreis'))
    const served = fixture.serve(['W/-.N1/definition'], { TKR_DIR: '', HOME: fixture.base })
    expect(served.stderr).toMatch(/no worker call at .*\.tierkreis\/checkpoints\/W\/-\.N1\/definition/)
    expect(served.code).toBe(1)
  })

  test('the release that the workflow names says how complex numbers are written', () => {
    open().prepare('turn', { z: '[0, 1]' }, ['value'])
    writeFileSync(join(fixture.root, 'W/_metadata'), '{"tierkreis_version": "2.0.11"}')
    expect(fixture.serve(['W/-.N1/definition']).code).toBe(0)
    expect(fixture.read('outputs/value')).toBe('{"__tkr_complex__": [-1.0, 0.0]}')
  })
})

describe('a call fails with the reason at its error path', () => {
  const cases: Record<string, [string, Record<string, string>, string[], RegExp]> = {
    'the task throws': ['fail', {}, ['value'], /^no luck today$/],
    'an input of another type': ['double', { x: '1.5' }, ['value'], /^input "x" is a number \(1\.5\), an int was expected$/],
    'a float that is whole is no int': ['double', { x: '2.0' }, ['value'], /^input "x" is a float \(2\.0\), an int was expected$/],
    'a bool is no int': ['double', { x: 'true' }, ['value'], /^input "x" is a bool \(true\), an int was expected$/],
    'an int that a number cannot hold': ['double', { x: '9007199254740993' }, ['value'], /beyond 2\^53/],
    'an input that is no JSON': ['double', { x: '{' }, ['value'], /^input "x" cannot be read: Expecting property name/],
    'an empty input': ['double', { x: '' }, ['value'], /^input "x" cannot be read: Expecting value/],
    'a field of another type': ['swap', { p: '{"x": 1, "y": "2"}' }, ['value'], /^input "p"\.y is a string \("2"\), an int was expected$/],
    'a missing field': ['swap', { p: '{"x": 1}' }, ['value'], /^input "p"\.y is undefined, a field of Point was expected$/],
    'an input that was not given': ['double', {}, ['value'], /^input "x" of task "double" was not given: the call does not name it$/],
    'an unknown input port': ['double', { x: '1', colour: '2' }, ['value'], /^task "double" has no input port "colour"; it has: x$/],
    'an unknown output port': ['double', { x: '1' }, ['value', 'extra'], /^task "double" has no output port "extra"; it has: value$/],
    'an unknown task': ['triple', { x: '1' }, ['value'], /^worker "math" has no task "triple"; it has: double, big,/],
    'an output of another type': ['wrong', {}, ['a', 'b'], /^output "b" is a number \(1\.5\), an int was expected$/],
    'an output that the task forgot': ['nothing', {}, ['a', 'b'], /^task "nothing" returned nothing for its output "b"$/],
    'the task ends the process with 0': ['exits', {}, ['value'], /process ended before task and outputs were complete \(exit code 0\)/],
    'the task waits for what never comes': ['forever', {}, ['value'], /process ended before task and outputs were complete/],
    'an error that nobody caught': ['thrown_later', {}, ['value'], /^from a timer$/],
  }
  test.each(Object.entries(cases))('%s', (_, [task, inputs, ports, message]) => {
    const served = open().serve([fixture.prepare(task, inputs, ports)])
    expect(fixture.read('logs'), served.stderr).toMatch(message)
    expect(served.code).toBe(1)
    expect(served.stderr).toContain(fixture.read('logs'))
    expect(fixture.read('_done')).toBeUndefined()
    expect(Object.keys(outputs()).filter((name) => name.startsWith('.'))).toEqual([])
  })

  test('in the layout of 2.0.9 the text is in _error, whole', () => {
    open().prepare('fail', {}, ['value'], { error_path: 'W/-.N1/_error' })
    expect(fixture.serve(['W/-.N1/definition']).code).toBe(1)
    expect(fixture.read('_error')).toBe('no luck today')
    expect(readdirSync(fixture.node).toSorted()).toEqual(['_error', 'definition', 'outputs'])
  })

  test('an input whose file is not there', () => {
    const definition = open().prepare('double', { x: '1' }, ['value'])
    rmSync(join(fixture.root, 'W/-.N0/outputs/x'))
    expect(fixture.serve([definition]).code).toBe(1)
    expect(fixture.read('logs')).toMatch(/^input "x" of task "double" was not given: there is no file .*\/W\/-\.N0\/outputs\/x$/)
  })

  test('a definition that is no JSON, or not there', () => {
    open()
    writeFileSync(join(fixture.node, 'definition'), '{"function_name": ')
    expect(fixture.serve(['W/-.N1/definition'])).toMatchObject({ code: 1, stderr: expect.stringMatching(/definition: not JSON/) })
    expect(fixture.serve(['W/-.N9/definition'])).toMatchObject({ code: 1, stderr: expect.stringMatching(/no worker call at/) })
  })

  test('SIGTERM: the task is told, nothing half written stays, the code is 143', async () => {
    open()
    const mark = join(fixture.base, 'mark')
    const definition = fixture.prepare('half', { mark: JSON.stringify(mark) }, ['out'])
    expect((await fixture.terminate([definition], mark)).code).toBe(143)
    expect(fixture.read('logs')).toBe('the worker was told to end (SIGTERM)')
    expect(readdirSync(join(fixture.node, 'outputs'))).toEqual([])
    expect(fixture.read('_done')).toBeUndefined()
  })
})

describe('the program', () => {
  test('without arguments ends with 0, as workers of Tierkreis do', () => {
    expect(open().serve([])).toMatchObject({ code: 0, stderr: expect.stringContaining('usage: tkr-math DEFINITION') })
  })

  test('describes its tasks', () => {
    const described = JSON.parse(open().serve(['--describe']).stdout)
    expect(described.name).toBe('math')
    expect(described.tasks[2]).toEqual({
      name: 'scale',
      parameters: [],
      inputs: [
        { name: 'x', type: { kind: 'float' }, isOptional: false },
        { name: 'by', type: { kind: 'float' }, isOptional: true },
      ],
      returns: { kind: 'float' },
    })
  })

  test('writes stubs for Python', () => {
    open()
    const path = join(fixture.base, 'stubs.py')
    expect(fixture.serve(['--stubs-path', path])).toEqual({ code: 0, stdout: '', stderr: '' })
    expect(readFileSync(path, 'utf8')).toContain('class scale(NamedTuple):\n    x: TKR[float]\n    by: TKR[float] | None = None \n')
    expect(fixture.serve(['--stubs-path'])).toMatchObject({ code: 1, stderr: '--stubs-path needs the path of a file\n' })
  })

  test('says what the interface language cannot say', () => {
    open()
    const served = fixture.serve(['--idl-path', join(fixture.base, 'math.tsp')])
    expect(served).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/cannot write the interface .* of worker "math": port "\*" of ExplodeOutputs is no name/),
    })
  })
})
