import type { TypeShape } from './worker-interface.ts'

const TOKEN = /\s*(?:([A-Za-z_][A-Za-z0-9_.]*)|("[^"]*"|'[^']*')|([[\],|()]|\.\.\.))/y
const PLAIN: Readonly<Record<string, TypeShape>> = {
  int: { kind: 'int' },
  float: { kind: 'float' },
  bool: { kind: 'bool' },
  str: { kind: 'string' },
  bytes: { kind: 'bytes' },
  complex: { kind: 'complex' },
  None: { kind: 'null' },
  NoneType: { kind: 'null' },
  PType: { kind: 'any' },
  Any: { kind: 'any' },
}

/** A type that could not be read; the message says at what. */
export class PythonTypeError extends Error {
  override readonly name = 'PythonTypeError'
}

/** A type as it stands in a stub, and whether it was a port (`TKR[…]`) and may be `None` in the port's place. */
export interface StubType {
  readonly shape: TypeShape
  readonly isPort: boolean
  readonly isOptional: boolean
}

/** Reads an annotation of a generated stub: `TKR[list[int]]`, `TKR[str] | None`, `OpaqueType["numpy.ndarray"]`, `"C[T]"`. Throws `PythonTypeError`. */
export function parseStubType(text: string): StubType {
  const parser = new TypeParser(text)
  const members = parser.members()
  parser.end()
  const ports = members.filter(({ isPort }) => isPort)
  const [port] = ports
  if (port !== undefined) return { shape: port.shape, isPort: true, isOptional: members.length > 1 }
  const [first] = members
  if (members.length === 1 && first !== undefined) return { shape: first.shape, isPort: false, isOptional: false }
  return { shape: { kind: 'union', of: members.map(({ shape }) => shape) }, isPort: false, isOptional: false }
}

interface Member {
  readonly shape: TypeShape
  readonly isPort: boolean
}

class TypeParser {
  readonly #text: string
  #at = 0
  #token = ''

  constructor(text: string) {
    this.#text = text
    this.#next()
  }

  end(): void {
    if (this.#token !== '') throw new PythonTypeError(`unexpected "${this.#token}" in the type ${this.#text}`)
  }

  members(): readonly Member[] {
    const members = [this.#member()]
    while (this.#take('|')) members.push(this.#member())
    return members
  }

  #member(): Member {
    const token = this.#token
    if (token === '' || '[],|()'.includes(token)) throw new PythonTypeError(`cannot read the type ${this.#text}`)
    this.#next()
    if (token.startsWith('"') || token.startsWith("'")) return parseStubType(token.slice(1, -1))
    if (token === 'Literal' || token === 'OpaqueType') return { shape: this.#opaque(token), isPort: false }
    const args = this.#args()
    const [first] = args
    if (token === 'TKR' && first !== undefined) return { shape: first.shape, isPort: true }
    return { shape: shapeOf(token, args), isPort: false }
  }

  #opaque(token: string): TypeShape {
    if (!this.#take('[') || !/^["']/.test(this.#token)) throw new PythonTypeError(`cannot read ${token} in the type ${this.#text}`)
    const name = this.#token.slice(1, -1)
    this.#next()
    while (this.#take(',')) this.#next()
    if (!this.#take(']')) throw new PythonTypeError(`cannot read ${token} in the type ${this.#text}`)
    return token === 'Literal' ? { kind: 'string' } : { kind: 'opaque', name }
  }

  #args(): readonly Member[] {
    if (!this.#take('[')) return []
    const args: Member[] = []
    while (!this.#take(']')) {
      if (this.#take('...')) continue
      const members = this.members()
      const [only] = members
      args.push(
        members.length === 1 && only !== undefined
          ? only
          : { shape: { kind: 'union', of: members.map(({ shape }) => shape) }, isPort: members.some(({ isPort }) => isPort) },
      )
      if (!this.#take(',') && this.#token !== ']') throw new PythonTypeError(`cannot read the type ${this.#text}`)
    }
    return args
  }

  #take(token: string): boolean {
    if (this.#token !== token) return false
    this.#next()
    return true
  }

  #next(): void {
    TOKEN.lastIndex = this.#at
    const match = TOKEN.exec(this.#text)
    if (match === null && this.#text.slice(this.#at).trim() !== '') throw new PythonTypeError(`cannot read the type ${this.#text}`)
    this.#token = match?.[0].trim() ?? ''
    this.#at = match === null ? this.#text.length : TOKEN.lastIndex
  }
}

function shapeOf(name: string, args: readonly Member[]): TypeShape {
  const shapes = args.map(({ shape }) => shape)
  const [first, second] = shapes
  switch (name.split('.').at(-1)) {
    case 'list':
    case 'List':
    case 'Sequence':
      return { kind: 'list', of: first ?? { kind: 'any' } }
    case 'dict':
    case 'Dict':
    case 'Mapping':
      return { kind: 'record', of: second ?? { kind: 'any' } }
    case 'tuple':
    case 'Tuple':
      return { kind: 'tuple', of: shapes }
    case 'Union':
      return { kind: 'union', of: shapes }
    case 'Optional':
      return { kind: 'union', of: [first ?? { kind: 'any' }, { kind: 'null' }] }
    // A graph as a value.
    case 'Workflow':
      return { kind: 'any' }
  }
  return args.length === 0 && Object.hasOwn(PLAIN, name) ? (PLAIN[name] ?? { kind: 'any' }) : { kind: 'named', name, args: shapes }
}
