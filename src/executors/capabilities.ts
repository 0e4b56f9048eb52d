/** What an executor can do, as data: callers ask this, never for a kind. */
export interface Capabilities {
  /** Most nodes per job; `Infinity` where only the inventory limits. */
  readonly maxNodes: number
  /** `native`: the scheduler has arrays. `packed`: one driver runs many elements. */
  readonly arrays: 'native' | 'packed' | 'none'
  readonly maxArraySize: number
  /** `native`: handed to the scheduler; `supervisor`: the dependent is released by Drover. */
  readonly dependencies: 'native' | 'supervisor'
  /** How setup on all nodes is kept before run on any. */
  readonly gate: 'launch' | 'file' | 'supervisor'
  /** Who ends a job at its time limit. */
  readonly timeLimit: 'scheduler' | 'runner'
  /** Who decides when there is room: the target's scheduler, or Drover's slots. */
  readonly capacity: 'scheduler' | 'slots'
  /** True where a written file is seen by a reader at once; false behind a network file system's caches. */
  readonly strongFiles: boolean
  /** Who puts an attempt's files there: Drover before the submit (`before`), or the submit itself, in the same round trip. */
  readonly staging: 'before' | 'submit'
  /** How often the target may be asked for its jobs; absent: as often as Drover likes. Configuration can change it. */
  readonly queries?: { readonly perMinute: number; readonly burst: number }
  readonly containers: boolean
  /** Its launcher starts containers itself (runtime pyxis). Default false. */
  readonly launchesContainers?: boolean
  readonly gpus: boolean
  /** Task keys this executor cannot honour → the reason, for the refusal at plan time. Dotted: `resources.use_spot`. */
  readonly refusedKeys: Readonly<Record<string, string>>
}
