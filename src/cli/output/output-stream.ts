import type { Writable } from 'node:stream'

/** Thrown by a write to a pipe whose reader has gone (`drover logs … | head`). The command ends with 141, quietly. */
export class OutputClosed extends Error {
  override readonly name = 'OutputClosed'
}

/** Where a command writes. A write resolves when more may be written, so that a slow reader slows the source. */
export interface Output {
  readonly isTTY: boolean
  /** Width of the terminal; 80 where unknown. */
  readonly columns: number
  write(data: string | Uint8Array): Promise<void>
}

/** An output over a stream of the process. */
export function outputOf(stream: Writable & { readonly isTTY?: boolean; readonly columns?: number }): Output {
  let failure: Error | undefined
  let wake: () => void = () => {}
  stream.on('error', (error: NodeJS.ErrnoException) => {
    failure = error.code === 'EPIPE' ? new OutputClosed('the reader of this output has gone') : error
    wake()
  })
  stream.on('drain', () => wake())
  return {
    isTTY: stream.isTTY === true,
    get columns() {
      return stream.columns ?? 80
    },
    async write(data) {
      if (failure) throw failure
      if (!stream.write(data)) {
        await new Promise<void>((resolve) => {
          wake = resolve
          if (failure || !stream.writableNeedDrain) resolve()
        })
      }
      if (failure) throw failure
    },
  }
}
