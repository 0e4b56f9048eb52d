import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Job, PlanView, TargetView } from '../../src/jobs/drover.ts'
import { settled } from '../../src/testing/index.ts'
import { LocalHome } from '../conformance/local-home.ts'
import { runDrover } from '../conformance/run-drover.ts'

const home = new LocalHome()
const project = (name: string): string => join(home.base, name)
const configure = (name: string, text: string): void => {
  mkdirSync(join(project(name), 'src', 'deep'), { recursive: true })
  writeFileSync(join(project(name), 'drover.yaml'), text)
}
const run = (name: string, ...args: readonly string[]) => runDrover(home.environment, args, { cwd: join(project(name), 'src', 'deep') })
const lab = (name: string, more = ''): string =>
  `targets:\n  lab: {kind: local, root: ${join(home.base, `root-${name}`)}, prologue: 'export LAB=${name}'${more}}\n`

beforeAll(async () => {
  configure('one', lab('one', ', cpus: 3'))
  configure('two', lab('two', ', cpus: 1'))
  mkdirSync(join(project('none'), 'src', 'deep'), { recursive: true })
  await home.start()
})
afterAll(() => home.close())

describe('two projects with a target of one name', { timeout: 120_000 }, () => {
  test('each client sees its own; outside there is none', async () => {
    for (const [name, cpus] of [
      ['one', 3],
      ['two', 1],
    ] as const) {
      const check = await run(name, 'target', 'check', 'lab')
      expect(check.stdout, check.stderr).toContain(join(home.base, `root-${name}`))
      const views = JSON.parse((await run(name, 'target', 'list', '-o', 'json')).stdout) as TargetView[]
      expect(views.find((view) => view.name === 'lab')).toMatchObject({
        root: join(home.base, `root-${name}`),
        site: { cpus },
        files: [join(project(name), 'drover.yaml')],
      })
      const [plan] = JSON.parse((await run(name, 'plan', '--on', 'lab', '-o', 'json', '--', 'true')).stdout) as PlanView[]
      expect(plan).toMatchObject({
        prologue: `export LAB=${name}`,
        places: [{ attempt_dir: join(home.base, `root-${name}`, 'jobs/JOBID/1') }],
      })
    }
    expect((await run('one', 'plan', '--on', 'lab', '--', 'true')).stdout).toMatch(/^prologue\n {2}export LAB=one$/m)
    const outside = await run('none', 'run', '--on', 'lab', '--', 'true')
    expect(outside.code).toBe(125)
    expect(outside.stderr).toContain('there is no target "lab"')
    expect((await run('none', 'target', 'show', 'lab')).code).toBe(125)
    expect((await run('none', 'target', 'list', '-o', 'quiet')).stdout).toBe('local\n')
  })

  test('jobs run, are read, retried and removed where they were submitted, from anywhere', async () => {
    const ids: Record<string, string> = {}
    for (const name of ['one', 'two']) {
      const outcome = await run(name, 'run', '--on', 'lab', '--name', `job-${name}`, '--', 'sh', '-c', 'echo "from $LAB"')
      expect(outcome).toMatchObject({ code: 0, stdout: `from ${name}\n` })
      const job = JSON.parse((await run('none', 'show', `job-${name}`, '-o', 'json')).stdout) as Job
      expect(job).toMatchObject({ target: 'lab', directory: join(home.base, `root-${name}`, 'jobs', job.id, '1') })
      ids[name] = job.id
    }
    expect((await run('two', 'logs', 'job-one')).stdout).toBe('from one\n')
    expect((await run('one', 'explain', 'job-two')).code).toBe(0)
    expect((await run('none', 'list', '--target', 'lab', '--all', '-o', 'quiet')).stdout.trim().split('\n').sort()).toEqual(
      Object.values(ids).sort(),
    )
    expect((await run('two', 'retry', 'job-one')).code).toBe(0)
    await settled(home.drover, ids['one']!, 30_000)
    expect((await run('none', 'logs', 'job-one')).stdout).toBe('from one\n')
    expect((await run('two', 'rm', 'job-one', 'job-two')).code).toBe(0)
    for (const name of ['one', 'two']) expect(existsSync(join(home.base, `root-${name}`, 'jobs', ids[name]!))).toBe(false)
  })

  test('a running job stays where it is when its file changes, breaks and goes, also across a restart', async () => {
    const script = 'echo "begins in $LAB"; while [ ! -e "$GO" ]; do sleep 0.05; done; echo "ends in $LAB"'
    const go = join(home.base, 'go')
    const started = await run('one', 'run', '--detach', '--on', 'lab', '--env', `GO=${go}`, '-o', 'quiet', '--', 'sh', '-c', script)
    const id = started.stdout.trim()
    const directory = join(home.base, 'root-one', 'jobs', id, '1')
    expect(started.code, started.stderr).toBe(0)
    configure('one', lab('elsewhere'))
    expect((await run('one', 'run', '--on', 'lab', '--', 'sh', '-c', 'echo "$LAB"')).stdout).toBe('elsewhere\n')
    configure('one', 'targets: {lab: [\n')
    await home.restart()
    expect(JSON.parse((await run('none', 'show', id, '-o', 'json')).stdout)).toMatchObject({ state: 'running', directory })
    rmSync(join(project('one'), 'drover.yaml'))
    expect((await run('one', 'explain', id)).code).toBe(0)
    writeFileSync(go, '')
    expect(await settled(home.drover, id, 30_000)).toMatchObject({ state: 'succeeded', directory })
    expect((await run('none', 'logs', id)).stdout).toBe('begins in one\nends in one\n')
    expect((await run('none', 'prune', '--max-size', '0')).code).toBe(0)
    expect(existsSync(join(home.base, 'root-one', 'jobs', id))).toBe(false)
  })
})
