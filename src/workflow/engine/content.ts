import { readFileSync } from 'node:fs'
import { asWritten, readValue, writeValue } from '../values/codec.ts'
import type { Value } from '../values/value.ts'

/**
 * What a port holds: a value in memory, a file, or both. Ports that are linked share one object. A `Uint8Array` as value is the raw content of a file.
 */
export class Content {
  #value: Value | undefined
  #make: (() => Value) | undefined
  #path: string | undefined

  private constructor(value: Value | undefined, path: string | undefined) {
    this.#value = value
    this.#path = path
  }

  /** A value as it comes back from the file that is written of it. */
  static of(value: Value): Content {
    return new Content(asWritten(value), undefined)
  }

  /** A value that needs no such change: a builtin's result, a journal's bytes. */
  static written(value: Value): Content {
    return new Content(value, undefined)
  }

  /** A value that is made when somebody first asks for it. */
  static later(make: () => Value): Content {
    const content = new Content(undefined, undefined)
    content.#make = make
    return content
  }

  /** A file, read only when somebody asks for its value. */
  static file(path: string): Content {
    return new Content(undefined, path)
  }

  /** Absolute; undefined while it lies in memory alone. */
  get path(): string | undefined {
    return this.#path
  }

  /** Notes that the same content also lies in this file. */
  set path(path: string) {
    this.#path = path
  }

  /** True where the value is at hand without reading a file. */
  get inMemory(): boolean {
    return this.#value !== undefined || this.#make !== undefined
  }

  /** Reads the file where there is no value yet; that is not kept. Throws what reading throws. */
  get value(): Value {
    if (this.#make !== undefined) {
      this.#value = this.#make()
      this.#make = undefined
    }
    if (this.#value !== undefined) return this.#value
    return readFileSync(this.#path ?? '')
  }

  /** The content of the port's file. */
  get bytes(): Uint8Array {
    return writeValue(this.value)
  }

  /** The value as a reader without types gets it. */
  get read(): Value {
    const { value } = this
    return value instanceof Uint8Array ? readValue(value) : value
  }

  /** Exactly the bytes `true`, as `ifelse` asks. */
  get isTrue(): boolean {
    const { value } = this
    return value === true || (value instanceof Uint8Array && Buffer.from(value.buffer, value.byteOffset, value.byteLength).equals(TRUE))
  }
}

const TRUE = Buffer.from('true')
