import { randomBytes } from 'node:crypto'
import { toErrorJson } from '../errors.ts'
import type { Transport } from '../transports/transport.ts'
import type { CheckLine } from './check-line.ts'
import { hostLines, refusedLines } from './preflight-lines.ts'
import { cleanScript, type HostReport, lookScript, parseHostReport, preflightScript } from './preflight-script.ts'

/** ms a host has for each question. */
const ANSWER_MS = 60_000

/** One host of a target. */
export interface PreflightHost {
  readonly name: string
  /** GPUs as configured: how many, or which; undefined: all that are found. */
  readonly gpus?: number | readonly number[]
  /** Cores as configured. */
  readonly cpus?: number
  readonly transport: Transport
}

/** What a preflight goes by. */
export interface PreflightOptions {
  /** The target's name, for what to do. */
  readonly target: string
  /** Directory of bundles and jobs there. */
  readonly root: string
  /** As configured; undefined: found out. */
  readonly sharedHome?: boolean
  readonly signal: AbortSignal
  /** Epoch milliseconds. */
  now(): number
}

interface Answer {
  readonly host: PreflightHost
  readonly marker: string
  readonly report?: HostReport
  readonly error?: unknown
  /** The host's clock less this machine's, known to half of `tookMs` and half a second. */
  readonly skewMs: number
  readonly tookMs: number
}

/**
 * Asks all hosts of a target at once whether they can run jobs: reach, host key, authentication, clock, disk, shell, tools,
 * GPUs; then whether they see one home, by a marker that each writes and all look for. Never rejects for what a host said:
 * that is a line that failed, with what to do. The transports stay open: who made them closes them.
 */
export async function preflight(hosts: readonly PreflightHost[], options: PreflightOptions): Promise<readonly CheckLine[]> {
  const { root, signal } = options
  const id = randomBytes(6).toString('hex')
  const answers = await Promise.all(hosts.map((host, index) => ask(host, `.drover-check-${id}-${index}`, options)))
  const written = answers.filter(({ report }) => report !== undefined && report.unwritable === undefined)
  const markers = written.map(({ marker }) => marker)
  const seen = await Promise.all(
    (written.length > 1 ? written : []).map(async ({ host, marker }) => {
      const found = await host.transport.run(lookScript(root, markers), { timeoutMs: ANSWER_MS, signal }).catch(() => undefined)
      return found === undefined ? undefined : { marker, sees: markers.filter((other) => found.stdout.includes(`sees ${other}\n`)) }
    }),
  )
  // A marker that stays, because the host went away, is an empty hidden file; nothing depends on it.
  await Promise.all(
    written.map(({ host, marker }) => host.transport.run(cleanScript(root, marker), { timeoutMs: ANSWER_MS }).catch(() => undefined)),
  )
  const lines = answers.flatMap(({ host, report, error, skewMs, tookMs }) =>
    report === undefined ? refusedLines(host.name, toErrorJson(error)) : hostLines(host, report, { root, skewMs, tookMs }),
  )
  if (hosts.length < 2) return lines
  const unasked = answers.length - seen.filter((one) => one !== undefined).length
  return [
    ...lines,
    sharedLine(
      options,
      written.map(({ host }) => host.name),
      seen,
      unasked,
    ),
  ]
}

async function ask(host: PreflightHost, marker: string, { root, signal, now }: PreflightOptions): Promise<Answer> {
  try {
    // The first question makes the connection, so that the second measures the clock within one round trip.
    await host.transport.run(':', { timeoutMs: ANSWER_MS, signal })
    const begin = now()
    const clock = await host.transport.run('date +%s', { timeoutMs: ANSWER_MS, signal })
    const tookMs = now() - begin
    // `date +%s` cuts a second's fraction off, half a second on average.
    const skewMs = Number(clock.stdout.trim() || Number.NaN) * 1000 + 500 - (begin + tookMs / 2)
    const { stdout } = await host.transport.run(preflightScript(root, marker), { timeoutMs: ANSWER_MS, signal })
    return { host, marker, report: parseHostReport(stdout, now()), skewMs, tookMs }
  } catch (error) {
    return { host, marker, error, skewMs: Number.NaN, tookMs: 0 }
  }
}

type Seen = { readonly marker: string; readonly sees: readonly string[] } | undefined

/** True, false, or partly: said with the nodes' names. */
function sharedLine(options: PreflightOptions, names: readonly string[], seen: readonly Seen[], unasked: number): CheckLine {
  const check = 'shared home'
  const { sharedHome, target, root } = options
  const asked = seen.flatMap((one, index) => (one === undefined ? [] : [{ ...one, name: names[index] ?? '' }]))
  if (asked.length < 2) {
    return { check, ok: true, warning: true, detail: 'unknown: fewer than two nodes answered', fix: null }
  }
  const alone = asked.filter((one) => asked.every((other) => other === one || !one.sees.includes(other.marker)))
  const whole = asked.every((one) => asked.every((other) => one.sees.includes(other.marker)))
  const partly = unasked > 0 ? ` (${unasked} could not be asked)` : ''
  if (!whole && alone.length < asked.length) {
    const apart = asked.filter((one) => asked.some((other) => !one.sees.includes(other.marker))).map(({ name }) => name)
    const fix =
      sharedHome === true
        ? `Mount ${root} on all nodes, or: drover target edit ${target} --no-shared-home`
        : 'Nothing, or share it among all: nodes are served each by itself.'
    return {
      check,
      ok: sharedHome !== true,
      ...(sharedHome === true ? {} : { warning: true }),
      detail: `only some nodes see one ${root}: ${apart.join(', ')} do not see all of it${partly}`,
      fix: sharedHome === true ? fix : null,
    }
  }
  const detail = `${whole}: ${whole ? 'all nodes see one' : 'each node has its own'} ${root}${partly}`
  if (sharedHome === true && !whole)
    return { check, ok: false, detail: `${detail}, but the configuration says true`, fix: `drover target edit ${target} --no-shared-home` }
  if (sharedHome === false && whole)
    return {
      check,
      ok: true,
      warning: true,
      detail: `${detail}, but the configuration says false: code is sent to each (drover target edit ${target} --shared-home)`,
      fix: null,
    }
  return { check, ok: true, detail, fix: null }
}
