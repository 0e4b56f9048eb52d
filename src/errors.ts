/** Where something broke. Decides who can mend it: the writer of the file, the owner of the target, or Drover. */
export type ErrorLevel = 'input' | 'config' | 'staging' | 'transport' | 'scheduler' | 'task' | 'internal'

/** Every code an error of Drover can carry; stable, for programs. */
export type ErrorCode =
  | 'invalid_task'
  | 'invalid_config'
  | 'invalid_argument'
  | 'unsupported'
  | 'unknown_job'
  | 'ambiguous_job'
  | 'unknown_target'
  | 'missing_file'
  | 'missing_secret'
  | 'conflict'
  | 'staging_failed'
  | 'transport_failed'
  | 'rejected'
  | 'store_unusable'
  | 'store_newer'
  | 'supervisor_unreachable'
  | 'supervisor_elsewhere'
  | 'no_space'
  | 'no_permission'
  | 'aborted'
  | 'internal'

/** Facts beside an error's message. `command` holds no secret: secrets never stand on a command line. */
export interface ErrorDetails {
  readonly level: ErrorLevel
  /** True when the same call may succeed later without a change by a person. Default false. */
  readonly transient?: boolean
  readonly cause?: unknown
  readonly command?: string
  readonly exitCode?: number
  /** The last lines of the command's output. */
  readonly outputTail?: string
  /** What to do next; one sentence. Printed after the message. */
  readonly hint?: string
  /** Where in a file: 1-based. */
  readonly location?: { readonly file: string; readonly line: number; readonly column: number }
}

/** The one base class of what Drover throws. The message says what failed and on what; `hint` says what to do. */
export class DroverError extends Error {
  override readonly name: string = 'DroverError'
  readonly code: ErrorCode
  readonly level: ErrorLevel
  readonly transient: boolean
  readonly details: ErrorDetails

  constructor(code: ErrorCode, message: string, details: ErrorDetails) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause })
    this.code = code
    this.level = details.level
    this.transient = details.transient ?? false
    this.details = details
  }

  /** The message as a person reads it: place, what failed, what to do. */
  get display(): string {
    const { location, hint } = this.details
    const place = location ? `${location.file}:${location.line}:${location.column}: ` : ''
    return `${place}${this.message}${hint ? `\n  ${hint}` : ''}`
  }
}

/** The task file, a flag or an argument is wrong; nothing was started. */
export class InputError extends DroverError {
  override readonly name = 'InputError'
  constructor(code: ErrorCode, message: string, details: Omit<ErrorDetails, 'level'> = {}) {
    super(code, message, { ...details, level: 'input' })
  }
}

/** JSON form of an error, as `-o json` prints it and the HTTP API sends it. */
export interface ErrorJson {
  readonly code: ErrorCode
  readonly level: ErrorLevel
  readonly message: string
  readonly transient: boolean
  readonly hint?: string
  readonly location?: { readonly file: string; readonly line: number; readonly column: number }
  readonly exit_code?: number
  readonly output_tail?: string
}

/** Turns whatever was thrown into the documented JSON form. Foreign errors become `internal`. */
export function toErrorJson(error: unknown): ErrorJson {
  if (!(error instanceof DroverError)) {
    return { code: 'internal', level: 'internal', message: error instanceof Error ? error.message : String(error), transient: false }
  }
  const { hint, location, exitCode, outputTail } = error.details
  return {
    code: error.code,
    level: error.level,
    message: error.message,
    transient: error.transient,
    ...(hint === undefined ? {} : { hint }),
    ...(location === undefined ? {} : { location }),
    ...(exitCode === undefined ? {} : { exit_code: exitCode }),
    ...(outputTail === undefined ? {} : { output_tail: outputTail }),
  }
}

/** Rebuilds an error from its JSON form, on the client's side of the HTTP API. */
export function fromErrorJson(json: ErrorJson): DroverError {
  return new DroverError(json.code, json.message, {
    level: json.level,
    transient: json.transient,
    ...(json.hint === undefined ? {} : { hint: json.hint }),
    ...(json.location === undefined ? {} : { location: json.location }),
    ...(json.exit_code === undefined ? {} : { exitCode: json.exit_code }),
    ...(json.output_tail === undefined ? {} : { outputTail: json.output_tail }),
  })
}
