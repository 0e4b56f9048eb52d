import { DroverError, fromErrorJson, InputError } from '../errors.ts'
import type {
  CheckLine,
  ClientOptions,
  ClusterView,
  Drover,
  Explanation,
  Job,
  JobElement,
  JobEvent,
  JobLocation,
  ListFilter,
  LogChunk,
  LogQuery,
  PlanView,
  PruneOptions,
  SubmitOptions,
  SupervisorStatus,
  TargetView,
} from '../jobs/drover.ts'
import type { TaskFile } from '../task/task-spec.ts'
import { abortedError, type ConnectionOptions, HttpConnection } from './http-connection.ts'
import { decodeLogFrames } from './log-frames.ts'
import type { ElementLine, EventLine } from './protocol.ts'

/** How `connectDrover` reaches the supervisor, and what it may do when there is none. */
export type ConnectOptions = Omit<ConnectionOptions, 'socketPath'>

/** How often a stream is taken up again without having brought anything in between. */
const FRUITLESS_RESUMES = 3

type WaitOptions = NonNullable<Parameters<Drover['wait']>[1]>
type EventQuery = NonNullable<Parameters<Drover['events']>[0]>

function jobPath(selector: string, action?: string): string {
  // URLs take these for steps between folders, also when they are escaped.
  if (selector === '' || selector === '.' || selector === '..') throw new InputError('unknown_job', `no job "${selector}"`)
  return `/v1/jobs/${encodeURIComponent(selector)}${action === undefined ? '' : `/${action}`}`
}

/** A text that no other request has. It is no secret, and to load `node:crypto` costs a short command 5 ms. */
function newKey(): string {
  const random = (): string => Math.random().toString(36).slice(2)
  return `${Date.now().toString(36)}-${process.pid.toString(36)}-${random()}${random()}`
}

function clientQuery({ clientDirectory }: ClientOptions): string {
  return clientDirectory === undefined ? '' : `?client_directory=${encodeURIComponent(clientDirectory)}`
}

/** JSON has no Infinity: an unlimited capability travels as null. */
function reviveTarget(view: TargetView): TargetView {
  const { capabilities } = view
  const limit = (value: number | null): number => value ?? Number.POSITIVE_INFINITY
  return {
    ...view,
    capabilities: { ...capabilities, maxNodes: limit(capabilities.maxNodes), maxArraySize: limit(capabilities.maxArraySize) },
  }
}

function lostStream(cause: unknown): DroverError {
  return new DroverError('supervisor_unreachable', 'the connection to the supervisor was lost', {
    level: 'transport',
    transient: true,
    cause,
  })
}

async function* readLines<Line>(source: AsyncIterable<Buffer>): AsyncGenerator<Line> {
  const decoder = new TextDecoder()
  let rest = ''
  for await (const piece of source) {
    const lines = (rest + decoder.decode(piece, { stream: true })).split('\n')
    rest = lines.pop() ?? ''
    // Written by the route of the same protocol version.
    for (const line of lines) yield JSON.parse(line) as Line
  }
}

/** `Drover` over a supervisor's unix socket. Lost connections are taken up again where the call allows it. */
class DroverClient implements Drover {
  readonly #connection: HttpConnection
  readonly #resumes: boolean

  constructor(options: ConnectionOptions) {
    this.#connection = new HttpConnection(options)
    this.#resumes = options.start !== undefined
  }

  // Answers are what the supervisor's own `Drover` returned, sent by createHttpApi of the same protocol version.
  async #get<T>(path: string): Promise<T> {
    return (await this.#connection.json({ method: 'GET', path, repeatable: true })) as T
  }

  async #post<T>(path: string, body: unknown, repeatable: boolean, signal?: AbortSignal): Promise<T> {
    return (await this.#connection.json({ method: 'POST', path, body, repeatable, signal })) as T
  }

  async submit(file: TaskFile, options: SubmitOptions = {}): Promise<readonly Job[]> {
    // One key for all repetitions: an answer that was lost never makes a second job.
    const key = options.key ?? newKey()
    return await this.#post('/v1/jobs', { file, options: { ...options, key } }, true)
  }

  async plan(file: TaskFile, options: ClientOptions = {}): Promise<readonly PlanView[]> {
    return await this.#post('/v1/plan', { file, options }, true)
  }

  async list(filter: ListFilter = {}): Promise<readonly Job[]> {
    return await this.#post('/v1/list', filter, true)
  }

  async get(selector: string): Promise<Job> {
    return await this.#get(jobPath(selector))
  }

  async wait(selector: string, options: WaitOptions = {}): Promise<Job> {
    const { signal, ...rest } = options
    if (signal?.aborted) throw abortedError()
    return await this.#post(jobPath(selector, 'wait'), rest, true, signal)
  }

  async *events(query: EventQuery = {}): AsyncGenerator<JobEvent> {
    const { signal, ...rest } = query
    let after = rest.after
    for (let fruitless = 0; ; ) {
      try {
        const body = { ...rest, ...(after === undefined ? {} : { after }) }
        const response = await this.#connection.stream({ method: 'POST', path: '/v1/events', body, signal, repeatable: true })
        for await (const line of readLines<EventLine>(response)) {
          if ('end' in line) return
          if ('error' in line) throw fromErrorJson(line.error)
          fruitless = 0
          after = line.event.seq
          yield line.event
        }
        throw lostStream(undefined)
      } catch (error) {
        if (signal?.aborted) return
        fruitless += 1
        this.#resumable(error, fruitless)
      }
    }
  }

  async *elements(selector: string, { signal }: { readonly signal?: AbortSignal } = {}): AsyncGenerator<JobElement> {
    // Taken up again it tells all of them again: those that were told are left out.
    const told = new Set<number>()
    for (let fruitless = 0; ; ) {
      try {
        const response = await this.#connection.stream({
          method: 'POST',
          path: jobPath(selector, 'elements'),
          body: {},
          signal,
          repeatable: true,
        })
        for await (const line of readLines<ElementLine>(response)) {
          if ('end' in line) return
          if ('error' in line) throw fromErrorJson(line.error)
          if (told.has(line.element.position)) continue
          fruitless = 0
          told.add(line.element.position)
          yield line.element
        }
        throw lostStream(undefined)
      } catch (error) {
        if (signal?.aborted) return
        fruitless += 1
        this.#resumable(error, fruitless)
      }
    }
  }

  async *logs(selector: string, query: LogQuery = {}): AsyncGenerator<LogChunk> {
    const { signal, ...rest } = query
    let cursors = rest.cursors
    for (let fruitless = 0; ; ) {
      try {
        const body = { ...rest, ...(cursors === undefined ? {} : { cursors }) }
        const response = await this.#connection.stream({ method: 'POST', path: jobPath(selector, 'logs'), body, signal, repeatable: true })
        for await (const frame of decodeLogFrames(response)) {
          if (frame.kind === 'end') return
          if (frame.kind === 'error') throw fromErrorJson(frame.error)
          fruitless = 0
          cursors = { ...cursors, [frame.chunk.file]: frame.chunk.offset + frame.chunk.bytes.length }
          yield frame.chunk
        }
        throw lostStream(undefined)
      } catch (error) {
        if (signal?.aborted) return
        fruitless += 1
        this.#resumable(error, fruitless)
      }
    }
  }

  /** Returns when the stream may be taken up again; throws the error otherwise. */
  #resumable(error: unknown, fruitless: number): void {
    const lost = error instanceof DroverError ? error.code === 'supervisor_unreachable' : true
    if (lost && this.#resumes && fruitless <= FRUITLESS_RESUMES) return
    throw error instanceof DroverError ? error : lostStream(error)
  }

  async cancel(selector: string, options: { elements?: readonly number[]; by?: string } = {}): Promise<Job> {
    return await this.#post(jobPath(selector, 'cancel'), options, true)
  }

  async retry(selector: string, options: Parameters<Drover['retry']>[1] = {}): Promise<Job> {
    return await this.#post(jobPath(selector, 'retry'), options, false)
  }

  async settle(selector: string, options: Parameters<Drover['settle']>[1]): Promise<Job> {
    return await this.#post(jobPath(selector, 'settle'), options, false)
  }

  async remove(selectors: readonly string[], options: { force?: boolean } = {}): ReturnType<Drover['remove']> {
    return await this.#post('/v1/remove', { selectors, ...options }, false)
  }

  async fetch(selector: string, options: { globs?: readonly string[]; to?: string } = {}): ReturnType<Drover['fetch']> {
    return await this.#post(jobPath(selector, 'fetch'), options, true)
  }

  async explain(selector: string): Promise<Explanation> {
    return await this.#get(jobPath(selector, 'explain'))
  }

  async locate(selector: string, options: { rank?: number } = {}): Promise<JobLocation> {
    return await this.#post(jobPath(selector, 'locate'), options, true)
  }

  async prune(options: PruneOptions): ReturnType<Drover['prune']> {
    return await this.#post('/v1/prune', options, false)
  }

  async targets(options: ClientOptions = {}): Promise<readonly TargetView[]> {
    return (await this.#get<readonly TargetView[]>(`/v1/targets${clientQuery(options)}`)).map(reviveTarget)
  }

  async clusters(): Promise<readonly ClusterView[]> {
    return await this.#get('/v1/clusters')
  }

  async checkTarget(name: string, options: ClientOptions = {}): Promise<readonly CheckLine[]> {
    return await this.#post(`/v1/targets/${encodeURIComponent(name)}/check${clientQuery(options)}`, undefined, true)
  }

  async status(): Promise<SupervisorStatus> {
    return await this.#get('/v1/status')
  }

  async close(): Promise<void> {
    this.#connection.close()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }
}

/** A `Drover` that asks the supervisor behind a unix socket. Nothing is sent before the first call. */
export function connectDrover(socketPath: string, options: ConnectOptions): Drover {
  return new DroverClient({ ...options, socketPath })
}

/** Asks the supervisor behind a socket to stop. Resolves to its process id; undefined where there was none. Its jobs run on. */
export async function requestStop(socketPath: string, version: string): Promise<number | undefined> {
  const connection = new HttpConnection({ socketPath, version })
  try {
    const answer = await connection.json({ method: 'POST', path: '/v1/supervisor/stop', repeatable: false })
    return typeof answer === 'object' && answer !== null && 'pid' in answer ? Number(answer.pid) : 0
  } catch (error) {
    if (error instanceof DroverError && error.code === 'supervisor_unreachable') return undefined
    throw error
  } finally {
    connection.close()
  }
}
