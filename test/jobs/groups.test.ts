import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Job } from '../../src/jobs/drover.ts'
import { until } from '../../src/testing/index.ts'
import { LocalHome } from '../conformance/local-home.ts'
import { runDrover } from '../conformance/run-drover.ts'

const home = new LocalHome()
beforeAll(() => home.start())
afterAll(() => home.close())

const run = (...args: string[]) => runDrover(home.environment, args, { cwd: home.directory })

function write(name: string, text: string): string {
  writeFileSync(join(home.directory, name), text)
  return name
}

/** The jobs of one submit, by name. */
async function submit(file: string): Promise<Readonly<Record<string, string>>> {
  const { stdout } = await run('run', '--detach', '-o', 'json', file)
  const jobs = [JSON.parse(stdout) as Job | readonly Job[]].flat()
  return Object.fromEntries(jobs.map((job) => [job.name, job.id]))
}

const GROUP = `
name: pair
execution: parallel
primary_tasks: [trainer]
termination_delay: 100ms
---
name: trainer
run: sleep 0.3
---
name: cache
run: echo serving; exec sleep 1000
`

describe('parallel groups', () => {
  test('a companion is ended after the primary tasks, and that is no failure', async () => {
    const { code } = await run('run', write('group.yaml', GROUP))
    expect(code).toBe(0)
    const cache = await home.drover.get('cache')
    expect(cache).toMatchObject({ state: 'cancelled', cause: { kind: 'cancelled', by: 'the end of its group' } })
    expect(await home.drover.get('trainer')).toMatchObject({ state: 'succeeded' })
  })

  test('a primary task that fails gives its code, and ends the companion too', async () => {
    const { code } = await run('run', write('failing.yaml', GROUP.replace('sleep 0.3', 'exit 9')))
    expect(code).toBe(9)
    expect(await home.drover.get('cache')).toMatchObject({ state: 'cancelled' })
  })

  test('a supervisor that takes over keeps to it', async () => {
    const ids = await submit(write('restart.yaml', GROUP.replace('sleep 0.3', 'while [ ! -e go ]; do sleep 0.05; done')))
    const { trainer = '', cache = '' } = ids
    await home.drover.wait(cache, { until: 'started' })
    await home.drover.wait(trainer, { until: 'started' })
    await home.supervisorKill9()
    writeFileSync(join(home.home, 'jobs', trainer, 'work', '0', 'go'), '')
    await home.start()
    expect(await home.drover.wait(cache)).toMatchObject({ state: 'cancelled', cause: { by: 'the end of its group' } })
    expect(await home.drover.get(trainer)).toMatchObject({ state: 'succeeded' })
  })
})

describe('notify', () => {
  test('on_start and on_end get the job as JSON, in that order, also of a job that ends at once', async () => {
    const tell = (name: string) => `cat >${name}; echo ${name} >>order`
    const text = `notify: {on_start: "${tell('start.json')}", on_end: "${tell('end.json')}"}\nrun: exit 4\n`
    expect((await run('run', write('notify.yaml', text))).code).toBe(4)
    const end = join(home.directory, 'end.json')
    const order = join(home.directory, 'order')
    await until('both commands to have run', 10_000, () => existsSync(order) && readFileSync(order, 'utf8') === 'start.json\nend.json\n')
    expect(JSON.parse(readFileSync(end, 'utf8'))).toMatchObject({ state: 'failed', exit_code: 4 })
    expect(JSON.parse(readFileSync(join(home.directory, 'start.json'), 'utf8'))).toHaveProperty('id')
  })

  test('on_start comes when a long job starts', async () => {
    await submit(write('long.yaml', 'name: long\nnotify: {on_start: "cat >long.json"}\nrun: sleep 1000\n'))
    const path = join(home.directory, 'long.json')
    await until('the command to have run', 10_000, () => existsSync(path) && readFileSync(path, 'utf8').endsWith('\n'))
    expect(JSON.parse(readFileSync(path, 'utf8'))).toMatchObject({
      name: 'long',
      state: expect.stringMatching(/^(starting|running)$/),
      started_at: expect.any(String),
    })
    await home.drover.cancel('long')
    await home.drover.wait('long')
  })
})

test('autostop is the idle time of the supervisor', async () => {
  const other = new LocalHome({}, { DROVER_IDLE_EXIT: '3600' })
  try {
    await other.start()
    const file = write('autostop.yaml', 'resources: {autostop: 7}\nrun: "true"\n')
    expect((await runDrover(other.environment, ['run', file], { cwd: home.directory })).code).toBe(0)
    expect(await other.drover.status()).toMatchObject({ idle_exit_ms: 7 * 60_000 })
  } finally {
    await other.close()
  }
})
