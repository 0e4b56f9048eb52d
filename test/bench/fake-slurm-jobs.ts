import { once } from 'node:events'
import { cpSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { openSqliteStore } from '../../src/store/sqlite-store.ts'
import { createFakeSlurm, createTaskFile, type FakeSlurm, until } from '../../src/testing/index.ts'
import { LocalHome } from '../conformance/local-home.ts'

/** A home on a fake Slurm that knows many jobs of it, all in the same state. */
export interface ManyJobs {
  readonly home: LocalHome
  readonly slurm: FakeSlurm
  /** Ends supervisor and fake. */
  close(): Promise<void>
}

export interface ManyJobsOptions {
  readonly jobs: number
  readonly state: 'PENDING' | 'RUNNING'
  /** Questions a minute; default: Drover's own budget. */
  readonly queriesPerMinute?: number
}

/**
 * One job goes the whole way by Drover, to the state asked for; the others are copies of what is then on record of it, in Drover's
 * store, in its root and in the fake, so that ten thousand of them are there within seconds. A supervisor takes them over as it
 * does after any restart.
 */
export async function openManyJobs({ jobs, state, queriesPerMinute }: ManyJobsOptions): Promise<ManyJobs> {
  const home = new LocalHome()
  const slurm = await createFakeSlurm({ directory: join(home.base, 'slurm'), minJobAgeMs: 3_600_000 })
  const close = async (): Promise<void> => {
    await home.close()
    await slurm.close()
  }
  try {
    home.environment['PATH'] = slurm.env['PATH'] ?? ''
    const root = join(home.base, 'root')
    const config = join(home.base, '.config/drover')
    mkdirSync(config, { recursive: true })
    const limits = queriesPerMinute === undefined ? '' : `limits: {queries_per_minute: ${queriesPerMinute}, query_burst: 1}\n`
    writeFileSync(join(config, 'config.yaml'), `${limits}targets:\n  hpc: {kind: slurm, root: ${root}}\n`)
    await home.start()
    const task = { name: 'first', run: 'exec sleep 3600', options: state === 'PENDING' ? { hold: true } : {} }
    const [first] = await home.drover.submit(createTaskFile('hpc', task))
    const id = first?.id ?? ''
    await home.drover.wait(id, { until: state === 'PENDING' ? 'submitted' : 'started' })
    await until('the word of the queue', 60_000, async () => (await home.drover.get(id)).native_word === state)
    await home.stop()
    const copies = Array.from({ length: jobs - 1 }, (_, at) => `c${String(at).padStart(9, '0')}`)
    const nativeIds: string[] = []
    for (const copy of copies) nativeIds.push(await submitDirectly(join(home.base, 'slurm/socket'), `d-${copy}-1`))
    await copyJob(home, id, copies, nativeIds)
    if (state === 'RUNNING') {
      for (const copy of copies) copyDirectory(join(root, 'jobs', id), join(root, 'jobs', copy), id, copy)
      for (const nativeId of nativeIds) slurm.setState(nativeId, 'RUNNING', { reason: 'None' })
    }
    await home.start()
    await until(
      'all jobs to be taken over',
      120_000,
      async () => (await home.drover.status()).jobs[state === 'PENDING' ? 'queued' : 'running'] === jobs,
    )
    return { home, slurm, close }
  } catch (error) {
    await close()
    throw error
  }
}

/** `sbatch` without the program: ten thousand of those take minutes. */
async function submitDirectly(socketPath: string, name: string): Promise<string> {
  const socket = connect(socketPath)
  let answer = ''
  socket.setEncoding('utf8')
  socket.on('data', (text: string) => {
    answer += text
  })
  const argv = ['--parsable', '--hold', `--job-name=${name}`, '--output=/dev/null', '--wrap=exec sleep 3600']
  const { PATH = '' } = process.env
  socket.write(`${JSON.stringify({ command: 'sbatch', argv, cwd: '/', env: { PATH }, pid: process.pid })}\n`)
  await once(socket, 'close')
  const said = answer
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as { readonly o?: string; readonly e?: string })
  const text = said.map(({ o = '' }) => Buffer.from(o, 'base64').toString()).join('')
  if (!/^\d+$/.test(text.trim())) throw new Error(`the fake Slurm did not take the job: ${answer}`)
  return text.trim()
}

async function copyJob(home: LocalHome, id: string, copies: readonly string[], nativeIds: readonly string[]): Promise<void> {
  const store = await openSqliteStore(join(home.home, 'drover.db'))
  try {
    const job = await store.job(id)
    const [attempt] = await store.attempts(id)
    if (job?.task === undefined || attempt?.plan === undefined) throw new Error('the first job is not on record')
    const { name, target, kind, priority, createdAt, state, task } = job
    const at = Date.now()
    for (let base = 0; base < copies.length; base += 500) {
      const some = copies.slice(base, base + 500)
      await store.createJobs(
        some.map((copy) => ({ id: copy, name, target, kind, priority, createdAt, task: task.replaceAll(id, copy), after: [] })),
        undefined,
      )
      await store.apply(
        some.map((copy, index) => {
          const nativeId = nativeIds[base + index] ?? ''
          const plan = attempt.plan?.replaceAll(id, copy) ?? ''
          const directory = attempt.directory?.replaceAll(id, copy) ?? ''
          const started = job.startedAt === undefined ? {} : { startedAt: job.startedAt }
          const patch = { nativeId, nativeWord: job.nativeWord ?? null, reason: job.reason ?? null, ...started }
          return { jobId: copy, at, from: 'created' as const, attempt: 1, to: state, patch, attemptPatch: { nativeId, plan, directory } }
        }),
      )
    }
  } finally {
    await store.close()
  }
}

/** What a job has written of itself, with the other's id in it. */
function copyDirectory(from: string, to: string, id: string, copy: string): void {
  cpSync(from, to, { recursive: true })
  for (const name of readdirSync(to, { recursive: true, encoding: 'utf8' })) {
    const path = join(to, name)
    if (!statSync(path).isFile()) continue
    const text = readFileSync(path, 'latin1')
    if (text.includes(id)) writeFileSync(path, text.replaceAll(id, copy), 'latin1')
  }
}
