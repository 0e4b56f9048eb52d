/** What a launcher has to know beside the command when it is compiled; the rest it reads from the job's environment. */
export interface LaunchContext {
  readonly numNodes: number
  /** True when all nodes see one job directory. */
  readonly sharedHome: boolean
  /** The task's own variables: those with macros are set anew on the node. */
  readonly envs: Readonly<Record<string, string>>
  readonly secretNames: readonly string[]
}
