import type { ErrorJson, ErrorLevel } from '../errors.ts'
import type { JobElement, JobEvent } from '../jobs/drover.ts'

/** Response header with the version of the supervisor that answered. */
export const SERVER_VERSION_HEADER = 'drover-version'
/** Request header of a client that is able to replace an older supervisor; answered with 426 where that is due. */
export const CLIENT_VERSION_HEADER = 'drover-client-version'
/** Largest request body, bytes: a task file with its scripts and secrets. */
export const MAX_BODY_BYTES = 64 * 1024 * 1024

/** One line of the event stream. The last is `end` or `error`; a stream without one was cut off. */
export type EventLine = { readonly event: JobEvent } | { readonly end: true } | { readonly error: ErrorJson }

/** One line of the stream of elements, closed in the same way. */
export type ElementLine = { readonly element: JobElement } | { readonly end: true } | { readonly error: ErrorJson }

const STATUS_BY_LEVEL: Readonly<Record<ErrorLevel, 400 | 422 | 500 | 502>> = {
  input: 400,
  config: 422,
  staging: 502,
  transport: 502,
  scheduler: 502,
  task: 422,
  internal: 500,
}

/** HTTP status of an error: by level, with the few codes that HTTP has a word for. */
export function statusOf(error: ErrorJson): 400 | 404 | 409 | 422 | 500 | 502 | 503 {
  if (error.code === 'unknown_job' || error.code === 'unknown_target') return 404
  if (error.code === 'conflict' || error.code === 'ambiguous_job') return 409
  if (error.code === 'supervisor_unreachable') return 503
  return STATUS_BY_LEVEL[error.level]
}
