import { expect, test } from 'vitest'
import { InputError } from '../errors.ts'
import { toPlain } from './located.ts'
import { readYamlDocuments } from './yaml-documents.ts'

/** Captured from PyYAML 6.0.3: `yaml.safe_load(text)`; a set became its sorted keys with null. */
const CAPTURED: readonly (readonly [name: string, text: string, value: unknown])[] = [
  ['anchors', 'a: &x {k: 1, l: 2}\nb: *x\n', { a: { k: 1, l: 2 }, b: { k: 1, l: 2 } }],
  ['merge', 'base: &b {k: 1, l: 2}\nc:\n  <<: *b\n  l: 3\n', { base: { k: 1, l: 2 }, c: { k: 1, l: 3 } }],
  [
    'merge list',
    'a: &a {k: 1}\nb: &b {k: 2, m: 3}\nc:\n  <<: [*a, *b]\n  z: 1\n',
    { a: { k: 1 }, b: { k: 2, m: 3 }, c: { k: 1, m: 3, z: 1 } },
  ],
  ['quoted merge', "c:\n  '<<': {k: 1}\n", { c: { '<<': { k: 1 } } }],
  ['flow set', 'g: {V100:1, A100:1}\n', { g: { 'V100:1': null, 'A100:1': null } }],
  ['flow set quoted', "g: {'V100:1', 'A100:1'}\n", { g: { 'V100:1': null, 'A100:1': null } }],
  ['literal', 's: |\n  a\n   b\n\n  c\n', { s: 'a\n b\n\nc\n' }],
  ['folded', 's: >-\n  a\n  b\n\n  c\n', { s: 'a b\nc' }],
  ['keep', 's: |+\n  a\n\n', { s: 'a\n\n' }],
  ['plain multi', 's: a b\n  c d\n', { s: 'a b c d' }],
  ['dq escapes', 's: "a\\tb\\x41\\u263A\\\n  c"\n', { s: 'a\tbA\u263ac' }],
  ['sq', "s: 'it''s'\n", { s: "it's" }],
  ['int key', '1: a\n0x10: b\n', { '1': 'a', '16': 'b' }],
  ['null value', 'a:\nb: ~\n', { a: null, b: null }],
  ['tags', "a: !!str 12\nb: !!int '0x10'\nc: !!float 3\nd: !!str yes\n", { a: '12', b: 16, c: 3.0, d: 'yes' }],
  ['set', 's: !!set {a, b}\n', { s: { a: null, b: null } }],
  ['colon in flow', 'a: [b:c, d]\n', { a: ['b:c', 'd'] }],
  ['comment', 'a: b#c # d\n', { a: 'b#c' }],
  ['url', 'a: http://x/y#z\n', { a: 'http://x/y#z' }],
  ['yaml12', '%YAML 1.2\n---\na: yes\nb: 010\n', { a: true, b: 8 }],
  ['yaml11', '%YAML 1.1\n---\na: yes\n', { a: true }],
  ['empty flow', 'a: {}\nb: []\n', { a: {}, b: [] }],
  ['exit', 'w: [exit:75, node_failure]\n', { w: ['exit:75', 'node_failure'] }],
  ['percent', 'a: 50%\n', { a: '50%' }],
  ['crlf', 'a: b\r\nc: |\r\n  x\r\n  y\r\n', { a: 'b', c: 'x\ny\n' }],
  ['nested seq', 'a:\n- b\n- - c\n  - d\n', { a: ['b', ['c', 'd']] }],
  ['at', 'a: b@c\n', { a: 'b@c' }],
  ['question', '? a\n: b\n', { a: 'b' }],
  ['doc end', 'a: 1\n...\n', { a: 1 }],
  ['dq multi', 's: "a\n  b\n\n  c"\n', { s: 'a b\nc' }],
  ['dup alias merge ov', 'c:\n  l: 3\n  <<: {k: 1, l: 2}\n', { c: { k: 1, l: 3 } }],
  ["keys are Python's str() of their value", 'on: 1\nno: 2\n~: 3\n1.0: 4\n', { True: 1, False: 2, None: 3, '1.0': 4 }],
]

test.each(CAPTURED)('%s', (_name, text, value) => {
  const [document] = readYamlDocuments(text, 'task.yaml')
  expect(toPlain(document!)).toEqual(value)
})

const place = (line: number, column: number) => ({ file: 'task.yaml', line, column })

test.each([
  ['duplicate key', 'run: a\nname: b\nrun: c\n', place(3, 1), 'the key "run" stands twice in one mapping (first on line 1)'],
  ['duplicate key below', 'envs:\n  A: 1\n  A: 2\n', place(3, 3), 'the key "A" stands twice in one mapping (first on line 2)'],
  ['second document', 'a: 1\n---\nb: 1\nb: 2\n', place(4, 1), 'the key "b" stands twice in one mapping (first on line 3)'],
  ['unknown alias', 'a: *x\n', place(1, 4), 'the alias has no anchor'],
  ['unknown tag', 'a: !secret x\n', place(1, 12), 'the tag is not supported'],
  ['tag that lies', 'a: !!int x\n', place(1, 10), 'the value is not a int, as its tag says'],
  ['list as key', '? [a]\n: b\n', place(1, 3), 'a key must be a plain value'],
  ['merge of a string', 'a:\n  <<: b\n', place(2, 7), 'a merge key takes a mapping'],
  ['self-containing', 'a: &a\n  b: *a\n', place(2, 6), 'stands inside its own anchor'],
  ['control character', 'a: b\nc: d\u0000\n', place(2, 5), 'U+0000'],
  ['open quote', 'a: "b\nc: d\n', place(3, 1), 'not valid YAML: Missing closing'],
  ['bad indent', 'a: b\n c: d\n', place(1, 4), 'not valid YAML:'],
])('refused: %s', (_name, text, location, message) => {
  const error = caught(() => readYamlDocuments(text, 'task.yaml'))
  expect(error.code).toBe('invalid_task')
  expect(error.message).toContain(message)
  expect(error.details.location).toEqual(location)
})

test('what cannot be parsed is not quoted: it may be a secret', () => {
  for (const text of [
    'secrets:\n  A: "hunter2" "hunter2"\n',
    'A: hunter2: hunter2\n',
    'A: [hunter2\nB: hunter2\n',
    "A: 'hunter2\n",
    'A: @hunter2',
    'A: *hunter2',
    'A: !hunter2 x',
    'A: %hunter2',
  ]) {
    expect(caught(() => readYamlDocuments(text, 'f')).display).not.toContain('hunter2')
  }
})

test('aliases that multiply are refused before they fill the memory', () => {
  const levels = Array.from(
    { length: 12 },
    (_, level) =>
      `l${level}: &l${level} [${Array(10)
        .fill(level === 0 ? 'x' : `*l${level - 1}`)
        .join(', ')}]`,
  )
  expect(caught(() => readYamlDocuments(levels.join('\n'), 'f')).message).toContain('aliases')
})

test('deep nesting is refused, not a stack overflow', () => {
  expect(caught(() => readYamlDocuments('['.repeat(100_000), 'f'))).toBeInstanceOf(InputError)
})

function caught(action: () => unknown): InputError {
  try {
    action()
  } catch (error) {
    if (error instanceof InputError) return error
    throw error
  }
  throw new Error('nothing was thrown')
}
