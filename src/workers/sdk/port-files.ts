import { randomBytes } from 'node:crypto'
import { rmSync } from 'node:fs'
import { constants, copyFile, mkdir, readdir, readFile, rename, stat, writeFile } from 'node:fs/promises'
import { basename, dirname, join, resolve } from 'node:path'
import { InputError } from '../../errors.ts'
import { readValue, writeValue } from '../../workflow/values/codec.ts'
import { PythonError } from '../../workflow/values/python-error.ts'
import type { Value } from '../../workflow/values/value.ts'
import { VALUE_DIALECTS, type ValueDialect } from '../../workflow/values/value-dialect.ts'
import type { PortType } from './port-type.ts'

/** Node reads no larger file at once. */
const MAX_IN_MEMORY = 2 ** 31 - 1

/** Whether the error says that a file is not there. */
export function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ENOTDIR')
}

/** The value of an input from its content. `place` names it in errors: `input "x"`. */
export function decodePort(content: Uint8Array, type: PortType<unknown>, place: string): unknown {
  let value: Value
  try {
    // This dialect reads complex numbers in both forms.
    value = readValue(content, type.format === 'bytes' ? 'bytes' : 'json', VALUE_DIALECTS['2.0.12'])
  } catch (error) {
    if (!(error instanceof PythonError)) throw error
    throw new InputError('invalid_argument', `${place} cannot be read: ${error.message}`, { cause: error })
  }
  return type.decode(value, place)
}

/** Reads an input's file; undefined where it is not there. Of a `file` port it only looks whether it is there. */
export async function readPort(path: string, type: PortType<unknown>, place: string): Promise<{ readonly value: unknown } | undefined> {
  try {
    const { size } = await stat(path)
    if (type.format === 'file') return { value: path }
    if (size > MAX_IN_MEMORY) {
      throw new InputError('invalid_argument', `${place} has ${size} bytes, too many to be read into memory: ${path}`, {
        hint: 'Declare the port as file: the task then gets its path.',
      })
    }
    return { value: decodePort(await readFile(path), type, place) }
  } catch (error) {
    if (isMissing(error)) return undefined
    throw error
  }
}

/** Files that a path with `*` in its last part names, by the number after the last `-` of their names. */
export async function elementFiles(pattern: string): Promise<readonly string[]> {
  const [before = '', after = ''] = basename(pattern).split('*')
  let names: readonly string[]
  try {
    names = await readdir(dirname(pattern))
  } catch (error) {
    if (isMissing(error)) return []
    throw error
  }
  const found = names.flatMap((name) => {
    const isMatch = name.length >= before.length + after.length && name.startsWith(before) && name.endsWith(after)
    const number = name.match(/(?:^|-)(\d+)$/)?.[1]
    return isMatch && !name.startsWith('.') && number !== undefined ? [{ name, number: Number(number) }] : []
  })
  return found.toSorted((a, b) => a.number - b.number).map(({ name }) => join(dirname(pattern), name))
}

/** Writes the outputs of one call: each under another name first, so that a file with a port's name is whole. */
export class OutputFiles {
  readonly #partial = new Set<string>()
  readonly #directories = new Set<string>()

  /** A name beside `target` that no listing of ports shows. */
  newFile(target: string): string {
    const path = join(dirname(target), `.${basename(target)}.${process.pid}-${randomBytes(4).toString('hex')}.partial`)
    this.#partial.add(path)
    return path
  }

  async write(target: string, type: PortType<unknown>, value: unknown, dialect: () => ValueDialect): Promise<void> {
    const place = `output "${basename(target)}"`
    const encoded = type.encode(value, place)
    if (!this.#directories.has(dirname(target))) {
      await mkdir(dirname(target), { recursive: true })
      this.#directories.add(dirname(target))
    }
    if (type.format === 'file') return await this.#take(target, String(encoded), place)
    let content: Uint8Array
    try {
      content = writeValue(encoded, dialect())
    } catch (error) {
      if (!(error instanceof PythonError)) throw error
      throw new InputError('invalid_argument', `${place} cannot be written: ${error.message}`, { cause: error })
    }
    const partial = this.newFile(target)
    await writeFile(partial, content)
    await this.#finish(partial, target)
  }

  /** Removes what was not finished; synchronous, for a process that ends. */
  discard(): void {
    for (const path of this.#partial) rmSync(path, { force: true })
    this.#partial.clear()
  }

  async #take(target: string, source: string, place: string): Promise<void> {
    const own = resolve(source)
    try {
      if (this.#partial.has(own)) return await this.#finish(own, target)
      const partial = this.newFile(target)
      await copyFile(own, partial, constants.COPYFILE_FICLONE)
      await this.#finish(partial, target)
    } catch (error) {
      if (isMissing(error)) throw new InputError('missing_file', `${place}: the task returned a file that is not there: ${own}`)
      throw error
    }
  }

  async #finish(partial: string, target: string): Promise<void> {
    await rename(partial, target)
    this.#partial.delete(partial)
  }
}
