/** Values and operators against the machine's own Python: generated cases, answered by one process per property. */
import { execFileSync, spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { add, multiply, subtract } from '../../src/workflow/builtins/arithmetic.ts'
import { compare, isEqual, sorted } from '../../src/workflow/builtins/comparison.ts'
import { absolute, isTruthy, round, toInt } from '../../src/workflow/builtins/conversion.ts'
import { divide, floorDivide, modulo } from '../../src/workflow/builtins/division.ts'
import { greatest, least } from '../../src/workflow/builtins/operations.ts'
import { power } from '../../src/workflow/builtins/power.ts'
import { ascii, repr, str } from '../../src/workflow/builtins/python-text.ts'
import { length, mean, product, sum } from '../../src/workflow/builtins/statistics.ts'
import { decodeBase64 } from '../../src/workflow/values/base64.ts'
import { decodeJson } from '../../src/workflow/values/json-decoder.ts'
import { encodeJson } from '../../src/workflow/values/json-encoder.ts'
import { PythonError } from '../../src/workflow/values/python-error.ts'
import type { Value } from '../../src/workflow/values/value.ts'
import { NEWEST_DIALECT, VALUE_DIALECTS } from '../../src/workflow/values/value-dialect.ts'

const script = new URL('./python-reference.py', import.meta.url).pathname
const ONE_LINE = { ...NEWEST_DIALECT, indent: 0 } as const
const python = findPython()

/** A Python of 3.11 or 3.12, whose messages are those that Tierkreis's workers gave; 3.13 and 3.14 word some anew. */
function findPython(): { readonly command: string; readonly minor: number } | undefined {
  for (const command of [process.env['DROVER_TEST_PYTHON'] ?? 'python3.12', 'python3', 'python3.11']) {
    const found = spawnSync(command, ['-c', 'import sys; print(sys.version_info[1])'], { encoding: 'utf8' })
    const minor = Number(found.stdout)
    if (found.status === 0 && (minor === 11 || minor === 12)) return { command, minor }
  }
  return undefined
}

interface Case {
  readonly operation: string
  /** The arguments as a JSON list; for `loads` the document's bytes in hexadecimal. */
  readonly text: string
}

function askPython(cases: readonly Case[]): { readonly result?: string; readonly error?: string }[] {
  const input = cases.map((one) => JSON.stringify(one)).join('\n')
  const output = execFileSync(python?.command ?? 'python3', [script], {
    input,
    encoding: 'utf8',
    maxBuffer: 2 ** 28,
    env: { ...process.env, PYTHONIOENCODING: 'utf-8' },
  })
  return output
    .trimEnd()
    .split('\n')
    .slice(1)
    .map((line) => JSON.parse(line.replace('arg is an empty sequence', 'iterable argument is empty')))
}

function pair(operation: (a: Value, b: Value) => Value): (args: readonly Value[]) => Value {
  return ([a = null, b = null]) => operation(a, b)
}

function single(operation: (a: Value) => Value): (args: readonly Value[]) => Value {
  return ([a = null]) => operation(a)
}

function list(operation: (a: readonly Value[]) => Value): (args: readonly Value[]) => Value {
  return ([a]) => operation(a as readonly Value[])
}

const OPERATIONS: Readonly<Record<string, (args: readonly Value[]) => Value>> = {
  add: pair(add),
  subtract: pair(subtract),
  multiply: pair((a, b) => multiply(a, b)),
  divide: pair(divide),
  floor_divide: pair(floorDivide),
  modulo: pair(modulo),
  power: pair(power),
  less: pair((a, b) => compare(a, '<', b)),
  greater: pair((a, b) => compare(a, '>', b)),
  equal: pair(isEqual),
  absolute: single(absolute),
  round: single(round),
  int: single(toInt),
  str: single(str),
  repr: single(repr),
  ascii: single(ascii),
  truth: single(isTruthy),
  length: single(length),
  sorted: list(sorted),
  max: single(greatest),
  min: single(least),
  sum: list(sum),
  product: list(product),
  mean: list(mean),
  percent: pair(modulo),
  base64: single((text) => Array.from(decodeBase64(text), BigInt)),
  compact: single((value) => encodeJson(value, ONE_LINE)),
  indented: single((value) => encodeJson(value, NEWEST_DIALECT)),
}

function answer(one: Case): { readonly result?: string; readonly error?: string } {
  try {
    if (one.operation === 'loads') return { result: encodeJson(decodeJson(Buffer.from(one.text, 'hex'), NEWEST_DIALECT), ONE_LINE) }
    const args = decodeJson(Buffer.from(one.text), NEWEST_DIALECT) as readonly Value[]
    return { result: encodeJson(OPERATIONS[one.operation]?.(args) ?? null, ONE_LINE) }
  } catch (error) {
    if (!(error instanceof PythonError)) throw error
    return { error: error.message }
  }
}

const integers = fc.oneof(
  fc.integer({ min: -20, max: 20 }).map(BigInt),
  fc.bigInt({ min: -(2n ** 70n), max: 2n ** 70n }),
  fc.bigInt({ min: -(10n ** 330n), max: 10n ** 330n }),
  fc.constantFrom(
    2n ** 53n,
    2n ** 53n + 1n,
    -(2n ** 63n),
    2n ** 63n - 1n,
    2n ** 1024n,
    2n ** 1024n - 2n ** 970n,
    2n ** 1024n - 2n ** 970n - 1n,
  ),
)
const floats = fc.oneof(
  fc.double(),
  fc.integer({ min: -1000, max: 1000 }).map((n) => n / 2),
  fc.constantFrom(
    0,
    -0,
    Number.NaN,
    1e16,
    9999999999999998,
    1e-4,
    9.999e-5,
    5e-324,
    1.7976931348623157e308,
    0.1,
    2.5,
    -3.5,
    Number.POSITIVE_INFINITY,
  ),
)
const numbers: fc.Arbitrary<Value> = fc.oneof(integers, floats, fc.boolean())
const texts = fc.string({
  unit: fc.oneof(
    fc.constantFrom('a', 'b', '\uffff', '\u{1f600}', '\u00ad', "'", '"', '\\', '\n', '\x7f', '\u3000', 'é'),
    fc.integer({ min: 0, max: 0x52f }).map((point) => String.fromCharCode(point)),
  ),
  maxLength: 6,
})
const values: fc.Arbitrary<Value> = fc.letrec<{ value: Value }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 3, withCrossShrink: true },
    numbers,
    texts,
    fc.constant(null),
    fc.array(tie('value'), { maxLength: 4 }),
    fc.array(fc.tuple(texts, tie('value')), { maxLength: 3 }).map((entries): Value => new Map(entries)),
  ),
})).value
const numberLists = fc.oneof(
  fc.array(numbers, { maxLength: 12 }),
  fc.array(floats, { maxLength: 90 }),
  fc.array(integers, { maxLength: 90 }),
)

function args(...parts: fc.Arbitrary<Value>[]): fc.Arbitrary<string> {
  return fc.tuple(...parts).map((all) => encodeJson(all, ONE_LINE))
}

function casesOf(operations: readonly string[], texts: fc.Arbitrary<string>): fc.Arbitrary<Case> {
  return fc.record({ operation: fc.constantFrom(...operations), text: texts })
}

const ARITHMETIC = ['add', 'subtract', 'multiply', 'divide', 'floor_divide', 'modulo', 'less', 'greater', 'equal']
const smallPowers = args(
  fc.oneof(fc.integer({ min: -30, max: 30 }).map(BigInt), floats),
  fc.oneof(fc.integer({ min: -60, max: 60 }).map(BigInt), floats),
)
const formats = fc
  .tuple(
    fc.constantFrom('', '-', '0', '+', ' ', '#', '-#', '0+'),
    fc.constantFrom('', '1', '9', '12'),
    fc.constantFrom('', '.', '.0', '.3', '.12'),
    fc.constantFrom(...'srdiuxXofFeEgGca%y'),
  )
  .map(([flags, width, precision, letter]) => `<%${flags}${width}${precision}${letter}>`)
const documents = fc
  .tuple(
    fc.string({
      unit: fc.constantFrom(
        '[',
        ']',
        '{',
        '}',
        ',',
        ':',
        '"',
        '\\',
        'u',
        'd83d',
        '1',
        '-',
        '.',
        'e',
        '0',
        ' ',
        '\n',
        'null',
        'NaN',
        'true',
        'a',
        '\u{1f600}',
        '\t',
      ),
      maxLength: 14,
    }),
    fc.constantFrom('', '1', '[]'),
  )
  .map(([text, end]) => Buffer.from(text + end).toString('hex'))
const anyBytes = fc.uint8Array({ maxLength: 6 }).map((bytes) => Buffer.concat([Buffer.from('"'), bytes, Buffer.from('"')]).toString('hex'))

const PROPERTIES: readonly { readonly name: string; readonly cases: fc.Arbitrary<Case> }[] = [
  { name: 'operators on numbers', cases: casesOf(ARITHMETIC, args(numbers, numbers)) },
  {
    name: 'operators on values of all kinds',
    cases: casesOf(
      ARITHMETIC.filter((one) => one !== 'multiply' && one !== 'modulo'),
      args(values, values),
    ),
  },
  { name: 'powers', cases: casesOf(['power'], smallPowers) },
  { name: 'one number', cases: casesOf(['absolute', 'round', 'int', 'str', 'repr', 'truth'], args(numbers)) },
  { name: 'one value', cases: casesOf(['str', 'repr', 'ascii', 'truth', 'length', 'int', 'round'], args(values)) },
  { name: 'lists of numbers', cases: casesOf(['sorted', 'max', 'min', 'sum', 'product', 'mean'], args(numberLists)) },
  { name: 'lists of text', cases: casesOf(['sorted', 'max', 'min', 'length'], args(fc.array(texts, { maxLength: 70 }))) },
  { name: 'writing JSON', cases: casesOf(['compact', 'indented'], args(values)) },
  { name: 'reading JSON, broken too', cases: casesOf(['loads'], fc.oneof(documents, anyBytes)) },
  { name: 'base64', cases: casesOf(['base64'], args(fc.string({ unit: fc.constantFrom(...'AbC9+/=-\n é'), maxLength: 14 }))) },
  {
    name: 'text to int',
    cases: casesOf(
      ['int'],
      args(fc.string({ unit: fc.constantFrom(...'019_-+. \u3000\u0661\u{1d7d9}\u{ff11}\ufeff\x1c\n'), maxLength: 6 })),
    ),
  },
  {
    name: 'percent formats',
    cases: casesOf(
      ['percent'],
      fc.tuple(formats, fc.oneof(numbers, values)).map((both) => encodeJson(both, ONE_LINE)),
    ),
  },
]

test.for(PROPERTIES)('$name: as Python has it', ({ name, cases }, context) => {
  if (!python) {
    context.skip(`${name}: there is no Python 3.11 or 3.12 here; DROVER_TEST_PYTHON names one`)
    return
  }
  const sample = fc
    .sample(cases, Number(process.env['DROVER_TEST_CASES'] ?? 1500))
    // Since 3.12 floats are summed with compensation, which is what is meant here.
    .filter(({ operation }) => operation !== 'sum' || python.minor >= 12)
  const theirs = askPython(sample)
  const differences = sample.flatMap((one, k) => {
    const ours = answer(one)
    return JSON.stringify(ours) === JSON.stringify(theirs[k]) || isRefusedHere(ours) ? [] : [{ ...one, ours, theirs: theirs[k] }]
  })
  expect(differences.slice(0, 5)).toEqual([])
  expect(theirs).toHaveLength(sample.length)
})

/** What is refused for its size alone: Python has no text for it, or runs out of memory. */
function isRefusedHere(answered: { readonly error?: string }): boolean {
  return answered.error?.includes('is too large: at most') ?? false
}

test('the reference is asked about every operation that is tested', () => {
  const text = readFileSync(script, 'utf8')
  expect(Object.keys(OPERATIONS).filter((name) => !text.includes(`"${name}":`))).toEqual([])
  expect(VALUE_DIALECTS['2.1.0']).toBe(NEWEST_DIALECT)
})
