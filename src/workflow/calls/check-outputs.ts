import { readdir, stat } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import type { WorkerCall } from './worker-call.ts'

/** What `checkOutputs` found. */
export interface OutputsFound {
  /** Declared ports without a file, in the order of the declaration. */
  readonly missing: readonly string[]
  /** Of the port `*`: names of the elements' files, by number; undefined where it isn't declared. */
  readonly elements?: readonly string[]
}

/**
 * Which outputs of a call are there: a file for each declared port. The port `*` (`…/outputs/*`) stands for elements, files whose
 * name ends with a whole number; none at all is an empty list, and only a directory that is gone counts as missing.
 */
export async function checkOutputs(call: Pick<WorkerCall, 'args' | 'root'>): Promise<OutputsFound> {
  const missing: string[] = []
  let elements: readonly string[] | undefined
  for (const [port, path] of Object.entries(call.args.outputs)) {
    const absolute = resolve(call.root, path)
    if (port === '*') {
      elements = await elementNames(dirname(absolute))
      if (elements === undefined) missing.push(port)
    } else if (!(await isFile(absolute))) missing.push(port)
  }
  return { missing, ...(elements === undefined ? {} : { elements }) }
}

async function elementNames(directory: string): Promise<readonly string[] | undefined> {
  try {
    const numbered = (await readdir(directory)).flatMap((name) => {
      const number = /(?:^|-)(\d+)$/.exec(name)?.[1]
      return number === undefined ? [] : [{ name, number: Number(number) }]
    })
    return numbered.sort((a, b) => a.number - b.number).map(({ name }) => name)
  } catch {
    return undefined
  }
}

async function isFile(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isFile()
  } catch {
    return false
  }
}
