/** What `pullStream` makes a byte stream of. */
export interface PullStreamOptions<T> {
  /** Ends the stream early: client gone, or server stopping. */
  readonly signal: AbortSignal
  readonly start: (signal: AbortSignal) => AsyncIterable<T>
  readonly encode: (value: T) => Uint8Array
  /** Last bytes after a regular end, or after `signal`. */
  readonly end: () => Uint8Array
  /** Last bytes after an error. */
  readonly fail: (error: unknown) => Uint8Array
}

/**
 * An async iterable as a byte stream that is asked for the next value only when the last one was taken: a slow reader
 * slows the source, and nothing piles up. Cancelling the stream aborts the source.
 */
export function pullStream<T>(options: PullStreamOptions<T>): ReadableStream<Uint8Array> {
  const abort = new AbortController()
  const signal = AbortSignal.any([options.signal, abort.signal])
  let iterator: AsyncIterator<T> | undefined
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        try {
          iterator ??= options.start(signal)[Symbol.asyncIterator]()
          const next = await iterator.next()
          if (!next.done) {
            controller.enqueue(options.encode(next.value))
            return
          }
          controller.enqueue(options.end())
        } catch (error) {
          controller.enqueue(signal.aborted ? options.end() : options.fail(error))
        }
        controller.close()
      },
      async cancel() {
        abort.abort()
        await iterator?.return?.()
      },
    },
    { highWaterMark: 0 },
  )
}
