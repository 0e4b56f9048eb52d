import { availableParallelism } from 'node:os'

/** How Python workers are run; all but the registry has a default. */
export interface UvExecutorOptions {
  /** Folders of worker folders, absolute; the first that has a worker's folder counts. */
  readonly registries: readonly string[]
  /** Variables of every call, over those that Drover was started with. `TKR_DIR` among them takes the place of the call's own root. */
  readonly env?: Readonly<Record<string, string>>
  /** The Python that uv takes, in uv's words (`3.12`, a path); default: what the worker's project says, else what uv finds. */
  readonly python?: string
  /** Import a worker once and fork for each call. False: one interpreter per call. Default true. */
  readonly warm?: boolean
  /** Most calls at one time; default: the number of cores. */
  readonly maxParallel?: number
  /** uv asks no index: what is needed lies in its cache, or the check says what doesn't. Default false. */
  readonly offline?: boolean
  /** uv itself; default: `uv` on PATH. */
  readonly uv?: string
  /** A warm worker without calls ends after this time. Default 60,000. */
  readonly idleMs?: number
  /** Told once for each worker that can't be kept warm, and of a host that died. Default: nobody. */
  readonly onNote?: (note: string) => void
}

/** The options with their defaults. */
export interface UvSettings extends Required<Omit<UvExecutorOptions, 'python'>> {
  readonly python: string | undefined
}

export function uvSettings(options: UvExecutorOptions): UvSettings {
  return {
    registries: options.registries,
    env: options.env ?? {},
    python: options.python,
    warm: options.warm ?? true,
    maxParallel: options.maxParallel ?? availableParallelism(),
    offline: options.offline ?? false,
    uv: options.uv ?? 'uv',
    idleMs: options.idleMs ?? 60_000,
    onNote: options.onNote ?? (() => {}),
  }
}
