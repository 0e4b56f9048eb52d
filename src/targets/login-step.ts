/** One connection that a person opens at their terminal, so that everything after it needs no password. */
export interface LoginStep {
  /** For messages: the node. */
  readonly node: string
  /** Directory of the control socket, to be made first (0700). */
  readonly directory: string
  /** Where the connection listens. Left by one that was killed, it keeps ssh from sharing the next: to be removed where nothing lives. */
  readonly socket: string
  /** Run with the terminal attached; ends once the connection stands, and leaves it open in the background. */
  readonly open: readonly string[]
  /** Ends with 0 while the connection lives. */
  readonly check: readonly string[]
  /** Ends the connection. */
  readonly close: readonly string[]
}
