import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { LocalHome } from '../conformance/local-home.ts'
import { runDrover } from '../conformance/run-drover.ts'

const home = new LocalHome()
beforeAll(() => home.start())
afterAll(() => home.close())

interface BadInput {
  readonly yaml?: string
  readonly args?: readonly string[]
  /** All must be in the message. */
  readonly says: readonly RegExp[]
}

const CASES: Readonly<Record<string, BadInput>> = {
  'text that is no YAML': { yaml: 'name: a\nrun: [unclosed\n', says: [/task\.yaml:\d+:\d+/] },
  'a tab as indentation': { yaml: 'name: a\nenvs:\n\tA: 1\nrun: x\n', says: [/task\.yaml:3:/] },
  'an unknown key': { yaml: 'name: a\nretrys: 3\nrun: x\n', says: [/task\.yaml:2:1/, /retrys/, /retries/] },
  'an unknown key inside': { yaml: 'resources:\n  cpuz: 2\nrun: x\n', says: [/task\.yaml:2:3/, /cpuz/, /cpus/] },
  'a value of the wrong type': { yaml: 'num_nodes: many\nrun: x\n', says: [/task\.yaml:1:\d+/, /num_nodes/] },
  'a missing secret': { yaml: 'secrets: {TOKEN: null}\nrun: x\n', says: [/TOKEN/, /--secret/] },
  'an unknown target': { yaml: 'target: locl\nrun: x\n', says: [/locl/, /local/] },
  'a key the target cannot honour': { yaml: 'service: {readiness_probe: /, replicas: 2}\nrun: x\n', says: [/service/] },
  'a circle of tasks': { yaml: 'name: a\nafter: [b]\nrun: x\n---\nname: b\nafter: [a]\nrun: x\n', says: [/a|b/] },
  'an upstream that is not there': { yaml: 'name: a\nafter: [nobody]\nrun: x\n', says: [/nobody/] },
  'a missing file': { args: ['run', 'no-such-file.yaml'], says: [/no-such-file\.yaml/] },
  'a missing array file': { yaml: 'array: {file: no-such-values.txt}\nrun: x\n', says: [/no-such-values\.txt/] },
  'a missing work directory': { yaml: 'workdir: ./no-such-directory\nrun: x\n', says: [/no-such-directory/] },
  'an unknown job': { args: ['show', 'nobodys-job'], says: [/nobodys-job/] },
  'an unknown command': { args: ['rnu'], says: [/rnu/, /run/] },
  'an unknown flag': { args: ['list', '--sate', 'failed'], says: [/--sate/, /--state/] },
}

for (const [name, { yaml, args, says }] of Object.entries(CASES)) {
  test.concurrent(`${name} ends in one clear error and starts nothing`, async () => {
    const path = join(home.directory, name.replaceAll(' ', '-'), 'task.yaml')
    const directory = join(path, '..')
    if (yaml !== undefined) {
      const { mkdirSync } = await import('node:fs')
      mkdirSync(directory)
      writeFileSync(path, yaml)
    }
    const outcome = await runDrover(home.environment, args ?? ['run', 'task.yaml'], {
      cwd: yaml === undefined ? home.directory : directory,
    })
    expect(outcome).toMatchObject({ code: 125, stdout: '' })
    for (const pattern of says) expect(outcome.stderr).toMatch(pattern)
    // One error, no stack.
    expect(outcome.stderr).not.toMatch(/^\s+at /m)
    const json = await runDrover(home.environment, [...(args ?? ['run', 'task.yaml']), '-o', 'json'], {
      cwd: yaml === undefined ? home.directory : directory,
    })
    expect(json.code).toBe(125)
    expect(JSON.parse(json.stdout)).toMatchObject({ error: { code: expect.any(String), level: expect.any(String) } })
  })
}

test('nothing of this was recorded', async () => {
  expect(await home.drover.list()).toEqual([])
})
