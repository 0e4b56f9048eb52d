/**
 * Files of a held cluster, below the attempt directory of the job that holds its nodes (`cluster/`), and of a job that runs
 * there. All exist from staging on and are appended to in place: they are read on by opening them again.
 */
export const heldPaths = {
  /** Lines `start <attempt directory>`, by Drover. */
  commands: 'cluster/commands',
  /** Lines `<epoch seconds> started <directory>`, `<seconds> ended <code> <directory>`, `<seconds> closed`, by the agent. */
  events: 'cluster/events',
  /** What the scheduler and the nodes say of themselves, ending with the line `drover-end`; by the agent, once. */
  nodes: 'cluster/nodes',
  /** In the attempt directory of a job: what the agent starts. */
  start: 'held.sh',
  /** The same, on the node where the driver runs. */
  step: 'held-step.sh',
  /** What each rank of a job of several nodes begins with. */
  rank: 'held-rank.sh',
  /** Lines `term`, or `slot <pid> <start time>`: who is to get TERM. Appended by Drover, or by the agent when it is ended. */
  stop: 'stop',
} as const
