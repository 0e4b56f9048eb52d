import { type Context, Hono } from 'hono'
import { bodyLimit } from 'hono/body-limit'
import * as z from 'zod/mini'
import { DroverError, type ErrorJson, InputError, toErrorJson } from '../errors.ts'
import type { ClientOptions, Drover, ListFilter, LogQuery } from '../jobs/drover.ts'
import { STATES } from '../task/states.ts'
import type { TaskFile } from '../task/task-spec.ts'
import { pullStream } from './byte-streams.ts'
import { encodeLogFrame } from './log-frames.ts'
import { compareVersions } from './package-root.ts'
import { CLIENT_VERSION_HEADER, type ElementLine, type EventLine, MAX_BODY_BYTES, SERVER_VERSION_HEADER, statusOf } from './protocol.ts'

/** What the HTTP API is built over. */
export interface HttpApiOptions {
  readonly drover: Drover
  readonly version: string
  /** Aborted when the server stops: waits and streams end with a transient error, and clients come back. */
  readonly closing: AbortSignal
  /** Called by `POST /v1/supervisor/stop`, after the answer was handed over. Absent: refused. */
  readonly stop?: () => void
  /** Told of errors that are Drover's own, without bodies. */
  readonly onInternalError?: (message: string) => void
}

/** The parser of the client has checked the file; here only the outline is, so that a foreign body cannot go deep. */
const TEXTS = z.record(z.string(), z.string())
const COUNT = z.int().check(z.positive())
const POSITION = z.int().check(z.nonnegative())
const AMOUNT = z.number().check(z.nonnegative())
const SCRIPT = z.looseObject({ kind: z.literal('script'), text: z.string() })
const ARGV = z.looseObject({ kind: z.literal('argv'), argv: z.array(z.string()).check(z.minLength(1)) })
const TASK = z.looseObject({
  target: z.string(),
  numNodes: COUNT,
  run: z.union([SCRIPT, ARGV]),
  envs: TEXTS,
  secrets: TEXTS,
  resources: z.looseObject({ candidates: z.array(z.looseObject({})).check(z.minLength(1)) }),
  baseDirectory: z.string(),
})
const FILE = z.looseObject({
  source: z.string(),
  execution: z.enum(['graph', 'serial', 'parallel']),
  tasks: z.array(TASK).check(z.minLength(1)),
})
const POSITIONS = z.array(POSITION)
const SUBMIT = z.object({
  file: FILE,
  options: z.optional(z.object({ key: z.optional(z.string()), clientDirectory: z.optional(z.string()) })),
})
const LIST = z.object({
  states: z.optional(z.array(z.enum(STATES))),
  name: z.optional(z.string()),
  target: z.optional(z.string()),
  group: z.optional(z.string()),
  maxAgeMs: z.optional(AMOUNT),
  limit: z.optional(COUNT),
})
const EVENTS = z.object({ jobs: z.optional(z.array(z.string())), after: z.optional(POSITION) })
const LOGS = z.object({
  ranks: z.optional(POSITIONS),
  elements: z.optional(POSITIONS),
  streams: z.optional(z.array(z.enum(['stdout', 'stderr', 'setup', 'driver']))),
  attempt: z.optional(COUNT),
  follow: z.optional(z.boolean()),
  tail: z.optional(POSITION),
  cursors: z.optional(z.record(z.string(), POSITION)),
})
const WAIT = z.object({ until: z.optional(z.enum(['submitted', 'started', 'settled'])) })
const CANCEL = z.object({ elements: z.optional(POSITIONS), by: z.optional(z.string()) })
const RETRY = z.object({ elements: z.optional(z.union([POSITIONS, z.literal('failed')])), secrets: z.optional(TEXTS) })
const SETTLE = z.object({ as: z.enum(['succeeded', 'failed', 'cancelled']), reason: z.string().check(z.minLength(1)) })
const REMOVE = z.object({ selectors: z.array(z.string()).check(z.minLength(1)), force: z.optional(z.boolean()) })
const FETCH = z.object({ globs: z.optional(z.array(z.string())), to: z.optional(z.string()) })
const LOCATE = z.object({ rank: z.optional(POSITION) })
const PRUNE = z.object({ olderThanMs: z.optional(AMOUNT), maxBytes: z.optional(AMOUNT), dryRun: z.optional(z.boolean()) })

/** Reads and checks a JSON body. The message names keys and what was expected, never a value: it may be a secret. */
async function body<T>(context: Context, schema: z.ZodMiniType<T>): Promise<T> {
  let json: unknown
  try {
    json = await context.req.json()
  } catch (cause) {
    throw new InputError('invalid_argument', `the body of ${context.req.path} is not JSON`, { cause })
  }
  const result = schema.safeParse(json)
  if (result.success) return result.data
  const issue = result.error.issues[0]
  throw new InputError(
    'invalid_argument',
    `the body of ${context.req.path} is wrong at "${issue?.path.join('.') ?? ''}": ${issue?.code ?? 'invalid'}`,
  )
}

/** zod says `T | undefined` for optional keys; JSON has no undefined, so an absent key is absent. */
function exact<T>(value: unknown): T {
  return value as T
}

/** Whose project the question is about: `?client_directory=`. */
function clientOf(context: Context): ClientOptions {
  const clientDirectory = context.req.query('client_directory')
  return clientDirectory === undefined ? {} : { clientDirectory }
}

function failure(context: Context, error: ErrorJson): Response {
  return context.json({ error }, statusOf(error))
}

const STOPPING = new DroverError('supervisor_unreachable', 'the supervisor is stopping', { level: 'transport', transient: true })

/** The versioned HTTP API over one `Drover`. Bodies and answers are JSON; logs are frames, events are lines of JSON. */
export function createHttpApi(options: HttpApiOptions): Hono {
  const { drover, version, closing } = options
  const app = new Hono()
  const signalOf = (context: Context): AbortSignal => AbortSignal.any([context.req.raw.signal, closing])
  const asJson = (error: unknown): ErrorJson => {
    const shown = toErrorJson(closing.aborted && error instanceof DroverError && error.code === 'aborted' ? STOPPING : error)
    if (shown.level === 'internal') options.onInternalError?.(error instanceof Error ? (error.stack ?? error.message) : shown.message)
    return shown
  }

  app.use(async (context, next) => {
    context.header(SERVER_VERSION_HEADER, version)
    const client = context.req.header(CLIENT_VERSION_HEADER)
    if (client !== undefined && compareVersions(client, version) > 0 && context.req.path !== '/v1/supervisor/stop') {
      return context.json(
        {
          error: toErrorJson(
            new DroverError('conflict', `the supervisor is older (${version}) than this drover (${client})`, { level: 'config' }),
          ),
        },
        426,
      )
    }
    return await next()
  })
  app.use(
    bodyLimit({
      maxSize: MAX_BODY_BYTES,
      onError: (context) => failure(context, toErrorJson(new InputError('invalid_argument', 'the request body is larger than 64 MiB'))),
    }),
  )
  app.onError((error, context) => {
    context.header(SERVER_VERSION_HEADER, version)
    return failure(context, asJson(error))
  })
  app.notFound((context) =>
    context.json(
      {
        error: toErrorJson(
          new InputError('unsupported', `the supervisor (version ${version}) has no ${context.req.method} ${context.req.path}`),
        ),
      },
      404,
    ),
  )

  app.get('/v1/status', async (context) => context.json(await drover.status()))
  app.post('/v1/supervisor/stop', (context) => {
    if (options.stop === undefined)
      throw new InputError('unsupported', 'this supervisor belongs to another program and cannot be stopped from here')
    setImmediate(options.stop)
    return context.json({ pid: process.pid })
  })

  app.post('/v1/jobs', async (context) => {
    const { file, options: submit } = await body(context, SUBMIT)
    return context.json(await drover.submit(exact<TaskFile>(file), exact(submit ?? {})), 201)
  })
  app.post('/v1/plan', async (context) => {
    const { file, options: client } = await body(context, SUBMIT)
    return context.json(await drover.plan(exact<TaskFile>(file), exact(client ?? {})))
  })
  app.post('/v1/list', async (context) => context.json(await drover.list(exact<ListFilter>(await body(context, LIST)))))
  app.post('/v1/remove', async (context) => {
    const { selectors, force } = await body(context, REMOVE)
    return context.json(await drover.remove(selectors, { force: force ?? false }))
  })
  app.post('/v1/prune', async (context) => context.json(await drover.prune(exact(await body(context, PRUNE)))))
  app.get('/v1/targets', async (context) => context.json(await drover.targets(clientOf(context))))
  app.get('/v1/clusters', async (context) => context.json(await drover.clusters()))
  app.post('/v1/targets/:name/check', async (context) =>
    context.json(await drover.checkTarget(context.req.param('name'), clientOf(context))),
  )

  app.get('/v1/jobs/:job', async (context) => context.json(await drover.get(context.req.param('job'))))
  app.get('/v1/jobs/:job/explain', async (context) => context.json(await drover.explain(context.req.param('job'))))
  app.post('/v1/jobs/:job/wait', async (context) => {
    const query = await body(context, WAIT)
    return context.json(
      await drover.wait(context.req.param('job'), { ...exact<Parameters<Drover['wait']>[1]>(query), signal: signalOf(context) }),
    )
  })
  app.post('/v1/jobs/:job/cancel', async (context) =>
    context.json(await drover.cancel(context.req.param('job'), exact(await body(context, CANCEL)))),
  )
  app.post('/v1/jobs/:job/retry', async (context) =>
    context.json(await drover.retry(context.req.param('job'), exact(await body(context, RETRY)))),
  )
  app.post('/v1/jobs/:job/settle', async (context) =>
    context.json(await drover.settle(context.req.param('job'), await body(context, SETTLE))),
  )
  app.post('/v1/jobs/:job/fetch', async (context) =>
    context.json(await drover.fetch(context.req.param('job'), exact(await body(context, FETCH)))),
  )
  app.post('/v1/jobs/:job/locate', async (context) =>
    context.json(await drover.locate(context.req.param('job'), exact(await body(context, LOCATE)))),
  )

  app.post('/v1/jobs/:job/logs', async (context) => {
    const query = await body(context, LOGS)
    const job = context.req.param('job')
    // Asked first, so that an unknown job is an HTTP error and not a stream that begins with one.
    await drover.get(job)
    const stream = pullStream({
      signal: signalOf(context),
      start: (signal) => drover.logs(job, { ...exact<LogQuery>(query), signal }),
      encode: (chunk) => encodeLogFrame({ kind: 'chunk', chunk }),
      end: () => encodeLogFrame(closing.aborted ? { kind: 'error', error: toErrorJson(STOPPING) } : { kind: 'end' }),
      fail: (error) => encodeLogFrame({ kind: 'error', error: asJson(error) }),
    })
    return context.body(stream, 200, { 'content-type': 'application/vnd.drover.logs' })
  })
  app.post('/v1/jobs/:job/elements', async (context) => {
    await body(context, z.object({}))
    const job = context.req.param('job')
    const { elements } = await drover.get(job)
    if (elements === null) throw new InputError('invalid_argument', `job ${job} is no array: it has no elements`, { hint: 'Use wait.' })
    const line = (value: ElementLine): Uint8Array => Buffer.from(`${JSON.stringify(value)}\n`)
    const stream = pullStream({
      signal: signalOf(context),
      start: (signal) => drover.elements(job, { signal }),
      encode: (element) => line({ element }),
      end: () => line(closing.aborted ? { error: toErrorJson(STOPPING) } : { end: true }),
      fail: (error) => line({ error: asJson(error) }),
    })
    return context.body(stream, 200, { 'content-type': 'application/x-ndjson' })
  })
  app.post('/v1/events', async (context) => {
    const query = await body(context, EVENTS)
    const line = (value: EventLine): Uint8Array => Buffer.from(`${JSON.stringify(value)}\n`)
    const stream = pullStream({
      signal: signalOf(context),
      start: (signal) => drover.events({ ...exact<{ jobs?: string[]; after?: number }>(query), signal }),
      encode: (event) => line({ event }),
      end: () => line(closing.aborted ? { error: toErrorJson(STOPPING) } : { end: true }),
      fail: (error) => line({ error: asJson(error) }),
    })
    return context.body(stream, 200, { 'content-type': 'application/x-ndjson' })
  })
  return app
}
