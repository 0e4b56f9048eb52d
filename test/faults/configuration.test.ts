import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, expect, test } from 'vitest'
import type { CheckLine, PlanView, TargetView } from '../../src/jobs/drover.ts'
import { LocalHome } from '../conformance/local-home.ts'
import { runDrover } from '../conformance/run-drover.ts'

/** A home with files below its own directory; `.config/drover/config.yaml` is the user's, `site.yaml` the site's. */
async function homeWith(files: Readonly<Record<string, string>>): Promise<LocalHome> {
  const home = new LocalHome()
  home.environment['DROVER_SITE_CONFIG'] = join(home.base, 'site.yaml')
  for (const [path, text] of Object.entries(files)) put(home, path, text)
  return home.start()
}

function put(home: LocalHome, path: string, text: string): void {
  mkdirSync(dirname(join(home.base, path)), { recursive: true })
  writeFileSync(join(home.base, path), text)
}

const USER = '.config/drover/config.yaml'

describe.concurrent('a configuration file that is wrong is one clear message', { timeout: 120_000 }, () => {
  const cases: Readonly<Record<string, { readonly text: string; readonly says: readonly (string | RegExp)[]; readonly code?: string }>> = {
    'no YAML': { text: 'targets: {lab: {kind: local}\n', says: [/drover\.yaml:2:1: not valid YAML/] },
    'an unknown key': { text: 'target: {}\n', says: ['drover.yaml:1:1: key "target" is not known', 'Did you mean "targets"?'] },
    'an unknown kind': { text: 'targets:\n  lab: {kind: lokal}\n', says: ['drover.yaml:2:15', '"lokal"', 'Did you mean "local"?'] },
    'an unknown option': {
      text: 'targets:\n  lab:\n    kind: local\n    memroy: 4GB\n',
      says: ['drover.yaml:4:5', 'Did you mean "memory"?'],
    },
    'a size that is none': { text: 'targets:\n  lab:\n    kind: local\n    memory: lots\n', says: ['drover.yaml:4:13', '"lots"', '4GiB'] },
    'GPUs by name': { text: 'targets:\n  lab: {kind: local, gpus: all}\n', says: ['drover.yaml:2:28', 'list of device indices'] },
    'a root that cannot be made': {
      text: 'targets:\n  lab: {kind: local, root: /proc/nowhere}\n',
      says: ['cannot use target "lab"', '/proc/nowhere', 'set another root'],
      code: 'staging_failed',
    },
  }
  for (const [name, { text, says, code }] of Object.entries(cases)) {
    test(name, async () => {
      const home = await homeWith({ 'shared/drover.yaml': text })
      try {
        const outcome = await runDrover(home.environment, ['run', '--on', 'lab', '--', 'echo', 'hi'], { cwd: home.directory })
        expect(outcome).toMatchObject({ code: 125, stdout: '' })
        for (const piece of says) expect(outcome.stderr).toMatch(piece)
        expect(outcome.stderr).not.toMatch(/^\s+at /m)
        const json = await runDrover(home.environment, ['run', '-o', 'json', '--on', 'lab', '--', 'echo', 'hi'], { cwd: home.directory })
        expect(JSON.parse(json.stdout)).toMatchObject({ error: { code: code ?? 'invalid_config', level: 'config' } })
        expect(await home.drover.list()).toEqual([])
      } finally {
        await home.close()
      }
    })
  }

  test('a file that cannot be read', async () => {
    const home = await homeWith({ 'shared/drover.yaml/in-the-way': '' })
    try {
      const outcome = await runDrover(home.environment, ['run', '--', 'true'], { cwd: home.directory })
      expect(outcome).toMatchObject({ code: 125, stdout: '' })
      expect(outcome.stderr).toContain(`cannot read the configuration file ${join(home.directory, 'drover.yaml')}: it is a directory`)
    } finally {
      await home.close()
    }
  })
})

describe.concurrent('configuration', { timeout: 120_000 }, () => {
  test('a limit of the site holds, and who wrote more is told', async () => {
    const home = await homeWith({
      'site.yaml': 'limits: {cpus: 1, memory: 64MB, gpus: 0, queries_per_minute: 2}\n',
      [USER]: 'limits: {cpus: 9}\ntargets:\n  local: {cpus: 8}\n',
    })
    try {
      const says = /limits\.cpus 9 is above the site's 1 .*; 1 holds/
      const listed = await runDrover(home.environment, ['target', 'list'])
      expect(listed.stderr).toMatch(says)
      const shown = JSON.parse((await runDrover(home.environment, ['target', 'show', 'local', '-o', 'json'])).stdout) as TargetView
      expect(shown.limits).toEqual({ cpus: 1, memory: 64 * 1024 ** 2, gpus: 0, queries_per_minute: 2 })
      expect(shown.files).toEqual([join(home.base, 'site.yaml'), join(home.base, USER)])
      const checked = JSON.parse((await runDrover(home.environment, ['target', 'check', 'local', '-o', 'json'])).stdout) as CheckLine[]
      expect(checked).toContainEqual({ check: 'configuration', ok: true, warning: true, detail: expect.stringMatching(says), fix: null })
      expect(checked).toContainEqual(expect.objectContaining({ check: 'cpus', detail: '1' }))
      const doctor = await runDrover(home.environment, ['doctor'])
      expect(doctor.stdout).toMatch(says)
      for (const [flags, key] of [
        [['--cpus', '2'], 'resources.cpus'],
        [['--memory', '1GB'], 'resources.memory'],
      ] as const) {
        const refused = await runDrover(home.environment, ['run', ...flags, '--', 'true'])
        expect(refused.code).toBe(125)
        expect(refused.stderr).toContain(key)
      }
      expect(await runDrover(home.environment, ['run', '--memory', '64MB', '--', 'true'])).toMatchObject({ code: 0 })
    } finally {
      await home.close()
    }
  })

  test('a changed file holds from the next submit on, without a restart', async () => {
    const home = await homeWith({})
    try {
      const plan = async (): Promise<PlanView['demand'] | number | null> => {
        const outcome = await runDrover(home.environment, ['plan', '--cpus', '1000', '-o', 'json', '--', 'true'])
        return outcome.code === 0 ? ((JSON.parse(outcome.stdout) as PlanView[])[0]?.demand ?? null) : outcome.code
      }
      expect(await plan()).toBe(125)
      put(home, USER, 'targets: {local: {cpus: 1000}}\n')
      expect(await plan()).toMatchObject({ cpus: 1000 })
      const ran = await runDrover(home.environment, ['run', '--cpus', '1000', '--', 'sh', '-c', 'echo $DROVER_CPUS_PER_NODE'])
      expect(ran).toMatchObject({ code: 0, stdout: '1000\n' })
    } finally {
      await home.close()
    }
  })

  test('a prologue acts on run, setup and elements; the task stands over it', async () => {
    const home = await homeWith({
      [USER]: 'targets:\n  local:\n    prologue: |\n      echo loud\n      export SITE=lab MINE=site\n      tool() { echo "tool $1"; }\n',
    })
    try {
      put(home, 'shared/whole.yaml', 'envs: {MINE: task}\nsetup: tool setup > made\nrun: |\n  cat made\n  tool "$SITE $MINE"\n')
      const whole = await runDrover(home.environment, ['run', 'whole.yaml'], { cwd: home.directory })
      expect(whole).toMatchObject({ code: 0, stdout: 'tool setup\ntool lab task\n' })
      expect(whole.stderr).toContain('loud')
      put(home, 'shared/array.yaml', 'array: {matrix: {MINE: [a, b]}}\nrun: tool "$SITE $MINE $DROVER_ARRAY_INDEX"\nenvs: {OTHER: x}\n')
      const array = await runDrover(home.environment, ['run', 'array.yaml'], { cwd: home.directory })
      expect(array.code, array.stderr).toBe(0)
      expect(array.stdout).toMatch(/tool lab a 0/)
      expect(array.stdout).toMatch(/tool lab b 1/)
      const command = await runDrover(home.environment, ['run', '--', 'sh', '-c', 'echo "$SITE"; exit 5'])
      expect(command).toMatchObject({ code: 5, stdout: 'lab\n' })
    } finally {
      await home.close()
    }
  })

  test('a prologue that fails is named; nothing of the task runs', async () => {
    const home = await homeWith({ [USER]: 'targets: {local: {prologue: "echo no such module >&2; exit 3"}}\n' })
    try {
      put(home, 'shared/a.yaml', 'run: touch ran\n')
      const run = await runDrover(home.environment, ['run', 'a.yaml'], { cwd: home.directory })
      expect(run).toMatchObject({ code: 3, stdout: '' })
      expect(run.stderr).toContain('drover: the prologue of target local failed (exit 3)')
      put(home, 'shared/b.yaml', 'setup: touch ran\nrun: touch ran\n')
      const setup = await runDrover(home.environment, ['run', 'b.yaml'], { cwd: home.directory })
      expect(setup.code).not.toBe(0)
      const explained = await runDrover(home.environment, ['explain', 'last'])
      expect(explained.stdout).toContain('the prologue of target local failed (exit 3)')
    } finally {
      await home.close()
    }
  })
})
