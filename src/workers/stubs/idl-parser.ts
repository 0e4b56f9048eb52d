import { InputError } from '../../errors.ts'
import type { InterfaceModel, InterfaceTask, TypedPort, TypeShape, WorkerInterface } from './worker-interface.ts'

interface Token {
  readonly text: string
  readonly line: number
  readonly column: number
}

const TOKEN = /\s+|\/\/[^\n]*|\/\*[\s\S]*?\*\/|([A-Za-z0-9_]+|@[A-Za-z0-9_]+|[<>{}():;,?|]|\[\])/y
const INTS = new Set('integer int64 int32 int16 int8 safeint uint64 uint32 uint16 uint8 int'.split(' '))
const FLOATS = new Set('float float32 float64 numeric'.split(' '))
const REFUSED = new Set('decimal decimal128 plainDate plainTime utcDateTime offsetDateTime duration unknown void never'.split(' '))
const PLAIN: Readonly<Record<string, TypeShape>> = {
  string: { kind: 'string' },
  url: { kind: 'string' },
  str: { kind: 'string' },
  bytes: { kind: 'bytes' },
  bool: { kind: 'bool' },
  boolean: { kind: 'bool' },
  null: { kind: 'null' },
  complex: { kind: 'complex' },
}

/**
 * Reads Tierkreis's IDL for workers: models (`@portmapping` ones are output ports) and one interface, in the part of TypeSpec
 * that its parser (2.0.9 to 2.1.1) reads, and beyond it comments, `boolean`, `T[]`, `a | b` and optional ports `x?: T`. Throws `InputError` with
 * line and column.
 * @param file names the text in errors
 */
export function parseIdl(text: string, file: string): WorkerInterface {
  return new IdlParser(tokensOf(text, file), file).document()
}

function failure(message: string, file: string, { line, column }: { readonly line: number; readonly column: number }): InputError {
  return new InputError('invalid_argument', message, { location: { file, line, column } })
}

function tokensOf(text: string, file: string): readonly Token[] {
  const tokens: Token[] = []
  let line = 1
  let lineStart = 0
  TOKEN.lastIndex = 0
  for (let at = 0; at < text.length; at = TOKEN.lastIndex) {
    TOKEN.lastIndex = at
    const place = { line, column: at - lineStart + 1 }
    const match = TOKEN.exec(text)
    if (match === null) throw failure(`unexpected character ${JSON.stringify(text[at])}`, file, place)
    if (match[1] !== undefined) tokens.push({ text: match[1], ...place })
    for (let k = at; k < TOKEN.lastIndex; k++) {
      if (text[k] !== '\n') continue
      line++
      lineStart = k + 1
    }
  }
  tokens.push({ text: '', line, column: text.length - lineStart + 1 })
  return tokens
}

class IdlParser {
  readonly #tokens: readonly Token[]
  readonly #file: string
  readonly #named: { readonly token: Token; readonly parameters: readonly string[] }[] = []
  #at = 0

  constructor(tokens: readonly Token[], file: string) {
    this.#tokens = tokens
    this.#file = file
  }

  document(): WorkerInterface {
    const models: InterfaceModel[] = []
    while (this.#peek() === 'model' || this.#peek() === '@portmapping') {
      const token = this.#token()
      const model = this.#model()
      if (models.some(({ name }) => name === model.name)) throw this.#failure(`a second model "${model.name}"`, token)
      models.push(model)
    }
    this.#expect('interface')
    const name = this.#name('the name of the interface')
    this.#expect('{')
    const tasks: InterfaceTask[] = []
    while (!this.#take('}')) {
      const token = this.#token()
      const task = this.#task()
      if (tasks.some((other) => other.name === task.name)) throw this.#failure(`a second task "${task.name}"`, token)
      tasks.push(task)
    }
    if (this.#peek() !== '') throw this.#failure(`expected the end of the file after the interface, found "${this.#peek()}"`)
    for (const { token, parameters } of this.#named) {
      if (parameters.includes(token.text) || models.some((model) => model.name === token.text)) continue
      throw this.#failure(`no model "${token.text}"`, token)
    }
    return { name, models, tasks }
  }

  #model(): InterfaceModel {
    const isPortMapping = this.#take('@portmapping')
    this.#expect('model')
    const name = this.#name('the name of the model')
    const parameters = this.#parameters()
    this.#expect('{')
    return { name, parameters, isPortMapping, fields: this.#ports('}', parameters) }
  }

  #task(): InterfaceTask {
    const name = this.#name('the name of a task')
    const parameters = this.#parameters()
    this.#expect('(')
    const inputs = this.#ports(')', parameters)
    this.#expect(':')
    const returns = this.#type(parameters)
    if (this.#peek() !== '}') this.#expect(';')
    return { name, parameters, inputs, returns }
  }

  #parameters(): readonly string[] {
    const parameters: string[] = []
    if (!this.#take('<')) return parameters
    do parameters.push(this.#name('a type parameter'))
    while (this.#take(','))
    this.#expect('>')
    return parameters
  }

  /** Up to `end`, each followed by `,` or `;` but the last. */
  #ports(end: string, parameters: readonly string[]): readonly TypedPort[] {
    const ports: TypedPort[] = []
    while (!this.#take(end)) {
      const token = this.#token()
      const name = this.#name('the name of a port')
      if (ports.some((port) => port.name === name)) throw this.#failure(`a second "${name}"`, token)
      const isOptional = this.#take('?')
      this.#expect(':')
      ports.push({ name, type: this.#type(parameters), isOptional })
      if (!this.#take(';') && !this.#take(',') && this.#peek() !== end) {
        throw this.#failure(`expected "${end === '}' ? ';' : ','}" or "${end}", found ${this.#found()}`)
      }
    }
    return ports
  }

  #type(parameters: readonly string[]): TypeShape {
    const members = [this.#member(parameters)]
    while (this.#take('|')) members.push(this.#member(parameters))
    const [first] = members
    return members.length === 1 && first !== undefined ? first : { kind: 'union', of: members }
  }

  #member(parameters: readonly string[]): TypeShape {
    let shape = this.#single(parameters)
    while (this.#take('[]')) shape = { kind: 'list', of: shape }
    return shape
  }

  #single(parameters: readonly string[]): TypeShape {
    const token = this.#token()
    const name = this.#name('a type')
    if (INTS.has(name)) return { kind: 'int' }
    if (FLOATS.has(name)) return { kind: 'float' }
    if (Object.hasOwn(PLAIN, name)) return PLAIN[name] ?? { kind: 'any' }
    if (REFUSED.has(name)) throw this.#failure(`type "${name}" is not supported for ports`, token)
    if (name === 'Array' || name === 'Record') {
      this.#expect('<')
      const of = this.#type(parameters)
      this.#expect('>')
      return { kind: name === 'Array' ? 'list' : 'record', of }
    }
    this.#named.push({ token, parameters })
    const args: TypeShape[] = []
    if (this.#take('<')) {
      do args.push(this.#type(parameters))
      while (this.#take(','))
      this.#expect('>')
    }
    return { kind: 'named', name, args }
  }

  #token(): Token {
    return this.#tokens[this.#at] ?? { text: '', line: 1, column: 1 }
  }

  #peek(): string {
    return this.#token().text
  }

  #found(): string {
    return this.#peek() === '' ? 'the end of the file' : `"${this.#peek()}"`
  }

  #take(text: string): boolean {
    if (this.#peek() !== text) return false
    this.#at++
    return true
  }

  #expect(text: string): void {
    if (!this.#take(text)) throw this.#failure(`expected "${text}", found ${this.#found()}`)
  }

  #name(what: string): string {
    const { text } = this.#token()
    if (!/^[A-Za-z0-9_]+$/.test(text)) throw this.#failure(`expected ${what}, found ${this.#found()}`)
    this.#at++
    return text
  }

  #failure(message: string, token: Token = this.#token()): InputError {
    return failure(message, this.#file, token)
  }
}
