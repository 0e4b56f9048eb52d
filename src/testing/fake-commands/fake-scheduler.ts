/** What the fakes of all schedulers let a test do. */
export interface FakeScheduler {
  /** Directory of the commands, to be put first on PATH. */
  readonly path: string
  /** Environment to run things with: this process's, with `path` first on PATH. */
  readonly env: Readonly<Record<string, string>>
  /** The fake's clock, ms since the epoch. */
  now(): number
  /** Lets time pass at once; limits, begin times and the ends of histories take effect before it returns. */
  advance(ms: number): void
  /** Mends everything; what a hung server had accepted is carried out now, or lost with `lost`. */
  recover(options?: { readonly lost?: boolean }): void
  /** Every call of the command takes this much longer; real milliseconds, 0 ends it. */
  delay(command: string, ms: number): void
  /** The command's next output (stdout) is cut off after so many bytes. */
  truncateNextOutput(command: string, bytes: number): void
  /** How often a command was called; without a name, all of them. */
  calls(command?: string): number
  /** Command lines of all calls, oldest first. */
  callLines(): readonly string[]
  /** Ends every process it started, and removes what it wrote into its directory. */
  close(): Promise<void>
}
