/**
 * What the user wrote, checked: the result of `parseTaskFile` and of the TypeScript builder. A superset of SkyPilot's
 * task YAML (docs/source/reference/yaml-spec.rst and sky/utils/schemas.py, mid 2026). Types only.
 */
import type { ContainerSpec } from './container.ts'
import type { LauncherSpec } from './launcher.ts'

/** What to run: a shell script, or one command with its arguments (`drover run -- echo hi`), never re-split. */
export type RunSpec = { readonly kind: 'script'; readonly text: string } | { readonly kind: 'argv'; readonly argv: readonly string[] }

/** A number with SkyPilot's "at least" mark: `4` or `4+`. */
export interface Amount {
  readonly value: number
  readonly atLeast: boolean
}

/** One accelerator choice: type (as written, `H100`), count per node (may be fractional), `atLeast` memory form kept raw. */
export interface AcceleratorChoice {
  readonly type: string
  readonly count: number
  /** Minimum memory per device in bytes, from `80GB+`; then `type` is `*` or a vendor. */
  readonly minMemoryBytes?: number
}

/** Resources per node. One candidate; `any_of` and `ordered` give several. Keys without local meaning stay in `raw`. */
export interface ResourceCandidate {
  readonly cpus?: Amount
  /** Bytes. */
  readonly memoryBytes?: Amount
  /** Alternatives; empty means none asked. */
  readonly accelerators: readonly AcceleratorChoice[]
  /** True when the alternatives are in order of preference (list form). */
  readonly acceleratorsOrdered: boolean
  readonly diskSizeBytes?: number
  /** -1000..1000, default 0; larger is earlier. */
  readonly priority?: number
  readonly autostop?: AutostopSpec
  /** Every key of this candidate as the user wrote it (YAML 1.1 values applied), for refusal and for other targets. */
  readonly raw: Readonly<Record<string, unknown>>
}

export interface AutostopSpec {
  /** Idle time, ms; undefined with `enabled: false`. */
  readonly idleMs?: number
  readonly enabled: boolean
  readonly down: boolean
  readonly waitFor: 'jobs_and_ssh' | 'jobs' | 'none'
}

/** `any_of` and plain resources: order is free. `ordered`: first that fits. At least one candidate. */
export interface ResourcesSpec {
  readonly ordered: boolean
  readonly candidates: readonly ResourceCandidate[]
}

/** Globs, and the directory they start from. What they match lands at its path relative to that directory. */
export interface PatternsSpec {
  readonly patterns: readonly string[]
  /** Absolute. */
  readonly root: string
}

/** What is done about changes that are not in the commit. */
export type ChangesPolicy = 'refuse' | 'include' | 'ignore'

/** One source of code on this machine, or a repository elsewhere. */
export type WorkdirPartSpec =
  | {
      readonly kind: 'directory'
      readonly path: string
      /** Default false: `.git` is left out. */
      readonly keepGit?: boolean
      /** Default true: .gitignore, .skyignore and .droverignore count. */
      readonly ignoreFiles?: boolean
    }
  | { readonly kind: 'git'; readonly url: string; readonly ref?: string }
  /** A commit of the repository that holds `path` on this machine. */
  | {
      readonly kind: 'git_archive'
      readonly path: string
      /** Default HEAD. */
      readonly ref?: string
      /** Relative to the top of the repository; that directory becomes the work directory. */
      readonly subpath?: string
      readonly submodules: boolean
      readonly uncommitted: ChangesPolicy
      readonly untracked: ChangesPolicy
      /** Files beside the commit's; without `root` relative to the top of the repository. */
      readonly include: readonly { readonly patterns: readonly string[]; readonly root?: string }[]
    }
  | ({ readonly kind: 'patterns' } & PatternsSpec)

/** Where the code comes from. */
export type WorkdirSpec =
  | WorkdirPartSpec
  | {
      readonly kind: 'parts'
      /** True: all parts lie in the work directory itself; false: each in its folder. */
      readonly atRoot: boolean
      readonly parts: readonly { readonly folder: string; readonly source: WorkdirPartSpec }[]
    }
  /** Run in that directory of the target as it is, without a copy; what a bare command does on the local target. May begin with `~/`. */
  | { readonly kind: 'link'; readonly path: string }

/** A file mount: destination on the node → source here, or a bucket (refused where the target cannot mount). */
export interface FileMountSpec {
  readonly destination: string
  readonly source:
    | { readonly kind: 'local'; readonly path: string }
    | { readonly kind: 'uri'; readonly uri: string }
    /** The content of a file, as it stands. */
    | { readonly kind: 'text'; readonly text: string }
    | { readonly kind: 'storage'; readonly storage: Readonly<Record<string, unknown>> }
}

/** An array: `size` elements; the value forms below give `DROVER_ARRAY_VALUE` or a matrix's parameters. */
export interface ArraySpec {
  readonly elements:
    | { readonly kind: 'count'; readonly count: number }
    /** `stop` is excluded, `step` at least 1. */
    | { readonly kind: 'range'; readonly start: number; readonly stop: number; readonly step: number }
    /** Values in order, as strings (from `values`, or the lines of `file`). */
    | { readonly kind: 'values'; readonly values: readonly string[] }
    /** Cartesian product, the last parameter varying fastest. */
    | { readonly kind: 'matrix'; readonly parameters: readonly { readonly name: string; readonly values: readonly string[] }[] }
  /** Number of elements; at least 1. */
  readonly size: number
  /** Most elements at one time; undefined: what the target's capacity allows. */
  readonly maxParallel?: number
}

/** One condition of `retries.when`: a failure kind, or a certain exit code. */
export type RetryCondition = { readonly kind: string } | { readonly exitCode: number }

export interface RetriesSpec {
  /** Retries after the first attempt; 0: none. */
  readonly max: number
  /** Which causes are retried. Default when `max` is given: every failure but `dependency`, `rejected`. */
  readonly when: readonly RetryCondition[]
  /** Wait before the next attempt; doubled each time. Default 0. */
  readonly backoffMs: number
}

/** An upstream task of the same file (or job id) and the condition under which this one starts. */
export interface AfterSpec {
  /** Name of a task of the same file, or `job:<id>`. */
  readonly task: string
  /** `ok`: it succeeded. `any`: it ended. `failed`: it failed. */
  readonly condition: 'ok' | 'any' | 'failed'
}

export interface NotifySpec {
  readonly onStart?: string
  readonly onEnd?: string
}

export interface TaskSpec {
  /** The container that setup and run happen in; `image` is empty where only `resources.image_id` names it. Undefined: none asked by these keys. */
  readonly container?: ContainerSpec
  readonly name?: string
  /** Default `local`. */
  readonly target: string
  /** Default 1. */
  readonly numNodes: number
  readonly resources: ResourcesSpec
  readonly envs: Readonly<Record<string, string>>
  /** Values, in memory only: never in a plan, log, event or error. */
  readonly secrets: Readonly<Record<string, string>>
  readonly workdir?: WorkdirSpec
  readonly fileMounts: readonly FileMountSpec[]
  readonly setup?: string
  readonly run: RunSpec
  /** It holds its nodes for other jobs: what runs is Drover's agent, on the head node. Ends by itself after `idleMs` without a job. */
  readonly holder?: { readonly idleMs?: number }
  /** A script that lies on the target already and is submitted as it is; `run` is empty then. */
  readonly remoteScript?: { readonly path: string; readonly args: readonly string[] }
  readonly array?: ArraySpec
  readonly retries: RetriesSpec
  /** Per attempt and per element; covers setup and run. */
  readonly timeoutMs?: number
  /** TERM to KILL. Default 10 s. */
  readonly graceMs: number
  readonly after: readonly AfterSpec[]
  /** Globs relative to the work directory. */
  readonly collect: readonly string[]
  /** Explicit, else GPUs per node, else 1. */
  readonly processesPerNode?: number
  readonly cpusPerProcess?: number
  /** How processes start; absent: the command once per node. */
  readonly launcher?: LauncherSpec
  readonly notify: NotifySpec
  /** Options for the target's own kind (`partition`, `native`, …), over those of its configuration; that executor checks them. */
  readonly options?: Readonly<Record<string, unknown>>
  /** Directory that relative paths of the file were resolved against (absolute). */
  readonly baseDirectory: string
  /** Keys that need a target of another kind (`service`, `pool`, `volumes`, `config`, …), as written. */
  readonly foreign: Readonly<Record<string, unknown>>
  /** Every top-level key the user wrote, with its value after YAML 1.1 and interpolation, secrets left out; for `plan`. */
  readonly written: Readonly<Record<string, unknown>>
}

/** One file: one task, or several joined by `after`, as a pipeline or as a parallel group. */
/** `TaskFile.source` of a bare command. */
export const COMMAND_SOURCE = '<command>'

export interface TaskFile {
  /** The file's name as given, or `<command>`. */
  readonly source: string
  /** Name of a pipeline or group header. */
  readonly groupName?: string
  readonly execution: 'graph' | 'serial' | 'parallel'
  /** Parallel groups: the tasks whose end ends the group; empty: all. */
  readonly primaryTasks: readonly string[]
  /** Parallel groups: wait before the others are ended, per task name; key `*` is the default. */
  readonly terminationDelayMs: Readonly<Record<string, number>>
  /** In file order. `serial` has already become `after: ok` on the one before. */
  readonly tasks: readonly TaskSpec[]
}
