import type { Drover } from '../../jobs/drover.ts'

/** How long requests are gathered before they go, ms. */
const GATHER_MS = 10

/** Sends requests to cancel, those for elements of one array together. */
export class JobCancels {
  readonly #drover: Pick<Drover, 'cancel'>
  readonly #asked = new Map<
    string,
    { readonly elements: Set<number>; readonly answered: PromiseWithResolvers<void>; timer: NodeJS.Timeout }
  >()

  constructor(drover: Pick<Drover, 'cancel'>) {
    this.#drover = drover
  }

  /** Asks the job, or one element of it, to end. Resolves when that is on record; the end comes later. */
  async ask(jobId: string, element: number | null): Promise<void> {
    if (element === null) {
      await this.#drover.cancel(jobId, { by: 'workflow' })
      return
    }
    const known = this.#asked.get(jobId)
    if (known !== undefined) {
      known.elements.add(element)
      return await known.answered.promise
    }
    const asked = {
      elements: new Set([element]),
      answered: Promise.withResolvers<void>(),
      timer: setTimeout(() => {
        this.#asked.delete(jobId)
        const elements = [...asked.elements].sort((a, b) => a - b)
        this.#drover.cancel(jobId, { elements, by: 'workflow' }).then(() => asked.answered.resolve(), asked.answered.reject)
      }, GATHER_MS),
    }
    this.#asked.set(jobId, asked)
    await asked.answered.promise
  }
}
