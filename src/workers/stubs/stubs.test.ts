import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { InputError } from '../../errors.ts'
import * as portTypes from '../../workflow/builder/port-type.ts'
import * as tasks from '../../workflow/builder/task.ts'
import { int, json, optional, string, struct, worker } from '../sdk/index.ts'
import { compileIdl } from './idl-compiler.ts'
import { parseIdl } from './idl-parser.ts'
import { compilePythonStubs } from './python-compiler.ts'
import { parsePythonStubs } from './python-parser.ts'
import { compileTypeScriptStubs } from './typescript-compiler.ts'

const DIRECTORY = new URL('../../../test/fixtures/tierkreis/2.1.1/stubs/', import.meta.url)
/** `lab_worker.py` is of a worker in Python, `measure.py` of the interface `measure.tsp`; both written by `Namespace.stubs` of 2.1.1. */
const read = (name: string): string => readFileSync(new URL(name, DIRECTORY), 'utf8')

describe('stubs of Tierkreis 2.1.1', () => {
  test.each(['lab_worker.py', 'measure.py'])('%s is written again as it was read, byte for byte', (name) => {
    expect(compilePythonStubs(parsePythonStubs(read(name), name))).toBe(read(name))
  })

  test('stubs from an interface are byte for byte those of Tierkreis', () => {
    expect(compilePythonStubs(parseIdl(read('measure.tsp'), 'measure.tsp'))).toBe(read('measure.py'))
  })

  test('the interface is written so that it is read as the same', () => {
    const parsed = parseIdl(read('measure.tsp'), 'measure.tsp')
    const again = parseIdl(compileIdl(parsed), 'again.tsp')
    expect(again.tasks).toEqual(parsed.tasks)
    expect(again.models.toSorted((a, b) => (a.name < b.name ? -1 : 1))).toEqual(
      parsed.models.toSorted((a, b) => (a.name < b.name ? -1 : 1)),
    )
  })

  test('as ruff formats them', () => {
    const text = `"""Code generated from w namespace. Please do not edit."""
from tierkreis.controller.data.models import TKR  # noqa: F401


class Out(NamedTuple):
    a: TKR[int]  # noqa: F821 # fmt: skip


class long_name(NamedTuple):
    first: TKR[
        dict[str, list["Out"]]
    ]
    second: TKR[str] | None = None

    @staticmethod
    def out() -> (
        type[Out]
    ):
        return Out

    @property
    def namespace(self) -> str:
        return "w"
`
    const parsed = parsePythonStubs(text.replace('(\n        type[Out]\n    )', 'type[Out]'), 'w.py')
    expect(parsed).toEqual({
      name: 'w',
      models: [{ name: 'Out', parameters: [], isPortMapping: true, fields: [{ name: 'a', type: { kind: 'int' }, isOptional: false }] }],
      tasks: [
        {
          name: 'long_name',
          parameters: [],
          inputs: [
            {
              name: 'first',
              type: { kind: 'record', of: { kind: 'list', of: { kind: 'named', name: 'Out', args: [] } } },
              isOptional: false,
            },
            { name: 'second', type: { kind: 'string' }, isOptional: true },
          ],
          returns: { kind: 'named', name: 'Out', args: [] },
        },
      ],
    })
    expect(parsePythonStubs(text, 'w.py')).toEqual(parsed)
  })
})

describe('stubs for TypeScript', () => {
  test('import only what the library has', () => {
    for (const parsed of [parsePythonStubs(read('lab_worker.py'), ''), parseIdl(read('measure.tsp'), '')]) {
      const names =
        compileTypeScriptStubs(parsed)
          .match(/import \{ (.*) \} from 'drover'/)?.[1]
          ?.split(', ') ?? []
      expect(names.length).toBeGreaterThan(5)
      expect(names.filter((name) => !(name in portTypes) && !(name in tasks))).toEqual([])
    }
  })

  test('name the ports and their types', () => {
    const text = compileTypeScriptStubs(parsePythonStubs(read('lab_worker.py'), ''))
    expect(text).toContain(
      `/** split(text: str, sep: str = …, limit: Union[int, NoneType] = …) -> Parts */
export const split = task('lab_worker.split', { text: str, sep: optional(str), limit: optional(union(int, none)) }, { head: str, point: opaque('lab_worker.Point'), tail: list(str) })\n`,
    )
  })

  test('a task named like an import or a word of the language gets another constant', () => {
    const plain = { kind: 'int' } as const
    const inputs = [{ name: 'a-b', type: plain, isOptional: false }]
    const named = (name: string) => ({ name, parameters: [], inputs, returns: plain })
    const text = compileTypeScriptStubs({ name: "o'w", models: [], tasks: [named('int'), named('delete')] })
    expect(text).toContain("export const int_ = task('o\\'w.int', { 'a-b': int }, { value: int })\n")
    expect(text).toContain("export const delete_ = task('o\\'w.delete'")
  })
})

describe('a worker in TypeScript', () => {
  const Point = struct('Point', { x: int, tag: json })
  const described = worker('shop')
    .task('move', { inputs: { p: Point, by: optional(int, 1), note: json }, outputs: { moved: Point, text: string } }, ({ p }) => ({
      moved: p,
      text: '',
    }))
    .describe()

  test('values of any type become type parameters, optional inputs come last', () => {
    const text = compilePythonStubs(described)
    expect(text).toContain('class Point[T1: PType](Struct, Protocol):\n    tag: T1\n    x: int\n')
    expect(text).toContain('class MoveOutputs[T1: PType](NamedTuple):\n    moved: TKR[Point[T1]]\n    text: TKR[str]\n')
    expect(text).toContain(
      'class move[T1: PType, T2: PType, T3: PType](NamedTuple):\n    p: TKR[Point[T1]]\n    note: TKR[T2]\n    by: TKR[int] | None = None \n',
    )
    expect(text).toContain('type[MoveOutputs[T3]]')
  })

  test('its interface', () => {
    expect(compileIdl(described)).toBe(`model Point<T1> {
  x: integer;
  tag: T1;
}

@portmapping
model MoveOutputs<T1> {
  moved: Point<T1>;
  text: string;
}

interface shop {
  move<T1, T2, T3>(p: Point<T1>, by: integer, note: T2): MoveOutputs<T3>;
}
`)
  })

  test('a port that Python cannot name is refused', () => {
    const lambda = worker('w').task('f', { inputs: { lambda: int }, outputs: int }, ({ lambda }) => lambda)
    expect(() => compilePythonStubs(lambda.describe())).toThrow(/input "lambda" of task "f" is no name in Python/)
  })
})

describe('errors say where', () => {
  const cases: Record<string, [string, string]> = {
    'no such model': ['interface w {\n  f(a: integer): Nothing;\n}', 'f.tsp:2:18: no model "Nothing"'],
    'a type that ports cannot have': ['interface w {\n  f(a: decimal): string;\n}', 'f.tsp:2:8: type "decimal" is not supported for ports'],
    'no colon': ['interface w { f(a integer): string; }', 'f.tsp:1:19: expected ":", found "integer"'],
    'no interface': ['model A { a: string; }', 'f.tsp:1:23: expected "interface", found the end of the file'],
    'two interfaces': [
      'interface a { }\ninterface b { }',
      'f.tsp:2:1: expected the end of the file after the interface, found "interface"',
    ],
    'another character': ['interface w {\n\n  f(a: %): string;\n}', 'f.tsp:3:8: unexpected character "%"'],
    'a task twice': ['interface w {\n  f(): null;\n  f(): null;\n}', 'f.tsp:3:3: a second task "f"'],
    'a port twice': ['interface w { f(a: url, a: url): null; }', 'f.tsp:1:25: a second "a"'],
    'fields without a separator': ['model A { a: string b: string } interface w {}', 'f.tsp:1:21: expected ";" or "}", found "b"'],
  }
  test.each(Object.entries(cases))('%s', (_, [text, message]) => {
    try {
      parseIdl(text, 'f.tsp')
    } catch (error) {
      expect(error).toBeInstanceOf(InputError)
      expect((error as InputError).display).toBe(message)
      return
    }
    expect.unreachable('it was accepted')
  })

  test('beyond the subset: comments, boolean, lists by brackets, unions, optional ports', () => {
    const text = '// one\ninterface w { /* two */ f(a?: boolean, b: string[] | null): int64[][] }'
    expect(parseIdl(text, 'f.tsp').tasks[0]).toEqual({
      name: 'f',
      parameters: [],
      inputs: [
        { name: 'a', type: { kind: 'bool' }, isOptional: true },
        { name: 'b', type: { kind: 'union', of: [{ kind: 'list', of: { kind: 'string' } }, { kind: 'null' }] }, isOptional: false },
      ],
      returns: { kind: 'list', of: { kind: 'list', of: { kind: 'int' } } },
    })
  })

  test.each([
    ['', 's.py:1:1: no task in this file'],
    ['class a(NamedTuple):\n    def out() -> type[TKR[int]]:\n        return TKR[int]\n', 's.py:1:1: class a has no property "namespace"'],
    ['class a(NamedTuple):\n    x: TKR[int\n', 's.py:2:1: cannot read the type TKR[int'],
    ['class a(NamedTuple):\n    x = 3\n', 's.py:2:1: cannot read the field: x = 3'],
    ['class a:\n    x: int\n', 's.py:1:1: cannot read the class: class a:'],
  ])('of Python stubs: %j', (text, message) => {
    try {
      parsePythonStubs(text, 's.py')
    } catch (error) {
      expect((error as InputError).display).toContain(message)
      return
    }
    expect.unreachable('it was accepted')
  })

  test('truncated and mangled text is read or refused, never anything else', () => {
    const texts: readonly [(text: string, file: string) => unknown, string][] = [
      [parseIdl, read('measure.tsp')],
      [parsePythonStubs, read('lab_worker.py')],
    ]
    for (const [parse, text] of texts) {
      const mangled = fc.tuple(fc.nat(text.length), fc.nat(40), fc.string({ maxLength: 3 }))
      fc.assert(
        fc.property(mangled, ([at, length, middle]) => {
          try {
            parse(text.slice(0, at) + middle + text.slice(at + length), 'f')
          } catch (error) {
            expect(error).toBeInstanceOf(InputError)
          }
        }),
        { numRuns: 500 },
      )
    }
  })
})
