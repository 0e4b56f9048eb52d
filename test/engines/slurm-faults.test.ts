import { readFileSync, writeFileSync } from 'node:fs'
import { setTimeout } from 'node:timers/promises'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import type { Job } from '../../src/jobs/drover.ts'
import { isEndState } from '../../src/task/states.ts'
import { until } from '../../src/testing/index.ts'
import { type CountedJob, endsCleanly, hasBegun, nativeIdOf, PATIENCE_MS, reaches, submitCounted } from './slurm-checks.ts'
import { SlurmHome } from './slurm-home.ts'
import { SshRig } from './ssh-rig.ts'

const rig = new SshRig('slurm')
let home: SlurmHome

/** Ends that were checked, and those that were not what had happened. */
let [ends, wrong] = [0, 0]

beforeAll(async () => {
  home = await new SlurmHome(rig, 'ssh', {}, { queriesPerMinute: 60, environment: { DROVER_PROOF_GRACE: '20' } }).start()
})
afterEach(() => {
  rig.fault('heal-all')
})
afterAll(async () => {
  await home.close()
  console.log(`wrong end states: ${wrong} of ${ends}`)
  expect(wrong).toBe(0)
})

/** A script that runs until it is let go, then ends with `code`. */
const waiting = (code: number): string => `while [ ! -e "$RUNS.go" ]; do sleep 0.1; done; exit ${code}`
const letGo = (job: CountedJob): void => writeFileSync(`${job.runs}.go`, '')

/** The true end of a job whose script ended with a code: counted, and the script ran once. */
async function endsWith(job: CountedJob, code: number): Promise<Job> {
  const ended = await endsCleanly(home, job)
  ends += 1
  const truth = { state: code === 0 ? 'succeeded' : 'failed', exit_code: code, attempt: 1 }
  if (Object.entries(truth).some(([key, value]) => ended[key as keyof Job] !== value)) wrong += 1
  expect(ended).toMatchObject(truth)
  return ended
}

/** A state that stands: looked at until the time is over, it never ends. */
async function staysOpen(ids: readonly string[], ms: number): Promise<void> {
  const end = performance.now() + ms
  while (performance.now() < end) {
    for (const id of ids) {
      const { state } = await home.drover.get(id)
      ends += 1
      if (isEndState(state) || state === 'lost') {
        wrong += 1
        throw new Error(`job ${id}, which runs, is said to be ${state}`)
      }
    }
    await setTimeout(500)
  }
}

const outages: readonly { readonly what: string; readonly breaks: string; readonly mends: string }[] = [
  { what: 'slurmctld stopped', breaks: 'stop-ctld', mends: 'start-ctld' },
  { what: 'slurmctld hung', breaks: 'hang-ctld', mends: 'thaw-ctld' },
  { what: 'slurmdbd killed', breaks: 'break-sacct', mends: 'mend-sacct' },
  { what: 'slurmdbd hung', breaks: 'hang-dbd', mends: 'thaw-dbd' },
  { what: 'munged killed', breaks: 'break-munge', mends: 'mend-munge' },
]

test.each(outages)('$what: what runs stands, what ends by its record ends, and all goes on afterwards', async ({ breaks, mends }) => {
  const [runs, ends7, ends0] = await Promise.all([waiting(3), waiting(7), waiting(0)].map((run) => submitCounted(home, { run })))
  if (!runs || !ends7 || !ends0) throw new Error('three jobs')
  for (const job of [runs, ends7, ends0]) {
    await hasBegun(job)
    await reaches(home, job.id, 'running', ({ state }) => state === 'running')
  }
  rig.fault(breaks)
  // Records decide without the scheduler.
  letGo(ends7)
  letGo(ends0)
  await Promise.all([endsWith(ends7, 7), endsWith(ends0, 0), staysOpen([runs.id], 15_000)])
  rig.fault(mends)
  letGo(runs)
  await endsWith(runs, 3)
})

test.each([
  { what: 'stopped', breaks: 'stop-ctld', mends: 'start-ctld', ms: 4_000 },
  { what: 'hung for 15 s', breaks: 'hang-ctld', mends: 'thaw-ctld', ms: 15_000 },
  { what: 'hung for 25 s', breaks: 'hang-ctld', mends: 'thaw-ctld', ms: 25_000 },
])('slurmctld $what during the submit: the job runs once, and there is one of it', async ({ breaks, mends, ms }) => {
  rig.fault(breaks)
  const job = await submitCounted(home, { run: 'exit 4' })
  await staysOpen([job.id], ms)
  rig.fault(mends)
  const { native_id: native } = await endsWith(job, 4)
  expect((await home.drover.list()).filter(({ id }) => id === job.id)).toHaveLength(1)
  // A second one that was made all the same has found the claim taken, or was cancelled as it waited.
  const rows = home
    .login(`squeue -h -t all -n d-${job.id}-1 -o '%i %T'`)
    .split('\n')
    .filter((line) => line !== '')
  for (const row of rows.filter((each) => !each.startsWith(`${native} `))) expect(row).toMatch(/FAILED|CANCELLED|COMPLETING|COMPLETED/)
})

test('slurmctld killed at once after the submit: the forgotten job is made anew, whoever has its number', async () => {
  // The controller writes its state every few seconds: what it was told since is forgotten.
  const jobs = await Promise.all([1, 2, 3].map((code) => submitCounted(home, { options: { begin: 'now+20' }, run: `exit ${code}` })))
  const natives = await Promise.all(jobs.map((job) => nativeIdOf(home, job.id)))
  rig.fault('crash-ctld')
  rig.fault('start-ctld')
  // Somebody else gets the numbers.
  const foreign = natives.map(() => home.login("sbatch --parsable --output=/dev/null --wrap 'exit 0'").trim())
  const again = natives.filter((id) => foreign.includes(id))
  console.log(`job numbers given out again: ${again.length} of ${natives.length}`)
  for (const [index, job] of jobs.entries()) {
    const reached = await until(`an end of job ${job.id}`, PATIENCE_MS, async () => {
      const seen = await home.drover.get(job.id)
      return (isEndState(seen.state) || seen.state === 'lost') && seen
    })
    ends += 1
    // One that was forgotten is lost: nothing of it ran. One that was kept ends as it does.
    const ran = readText(job.runs) !== ''
    const right = ran ? reached.state === 'failed' && reached.exit_code === index + 1 : reached.state === 'lost'
    if (!right) wrong += 1
    expect([ran, reached.state, reached.exit_code]).toEqual(ran ? [true, 'failed', index + 1] : [false, 'lost', reached.exit_code])
  }
})

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}

/** Changes a setting of slurm.conf while the controller lives. */
function setSlurm(name: string, value: string): void {
  const file = `${rig.directory}/slurm/etc/slurm.conf`
  writeFileSync(file, readFileSync(file, 'utf8').replace(new RegExp(`^${name}=.*$`, 'm'), `${name}=${value}`))
  rig.on('login', 'scontrol', 'reconfigure')
}

test('jobs that Slurm has forgotten, of ours and of a killed controller, end by their records', async () => {
  setSlurm('MinJobAge', '5')
  try {
    const jobs = await Promise.all([0, 5].map((code) => submitCounted(home, { run: waiting(code) })))
    const natives = await Promise.all(jobs.map((job) => nativeIdOf(home, job.id)))
    for (const job of jobs) await hasBegun(job)
    await home.supervisorKill9()
    for (const job of jobs) letGo(job)
    const known = () => home.login(`squeue -h -t all -o %i`).split('\n')
    await until('Slurm to forget them', PATIENCE_MS, () => !known().some((id) => natives.includes(id)))
    await home.start()
    await endsWith(jobs[0] as CountedJob, 0)
    await endsWith(jobs[1] as CountedJob, 5)
  } finally {
    setSlurm('MinJobAge', '300')
  }
})

test('the network of a node is cut for 5 s: its job goes on', async () => {
  const job = await submitCounted(home, { options: { nodelist: 'node4' }, run: waiting(6) })
  await hasBegun(job)
  rig.fault('cut-network', '4')
  await staysOpen([job.id], 5_000)
  rig.fault('heal-network', '4')
  letGo(job)
  await endsWith(job, 6)
})

/** Cuts the sessions that are open; right after a cut there is none for a moment. */
function cutSessions(): Promise<boolean> {
  return until('a session to cut', 30_000, () => {
    try {
      rig.fault('drop-ssh', 'login')
      return true
    } catch {
      return false
    }
  }) as Promise<boolean>
}

test('connections to the login node are cut while jobs are submitted, run and end', async () => {
  const jobs = await Promise.all(Array.from({ length: 4 }, (_, code) => submitCounted(home, { run: waiting(code) })))
  await cutSessions()
  for (const job of jobs) await hasBegun(job)
  await cutSessions()
  for (const job of jobs) letGo(job)
  await setTimeout(200)
  await cutSessions()
  await Promise.all(jobs.map((job, code) => endsWith(job, code)))
})

test('a laptop that sleeps for a minute while a job ends', async () => {
  const [job, other] = await Promise.all([waiting(8), waiting(9)].map((run) => submitCounted(home, { run })))
  if (!job || !other) throw new Error('two jobs')
  for (const each of [job, other]) await hasBegun(each)
  process.kill(home.supervisorPid, 'SIGSTOP')
  try {
    letGo(job)
    await setTimeout(60_000)
  } finally {
    process.kill(home.supervisorPid, 'SIGCONT')
  }
  await endsWith(job, 8)
  await staysOpen([other.id], 3_000)
  letGo(other)
  await endsWith(other, 9)
})
