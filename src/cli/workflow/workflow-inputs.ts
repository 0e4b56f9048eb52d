import { readFileSync, statSync } from 'node:fs'
import { resolve } from 'node:path'
import { InputError } from '../../errors.ts'
import type { RunInput } from '../../workflow/run/run-directory.ts'
import { readValue, writeValue } from '../../workflow/values/codec.ts'
import { PythonError } from '../../workflow/values/python-error.ts'
import { isDict, type Value } from '../../workflow/values/value.ts'

/**
 * Inputs of a run from `-i`: a JSON file with one value per port, `port=JSON` (what is no JSON is text), or `port:FILE`, the file's
 * content as it is. Later ones stand over earlier ones. Throws InputError for a file that can't be read, or is no object.
 */
export function readInputFlags(flags: readonly string[], directory: string): ReadonlyMap<string, RunInput> {
  const inputs = new Map<string, RunInput>()
  for (const flag of flags) {
    const [, port = '', mark, rest = ''] = /^([^=:./]+)([=:])(.*)$/s.exec(flag) ?? []
    if (mark === '=') inputs.set(port, writeValue(readText(rest)))
    else if (mark === ':') inputs.set(port, { path: existing(resolve(directory, rest), flag) })
    else for (const [name, value] of readDocument(existing(resolve(directory, flag), flag))) inputs.set(name, writeValue(value))
  }
  return inputs
}

const FORMS = 'Give a JSON file with one value per port, port=JSON, or port:FILE.'

function readText(text: string): Value {
  try {
    return readValue(Buffer.from(text), 'json')
  } catch (error) {
    if (error instanceof PythonError) return text
    throw error
  }
}

function existing(path: string, flag: string): string {
  if (statSync(path, { throwIfNoEntry: false })?.isFile()) return path
  throw new InputError('missing_file', `-i ${flag}: there is no file ${path}`, { hint: FORMS })
}

function readDocument(path: string): ReadonlyMap<string, Value> {
  let value: Value
  try {
    value = readValue(readFileSync(path), 'json')
  } catch (error) {
    throw new InputError('invalid_argument', `-i ${path}: ${error instanceof Error ? error.message : String(error)}`, {
      hint: FORMS,
    })
  }
  if (isDict(value)) return value
  throw new InputError('invalid_argument', `-i ${path}: an object with one value per port is needed`, {
    hint: 'For a single port: -i port=JSON or -i port:FILE',
  })
}
