import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'

/** Times of one contestant, ms, one per round. */
export type Samples = Readonly<Record<string, readonly number[]>>

/** Middle value. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = Math.floor(sorted.length / 2)
  return sorted.length % 2 === 1
    ? (sorted[middle] ?? Number.NaN)
    : ((sorted[middle - 1] ?? Number.NaN) + (sorted[middle] ?? Number.NaN)) / 2
}

/** `12.3 ms (11.9-14.0)`. */
export function showTimes(values: readonly number[], unit = 'ms', divide = 1): string {
  const show = (value: number): string => (value / divide).toPrecision(3)
  return `${show(median(values))} ${unit} (${show(Math.min(...values))}-${show(Math.max(...values))})`
}

/** Runs the contestants in turn, round after round, so that a slow moment of the machine meets all of them. */
export async function interleave(rounds: number, contestants: Readonly<Record<string, () => Promise<number>>>): Promise<Samples> {
  const samples: Record<string, number[]> = Object.fromEntries(Object.keys(contestants).map((name) => [name, []]))
  for (let round = 0; round < rounds; round += 1) {
    const names = Object.keys(contestants)
    // The first place changes too.
    for (const name of [...names.slice(round % names.length), ...names.slice(0, round % names.length)]) {
      const time = await contestants[name]?.()
      if (time !== undefined) samples[name]?.push(time)
    }
  }
  return samples
}

/** Runs a command to its end, in our own directory or in `cwd`; ms. Throws when it fails. */
export async function timeCommand(
  command: string,
  args: readonly string[],
  environment: NodeJS.ProcessEnv = process.env,
  cwd?: string,
): Promise<number> {
  const start = performance.now()
  const child = spawn(command, args, { env: environment, cwd, stdio: ['ignore', 'ignore', 'pipe'] })
  let errors = ''
  child.stderr.on('data', (piece: Buffer) => {
    errors += piece.toString()
  })
  const [code] = (await once(child, 'close')) as [number | null]
  if (code !== 0) throw new Error(`${command} ${args.join(' ')}: exit ${code}\n${errors}`)
  return performance.now() - start
}

/** CPU time a process has used so far, ms. Linux. */
export function cpuMs(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? []
  // utime and stime, in ticks of 10 ms.
  return (Number(fields[11]) + Number(fields[12])) * 10
}

/** Memory a process holds, bytes. Linux. */
export function residentBytes(pid: number): number {
  return Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) * 1024
}

/** One line of the report. `ok` is undefined where there is no target or no peer. */
export interface Figure {
  readonly what: string
  readonly measured: string
  readonly target: string
  readonly ok?: boolean
}
