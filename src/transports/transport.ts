/** Result of one command on a host. `code` is undefined when a signal ended it and the transport can tell; a shell says 128 + n. */
export interface CommandResult {
  readonly code: number | undefined
  readonly stdout: string
  readonly stderr: string
}

/** One piece of a file: what lies from `offset` on. `missing`: the file is not there. */
export interface FilePiece {
  readonly path: string
  readonly offset: number
  readonly bytes: Uint8Array
  /** Size of the file now; 0 when missing. */
  readonly size: number
  readonly missing: boolean
}

export interface FileToWrite {
  /** Absolute. */
  readonly path: string
  readonly mode: number
  readonly content: string | Uint8Array
}

/**
 * How Drover reaches a host: runs, puts, gets, follows. Every method is one round trip, whatever the number of items.
 * Each rejects with DroverError `transport_failed` (level `transport`) when the host could not be asked, and with
 * `no_space` or `no_permission` (level `staging`) when the host refused.
 */
export interface Transport {
  /** For messages: `local`, `ssh gpu1`. */
  readonly name: string
  /** True where the files there are none of this machine. */
  readonly remote?: true
  /** Names of the nodes of a target that has several; absent: the transport reaches one machine, whose name is ''. */
  readonly nodes?: readonly string[]
  /** The transport of one node; absent where there is one machine. */
  at?(node: string): Transport
  /** Runs a POSIX sh script; stdin closed unless given. */
  run(
    script: string,
    options?: { readonly stdin?: string | Uint8Array; readonly timeoutMs?: number; readonly signal?: AbortSignal },
  ): Promise<CommandResult>
  /** Makes directories (0700, parents too) and writes files (given mode); replaces what is there, never through a link. */
  write(directories: readonly string[], files: readonly FileToWrite[]): Promise<void>
  /** Reads pieces of files; at most `maxBytes` each. */
  read(pieces: readonly { readonly path: string; readonly offset: number; readonly maxBytes: number }[]): Promise<readonly FilePiece[]>
  /** Calls back (coalesced) whenever the file grows or changes, until aborted; a missing file is awaited. */
  watch(path: string, onChange: () => void, signal: AbortSignal): void
  /** Puts a directory tree under `destination` (made new), modes and links kept. */
  putTree(source: string, entries: readonly string[], destination: string): Promise<void>
  /** Brings files matching the globs (relative to `directory`) to a local directory; resolves to the relative paths. */
  getTree(directory: string, globs: readonly string[], destination: string): Promise<readonly string[]>
  /** Removes trees; a missing one is no error. */
  remove(paths: readonly string[]): Promise<void>
  /** Starts detached processes in sessions of their own through the spawner; resolves when each has been started. */
  spawn(commands: readonly SpawnRequest[]): Promise<readonly SpawnResult[]>
  /** Sends a signal to processes or groups (negative pid), each only if pid, start time and boot id still match. */
  kill(processes: readonly ProcessIdentity[], signalName: 'TERM' | 'KILL' | 'INT', group: boolean): Promise<void>
  /** Which of these processes live; identity-checked. */
  alive(processes: readonly ProcessIdentity[]): Promise<readonly boolean[]>
  close(): Promise<void>
}

/** The transport of a node; of the machine itself where there is only one. */
export function transportAt(transport: Transport, node: string): Transport {
  return transport.at?.(node) ?? transport
}

/** A process for certain: a recycled pid is never taken for it. */
export interface ProcessIdentity {
  readonly pid: number
  /** Linux: field 22 of /proc/pid/stat (clock ticks since boot). Elsewhere: `ps -o lstart=` without spaces. */
  readonly startTime: string
  readonly bootId: string
}

export interface SpawnRequest {
  readonly argv: readonly string[]
  /** stdout and stderr, appended. */
  readonly logPath: string
  readonly cwd: string
}

export interface SpawnResult {
  readonly pid: number
  /** Identity of what was started, where the transport learned it at once (`-` when it had ended already). */
  readonly startTime?: string
  readonly bootId?: string
}
