/** How often a target may be asked: a bucket that fills steadily and holds a burst. */
export interface QueryRate {
  readonly perMinute: number
  readonly burst: number
}

/** The queries that may still be made of one target. All its jobs share them, however many there are. */
export class QueryBudget {
  readonly #rate: QueryRate
  #tokens: number
  #at: number

  /** `now`: epoch ms. The bucket is full at first. */
  constructor(rate: QueryRate, now: number) {
    this.#rate = rate
    this.#tokens = rate.burst
    this.#at = now
  }

  #fill(now: number): void {
    const elapsed = Math.max(0, now - this.#at)
    this.#tokens = Math.min(this.#rate.burst, this.#tokens + (elapsed * this.#rate.perMinute) / 60_000)
    this.#at = Math.max(this.#at, now)
  }

  /** A query was made, allowed or not: what a person asks for is not refused, later ones wait for it. */
  spend(now: number): void {
    this.#fill(now)
    this.#tokens -= 1
  }

  /** How long one more query takes to come, ms. */
  get refillMs(): number {
    return 60_000 / this.#rate.perMinute
  }

  /** How long until a query may be made, ms; 0: now. */
  waitMs(now: number): number {
    this.#fill(now)
    return this.#tokens >= 1 ? 0 : Math.ceil(((1 - this.#tokens) * 60_000) / this.#rate.perMinute)
  }
}
