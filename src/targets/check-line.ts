/** One line of a check, as `drover target check` prints it. */
export interface CheckLine {
  readonly check: string
  readonly ok: boolean
  /** Well, but not as somebody wrote it, or not as well as it could be. */
  readonly warning?: boolean
  readonly detail: string
  readonly fix: string | null
}
