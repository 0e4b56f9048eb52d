import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect } from 'vitest'
import type { Job } from '../../src/jobs/drover.ts'
import { isEndState } from '../../src/task/states.ts'
import { createTaskFile, until } from '../../src/testing/index.ts'
import { SshHome } from './ssh-home.ts'
import type { SshRig } from './ssh-rig.ts'

const MEGABYTES = 24

/** A home with targets `only1` to `only4`, each of one machine, so that cuts can lie side by side; all have been used once. */
export async function startCutHome(rig: SshRig): Promise<SshHome> {
  const home = new SshHome(rig, 'private')
  const target = (n: number) =>
    `  only${n}:\n    kind: ssh\n    root: ${home.root}\n    ssh_config: ${rig.configFile}\n    wait_for_nodes: 30m\n    nodes: [node${n}]\n`
  writeFileSync(join(home.base, '.config/drover/config.yaml'), `targets:\n${[1, 2, 3, 4].map(target).join('')}`)
  await home.start()
  const warm = await Promise.all([1, 2, 3, 4].map((n) => home.drover.submit(createTaskFile(`only${n}`, { run: 'true' }))))
  for (const [job] of warm) expect(await home.drover.wait(job?.id ?? '')).toMatchObject({ state: 'succeeded' })
  return home
}

/** Breaks or mends without holding up the other jobs of this test. */
const fault = (rig: SshRig, ...args: string[]) =>
  new Promise<void>((resolve, reject) => {
    const script = join(import.meta.dirname, 'rig/fault.sh')
    execFile('bash', [script, '--dir', rig.directory, ...args], (error) => (error === null ? resolve() : reject(error)))
  })

/** How each phase is made long enough to be cut in, and known. */
const PHASES = {
  staging: { slowMs: 800, state: 'staging' },
  submit: { slowMs: 800, state: 'submitting' },
  setup: { slowMs: 0, state: 'starting' },
  run: { slowMs: 0, state: 'running' },
  collecting: { slowMs: 800, state: 'finishing' },
} as const
type Phase = keyof typeof PHASES

/**
 * Cuts the network of a machine in a phase of a job, and heals it: the job ends as if nothing had been, its script has run
 * once, and nothing is left.
 */
async function cut(home: SshHome, phase: Phase, seconds: number, node: number): Promise<void> {
  const { rig } = home
  const name = `${phase}-${seconds}`
  const workdir = join(home.directory, name)
  mkdirSync(workdir)
  const data = randomBytes(phase === 'staging' ? MEGABYTES << 20 : 1000)
  writeFileSync(join(workdir, 'data'), data)
  const { slowMs, state } = PHASES[phase]
  const reached = async (job: Job) => (await home.drover.get(job.id)).state === state
  const file = createTaskFile(`only${node}`, {
    name,
    ...(phase === 'submit' ? {} : { workdir: { kind: 'directory', path: workdir } }),
    setup: `echo setup >>"$HOME/ran-$DROVER_JOB_ID"; sleep ${phase === 'setup' ? 8 : 0}`,
    run: `echo run >>"$HOME/ran-$DROVER_JOB_ID"; echo begin; sleep ${phase === 'run' ? 8 : phase === 'collecting' ? 3 : 0}; head -c ${MEGABYTES << 20} /dev/zero >out; echo end; exit 3`,
    collect: phase === 'collecting' ? ['out'] : [],
  })
  if (slowMs > 0 && phase !== 'collecting') await fault(rig, 'slow-network', String(node), String(slowMs))
  const [job] = await home.drover.submit(file)
  if (!job) throw new Error('no job')
  if (phase === 'collecting') {
    await until('the job to run', 60_000, async () => (await home.drover.get(job.id)).state !== 'queued')
    await fault(rig, 'slow-network', String(node), String(slowMs))
  }
  await until(`${name}: its phase`, 60_000, async () => {
    if ((await home.drover.get(job.id)).state === 'failed') throw new Error(`${name} ended before it was cut`)
    return await reached(job)
  })
  await fault(rig, 'cut-network', String(node))
  expect(await reached(job), `${name} was to be cut in its phase`).toBe(true)
  await sleep(seconds * 1000)
  const during = await home.drover.get(job.id)
  await fault(rig, 'heal-network', String(node))
  // Of what cannot be seen nothing is said.
  expect(isEndState(during.state), `${name} while it is cut: ${JSON.stringify(during.cause)}`).toBe(false)
  const ended = await home.drover.wait(job.id)
  expect(ended, name).toMatchObject({ state: 'failed', attempt: 1, cause: { kind: 'exit', code: 3 } })
  const pieces: Uint8Array[] = []
  for await (const chunk of home.drover.logs(job.id)) pieces.push(chunk.bytes)
  expect(Buffer.concat(pieces).toString(), name).toBe('begin\nend\n')
  expect(rig.as(`node${node}`, 'cat', `ran-${job.id}`), name).toBe('setup\nrun\n')
  rig.as(`node${node}`, 'rm', `ran-${job.id}`)
  if (phase === 'collecting') expect(readFileSync(join(ended.collected ?? '/nowhere', 'out')).length, name).toBe(MEGABYTES << 20)
  if (phase === 'staging') {
    const there = rig.as(`node${node}`, 'cksum', `${home.root}/jobs/${job.id}/work/0/data`).split(' ')[0]
    expect(Number(there), name).toBe(await sumOf(join(workdir, 'data')))
  }
  expect(
    rig.processes(`node${node}`).filter((line) => line.includes(`${home.root}/jobs/${job.id}`)),
    name,
  ).toEqual([])
}

const sumOf = (path: string) =>
  new Promise<number>((resolve, reject) => {
    execFile('cksum', [path], (error, stdout) => (error === null ? resolve(Number(stdout.split(' ')[0])) : reject(error)))
  })

/** Cuts in these phases for so many seconds, side by side on a machine each; all are seen to their ends before one fails. */
export async function cutTogether(home: SshHome, cases: readonly (readonly [Phase, number])[]): Promise<void> {
  const outcomes = await Promise.allSettled(cases.map(([phase, seconds], at) => cut(home, phase, seconds, at + 1)))
  const failed = outcomes.flatMap((outcome) => (outcome.status === 'rejected' ? [String(outcome.reason)] : []))
  expect(failed).toEqual([])
}
