/** The fake's clock: real time plus what tests have let pass. */
export class SlurmClock {
  #offsetMs = 0

  /** Milliseconds since the epoch. */
  now(): number {
    return Date.now() + this.#offsetMs
  }

  /** Lets time pass at once. */
  advance(ms: number): void {
    this.#offsetMs += ms
  }
}
