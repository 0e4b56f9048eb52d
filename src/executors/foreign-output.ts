/** File of an attempt directory that says where a script that is not ours writes: a line of JSON per output. */
export const NATIVE_OUTPUT = 'native_output'

/** Where a script that is not ours writes: absolute paths on the target. */
export interface ForeignOutput {
  /** Of an array: the scheduler's own index of the task. */
  readonly task?: number
  readonly stdout?: string
  readonly stderr?: string
}

/** Reads the file; lines that are none (one that is being written) are left out. */
export function parseForeignOutput(text: string): readonly ForeignOutput[] {
  return text.split('\n').flatMap((line): readonly ForeignOutput[] => {
    try {
      const value = JSON.parse(line) as unknown
      if (typeof value !== 'object' || value === null) return []
      const { task, stdout, stderr } = value as Readonly<Record<string, unknown>>
      return [
        {
          ...(typeof task === 'number' ? { task } : {}),
          ...(typeof stdout === 'string' ? { stdout } : {}),
          ...(typeof stderr === 'string' ? { stderr } : {}),
        },
      ]
    } catch {
      return []
    }
  })
}
