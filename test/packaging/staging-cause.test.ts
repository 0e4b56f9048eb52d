import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { LocalHome } from '../conformance/local-home.ts'
import { runDrover } from '../conformance/run-drover.ts'

let home: LocalHome
beforeEach(() => {
  home = new LocalHome()
})
afterEach(async () => {
  await runDrover(home.environment, ['supervisor', 'stop'])
  await home.close()
})

const run = async (yaml: string, ...flags: string[]) => {
  const file = join(home.directory, 'task.yaml')
  writeFileSync(file, yaml)
  return runDrover(home.environment, ['run', file, ...flags])
}

test('a mount that cannot be brought: cause staging, what and why, and neither setup nor run begins', async () => {
  const outcome = await run('name: m\nfile_mounts: {data: "http://127.0.0.1:9/none"}\nsetup: touch ../began\nrun: touch ../began\n')
  expect(outcome.code).toBe(125)
  const jobs = JSON.parse((await runDrover(home.environment, ['list', '--all', '-o', 'json'])).stdout)
  const job = JSON.parse((await runDrover(home.environment, ['show', jobs[0].id, '-o', 'json'])).stdout)
  expect(job.state).toBe('failed')
  expect(job.cause).toMatchObject({ kind: 'staging' })
  expect(job.cause.message).toContain('cannot download ./data')
})

test('a text, a directory and a file lie there before a setup of another language', async () => {
  mkdirSync(join(home.directory, 'conf'))
  writeFileSync(join(home.directory, 'conf', 'c'), 'conf')
  writeFileSync(join(home.directory, 'big'), 'b'.repeat(100_000))
  const outcome = await run(
    `name: m
secrets: {TOKEN: s3cret-s3cret}
envs: {A: expanded}
file_mounts: {conf: conf, big: big, sub/t.txt: {text: "as is: $A"}}
setup: |
  #!/usr/bin/env python3
  print('setup in python', open('sub/t.txt').read())
run: cat conf/c sub/t.txt; wc -c < big
`,
  )
  expect(outcome.stdout.replaceAll(/\s+/g, ' ')).toContain('confas is: $A')
  expect(outcome.stdout).toContain('100000')
  expect(outcome.code).toBe(0)
})

test('drover package: a task file, which task, and what it refuses', async () => {
  writeFileSync(
    join(home.directory, 'two.yaml'),
    'name: a\nworkdir: {patterns: two.yaml}\nrun: x\n---\nname: b\nworkdir: {link: /}\nrun: x\n---\nname: c\nrun: x\n',
  )
  const pack = (...words: string[]) => runDrover({ ...home.environment }, ['package', join(home.directory, 'two.yaml'), ...words])
  const file = join(home.directory, 'x.zip')
  expect(await pack('-o', file, '--task', 'a', '-o', 'json')).toMatchObject({ code: 0 })
  expect(readFileSync(file).subarray(0, 2).toString()).toBe('PK')
  for (const [words, message] of [
    [[], 'has several tasks'],
    [['--task', 'b'], 'on the target'],
    [['--task', 'c'], 'no workdir'],
    [['--task', 'd'], 'no task "d"'],
    [['--task', 'a', '--format', 'rar'], 'Allowed choices are zip, tar.gz'],
  ] as const) {
    const outcome = await pack('-o', file, ...words)
    expect(outcome.code, message).not.toBe(0)
    expect(outcome.stderr).toContain(message)
  }
})
