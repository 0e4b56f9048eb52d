import type { ContainerRuntime } from './container.ts'
import type { Duration } from './durations.ts'
import type { LauncherKind } from './launcher.ts'
import type { Size } from './sizes.ts'
import type { FailureKind } from './states.ts'

// The keys of a task as TypeScript, named as in YAML, so that every page of the documentation holds for both. The types
// refuse what the schema refuses, as far as types can; the values run through the same checks.

type Never<Keys extends string> = { readonly [Key in Keys]?: never }
/** `4`, `4+`. */
export type CpusInput = number | `${number}` | `${number}+`
/** GB as a number, or `64GB`, `4GiB+`. */
export type MemoryInput = Size | `${Size}+` | `${number}x`
export type ConditionInput = 'ok' | 'any' | 'failed'

/** Which failures are retried: a kind, or one exit code. */
export type RetryConditionInput = FailureKind | `exit:${number}`
export type RetriesInput =
  | number
  | { readonly max: number; readonly when?: RetryConditionInput | readonly RetryConditionInput[]; readonly backoff?: Duration }

type ElementInput = string | number
/** Text includes its ends, as schedulers do (`0-9`: ten elements); a list or mapping excludes `stop`, as Python does. */
export type RangeInput =
  | number
  | `${number}-${number}`
  | `${number}-${number}:${number}`
  | readonly [start: number, stop: number]
  | readonly [start: number, stop: number, step: number]
  | { readonly start?: number; readonly stop: number; readonly step?: number }
interface ArrayForms {
  readonly count: number
  readonly range: RangeInput
  readonly values: readonly [ElementInput, ...ElementInput[]] | readonly ElementInput[]
  /** A text file; one element a line. */
  readonly file: string
  readonly matrix: Readonly<Record<string, readonly ElementInput[]>>
}
/** A number of elements, or exactly one of the forms. */
export type ArrayInput =
  | number
  | {
      [Form in keyof ArrayForms]: Pick<ArrayForms, Form> & Never<Exclude<keyof ArrayForms, Form>> & { readonly max_parallel?: number }
    }[keyof ArrayForms]

export type UpstreamInput =
  | string
  | { readonly task: string; readonly condition?: ConditionInput }
  | Readonly<Record<string, ConditionInput>>
export type AfterInput = string | readonly UpstreamInput[] | Readonly<Record<string, ConditionInput>>

export type AutostopInput =
  | boolean
  | number
  | `${number}${'' | 'm' | 'h' | 'd' | 'w'}`
  | { readonly idle_minutes?: number; readonly down?: boolean; readonly wait_for?: 'jobs_and_ssh' | 'jobs' | 'none' }

type AcceleratorsInput = string | readonly string[] | Readonly<Record<string, number | null>>
type AcceleratorKeys =
  | ({ readonly accelerators?: AcceleratorsInput } & Never<'gpus'>)
  | ({ readonly gpus?: AcceleratorsInput } & Never<'accelerators'>)
type PlaceKeys =
  | ({ readonly infra?: string } & Never<'cloud' | 'region' | 'zone'>)
  | ({ readonly cloud?: string; readonly region?: string; readonly zone?: string } & Never<'infra'>)
interface CandidateKeys {
  readonly cpus?: CpusInput
  readonly memory?: MemoryInput
  readonly accelerator_args?: {
    readonly runtime_version?: string
    readonly tpu_name?: string
    readonly tpu_vm?: boolean
    readonly gcp_queued_resource?: boolean
  }
  readonly instance_type?: string
  readonly use_spot?: boolean
  readonly disk_size?: Size
  readonly disk_tier?: 'low' | 'medium' | 'high' | 'ultra' | 'best' | 'none'
  readonly network_tier?: 'standard' | 'best'
  readonly local_disk?: string
  readonly max_hourly_cost?: number
  readonly image_id?: string | Readonly<Record<string, string>>
  readonly ports?: number | string | readonly (number | string)[]
  readonly labels?: Readonly<Record<string, string>>
  /** -1000 to 1000. */
  readonly priority?: number
  readonly priority_class?: string
  readonly autostop?: AutostopInput
  readonly job_recovery?: string | Readonly<Record<string, unknown>>
}
/** One candidate of `any_of` or `ordered`. */
export type ResourceCandidateInput = CandidateKeys & AcceleratorKeys & PlaceKeys
/** Resources of each node. */
export type ResourcesInput = ResourceCandidateInput &
  (
    | Never<'any_of' | 'ordered'>
    | ({ readonly any_of: readonly ResourceCandidateInput[] } & Never<'ordered'>)
    | ({ readonly ordered: readonly ResourceCandidateInput[] } & Never<'any_of'>)
  )

export interface StorageInput {
  readonly name?: string
  readonly source?: string | readonly string[]
  readonly store?: 's3' | 'gcs' | 'azure' | 'r2' | 'ibm' | 'oci' | 'nebius' | 'coreweave' | 'vastdata' | 'hf' | 'volume'
  readonly persistent?: boolean
  readonly mode?: 'MOUNT' | 'COPY' | 'MOUNT_CACHED'
  readonly mount_options?: string
  readonly type?: 'MODEL_CHECKPOINT_RO' | 'MODEL_CHECKPOINT_RW' | 'DATASET_RO' | 'DATASET_RW'
  readonly config?: Readonly<Record<string, unknown>>
}

/** The content of a mounted file. */
export interface FileTextInput {
  readonly text: string
}

type WorkdirForm = 'url' | 'git' | 'directory' | 'patterns' | 'parts' | 'link' | 'none'
type ChangesInput = 'refuse' | 'include' | 'ignore'
type Texts = string | readonly [string, ...string[]]
interface PatternsInput {
  readonly patterns: Texts
  /** Default: the directory of the task file. */
  readonly root?: string
}
interface WorkdirForms {
  readonly url: { readonly url: string; readonly ref?: string }
  readonly git: {
    /** A directory of a repository on this machine. */
    readonly git: string
    /** Default HEAD. */
    readonly ref?: string
    /** Relative to the top of the repository. */
    readonly subpath?: string
    /** Default true. */
    readonly submodules?: boolean
    /** Default refuse. */
    readonly uncommitted?: ChangesInput
    /** Default ignore. */
    readonly untracked?: ChangesInput
    /** Files beside the commit's. */
    readonly include?: string | PatternsInput | readonly [string | PatternsInput, ...(string | PatternsInput)[]]
  }
  readonly directory: { readonly directory: string; readonly keep_git?: boolean; readonly ignore_files?: boolean }
  readonly patterns: PatternsInput
  readonly parts: { readonly parts: Readonly<Record<string, string | WorkdirPartInput>>; readonly at_root?: boolean }
  readonly link: { readonly link: `/${string}` | '~' | `~/${string}` }
  readonly none: { readonly none: true }
}
type OneForm<Forms extends WorkdirForm> = {
  [Form in Forms]: WorkdirForms[Form] & Never<Exclude<WorkdirForm, Form>>
}[Forms]
/** One part of `workdir.parts`. */
export type WorkdirPartInput = OneForm<'url' | 'git' | 'directory' | 'patterns'>
/** A directory of this machine, or exactly one of the forms. */
export type WorkdirInput = string | OneForm<WorkdirForm>

type LauncherOptions<Kind extends LauncherKind, Keys> = { readonly kind: Kind } & { readonly [Key in keyof Keys]?: Keys[Key] }
type Streams = 0 | 1 | 2 | 3 | `${number}:${number}`
/** An image, or an image with how its container is made; see docs/containers.md. */
export type ContainerInput =
  | string
  | {
      readonly image?: string
      readonly runtime?: ContainerRuntime
      readonly mounts?: readonly (string | { readonly source: string; readonly target?: string; readonly read_only?: boolean })[]
      readonly user?: string
      readonly shm_size?: Size
      readonly network?: string
      readonly gpus?: 'job' | 'all' | 'none'
      readonly pull?: 'missing' | 'always' | 'never'
      readonly options?: readonly string[]
      readonly global_options?: readonly string[]
    }

/** A launcher by name, or with its options. */
export type LauncherInput =
  | LauncherKind
  | LauncherOptions<'single', Record<never, never>>
  | LauncherOptions<'mpirun', { program: string; args: readonly string[] }>
  | LauncherOptions<
      'torchrun',
      {
        max_restarts: number
        module: boolean
        no_python: boolean
        python: string
        port: number
        rdzv_conf: Readonly<Record<string, string | number | boolean>>
        monitor_interval: number
        log_dir: string
        redirects: Streams
        tee: Streams
        debug: boolean
      }
    >
  | LauncherOptions<'distributed', { spawn: boolean; port: number; debug: boolean }>
  | LauncherOptions<
      'optuna',
      {
        storage: string
        database: string
        study: string
        direction: 'minimize' | 'maximize'
        directions: readonly ('minimize' | 'maximize')[]
        dashboard: boolean | number
        python: string
        port: number
      }
    >

interface TaskKeys {
  /** Letters and digits, joined by `.`, `_` or `-`. */
  readonly name?: string
  /** Default `local`. */
  readonly target?: string
  /** Default 1. */
  readonly num_nodes?: number
  readonly resources?: ResourcesInput
  /** Null: must be given with the override `envs`. */
  readonly envs?: Readonly<Record<string, string | number | null>>
  /** Null: from the override `secrets` or the environment. */
  readonly secrets?: Readonly<Record<string, string | null>> | readonly `secrets:${string}`[]
  readonly workdir?: WorkdirInput
  readonly file_mounts?: Readonly<Record<string, string | StorageInput | FileTextInput>>
  readonly array?: ArrayInput
  readonly retries?: RetriesInput
  /** Per attempt and element; above 0. */
  readonly timeout?: Duration
  /** TERM to KILL; default 10 s. */
  readonly grace?: Duration
  readonly after?: AfterInput
  /** Globs relative to the work directory. */
  readonly collect?: string | readonly string[]
  readonly processes_per_node?: number
  readonly cpus_per_process?: number
  /** A container image; short for `container: {image}`. */
  readonly image?: string
  readonly container?: ContainerInput
  readonly launcher?: LauncherInput
  /** Options for the target's own kind: `partition`, `native`, … */
  readonly options?: Readonly<Record<string, unknown>>
  /** A script that lies on the target already: absolute, or below the home there (`~/job.sh`). In place of `run`. */
  readonly remote_script?: string
  /** Of `remote_script`. */
  readonly args?: readonly string[]
  readonly notify?: { readonly on_start?: string; readonly on_end?: string }
  readonly service?: Readonly<Record<string, unknown>>
  readonly volumes?: Readonly<Record<string, unknown>>
  readonly config?: Readonly<Record<string, unknown>>
  readonly event_callback?: string
  readonly managed_secrets?: readonly (string | Readonly<Record<string, { readonly mount_path?: string }>>)[]
  readonly api_server_access?: boolean
  readonly inputs?: Readonly<Record<string, number>>
  readonly outputs?: Readonly<Record<string, number>>
}

type PoolInput = {
  readonly workers?: number
  readonly min_workers?: number
  readonly max_workers?: number
  readonly queue_length_threshold?: number
  readonly upscale_delay_seconds?: number
  readonly downscale_delay_seconds?: number
}
/** A script, or one command with its arguments, which no shell splits. */
export type RunInput = string | readonly [string, ...string[]]
type WorkKeys =
  | { readonly run: RunInput; readonly setup?: string; readonly pool?: PoolInput }
  | { readonly run?: RunInput; readonly setup: string; readonly pool?: PoolInput }
  | { readonly run?: RunInput; readonly setup?: string; readonly pool: PoolInput }

/** One task. It has something to run, to set up, or is a pool. */
export type TaskInput = TaskKeys & WorkKeys

/** How several tasks belong together; the header document of a file. */
export type GroupInput =
  | ({ readonly name?: string; readonly execution?: 'graph' | 'serial' } & Never<'primary_tasks' | 'termination_delay'>)
  | {
      readonly name?: string
      readonly execution: 'parallel'
      readonly primary_tasks?: readonly string[]
      readonly termination_delay?: Duration | Readonly<Record<string, Duration>>
    }
