import { execFileSync } from 'node:child_process'
import { chmodSync, chownSync, copyFileSync, mkdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { describe, expect, test } from 'vitest'
import { createTaskFile, settled, until } from '../../src/testing/index.ts'
import { LocalHome } from '../conformance/local-home.ts'
import { runDrover } from '../conformance/run-drover.ts'

const root = process.getuid?.() === 0 && process.platform === 'linux'

/** A home with one ended job in its store and no supervisor. */
async function usedHome(): Promise<{ readonly home: LocalHome; readonly id: string; readonly store: string }> {
  const home = await new LocalHome().start()
  const [job] = await home.drover.submit(createTaskFile('local', { name: 'kept', run: 'exit 3' }))
  await settled(home.drover, job!.id, 30_000)
  await home.stop()
  return { home, id: job!.id, store: join(home.home, 'drover.db') }
}

describe.concurrent('a home that is not as it should be', { timeout: 120_000 }, () => {
  test('a store from a newer version is refused and left as it is', async () => {
    const { home, store } = await usedHome()
    try {
      const database = new DatabaseSync(store)
      database.exec('update schema_version set version = version + 1000')
      database.exec('pragma wal_checkpoint(truncate)')
      database.close()
      const before = readFileSync(store)
      const outcome = await runDrover(home.environment, ['list'])
      expect(outcome.code).toBe(125)
      expect(outcome.stderr).toMatch(/schema version 1\d\d\d/)
      expect(readFileSync(store).equals(before)).toBe(true)
    } finally {
      await home.close()
    }
  })

  test('a corrupt store is named, and good again when it is put back', async () => {
    const { home, id, store } = await usedHome()
    try {
      const copy = `${store}.copy`
      copyFileSync(store, copy)
      writeFileSync(store, 'not a database at all, but long enough to look like one'.repeat(100))
      const outcome = await runDrover(home.environment, ['list'])
      expect(outcome.code).toBe(125)
      expect(outcome.stderr).toContain(store)
      copyFileSync(copy, store)
      const again = await runDrover(home.environment, ['show', id, '-o', 'json'])
      expect(JSON.parse(again.stdout)).toMatchObject({ id, state: 'failed', exit_code: 3 })
      await runDrover(home.environment, ['supervisor', 'stop'])
    } finally {
      await home.close()
    }
  })

  test('a store cut short is named', async () => {
    const { home, store } = await usedHome()
    try {
      truncateSync(store, 5_000)
      rmSync(`${store}-wal`, { force: true })
      const outcome = await runDrover(home.environment, ['list'])
      expect(outcome.code).toBe(125)
      expect(outcome.stderr).toContain(store)
    } finally {
      await home.close()
    }
  })

  test('a home of 200 characters works', async () => {
    const home = new LocalHome({ homeName: 'h'.repeat(200) })
    try {
      const outcome = await runDrover(home.environment, ['run', '--', 'echo', 'hi'])
      expect(outcome).toMatchObject({ code: 0, stdout: 'hi\n' })
      await runDrover(home.environment, ['supervisor', 'stop'])
    } finally {
      await home.close()
    }
  })

  test.skipIf(!root)('a full disk under the home: one clear error, and what was recorded is still there', async () => {
    const { home, id } = await usedHome()
    const full = join(home.base, 'full')
    mkdirSync(full)
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=3m', 'tmpfs', full])
    try {
      execFileSync('cp', ['-a', `${home.home}/.`, full])
      try {
        execFileSync('sh', ['-c', 'cat /dev/zero > "$1/ballast"', 'sh', full], { stdio: 'ignore' })
      } catch {
        // It fills the disk and fails by that.
      }
      const environment = { ...home.environment, DROVER_HOME: full }
      const outcome = await runDrover(environment, ['run', '--', 'echo', 'hi'])
      expect(outcome.code).toBe(125)
      expect(outcome.stderr).toMatch(/space|full/i)
      rmSync(join(full, 'ballast'))
      expect(JSON.parse((await runDrover(environment, ['show', id, '-o', 'json'])).stdout)).toMatchObject({ state: 'failed', exit_code: 3 })
      expect(await runDrover(environment, ['run', '--', 'echo', 'hi'])).toMatchObject({ code: 0, stdout: 'hi\n' })
      await runDrover(environment, ['supervisor', 'stop'])
    } finally {
      execFileSync('umount', ['-l', full])
      await home.close()
    }
  })

  test('a home without permission: one clear error', async () => {
    const home = new LocalHome()
    try {
      // Root may write everywhere, so the command runs as nobody in root's home, or as this user in a read-only one.
      chmodSync(home.home, root ? 0o700 : 0o500)
      chmodSync(home.base, 0o755)
      if (root) chownSync(home.home, 0, 0)
      const outcome = await runDrover(home.environment, ['run', '--', 'echo', 'hi'], { cwd: '/', ...(root ? { uid: 65534 } : {}) })
      expect(outcome).toMatchObject({ code: 125, stdout: '' })
      expect(outcome.stderr).toContain(home.home)
      expect(outcome.stderr).toMatch(/permission|EACCES/i)
    } finally {
      await home.close()
    }
  })

  test('a second supervisor steps back and the first goes on', async () => {
    const home = await new LocalHome().start()
    try {
      const second = await runDrover(home.environment, ['supervisor', 'run'])
      expect(second.code).toBe(125)
      expect(`${second.stdout}${second.stderr}`).toContain(String(home.supervisorPid))
      const status = await home.drover.status()
      expect(status.pid).toBe(home.supervisorPid)
    } finally {
      await home.close()
    }
  })

  test('ten commands at once start one supervisor', async () => {
    const home = new LocalHome()
    try {
      const outcomes = await Promise.all(
        Array.from({ length: 10 }, () => runDrover(home.environment, ['supervisor', 'status', '-o', 'json'])),
      )
      await Promise.all(Array.from({ length: 10 }, () => runDrover(home.environment, ['list'])))
      expect(outcomes.every((outcome) => outcome.code !== null)).toBe(true)
      const pids = await Promise.all(
        Array.from({ length: 3 }, async () => {
          const { stdout } = await runDrover(home.environment, ['supervisor', 'status', '-o', 'json'])
          return (JSON.parse(stdout) as { pid: number }).pid
        }),
      )
      expect(new Set(pids).size).toBe(1)
      await runDrover(home.environment, ['supervisor', 'stop'])
    } finally {
      await home.close()
    }
  })
})

describe('a clock that jumps', () => {
  test.each([
    ['forwards by a year', 365 * 86_400_000],
    ['backwards by a year', -365 * 86_400_000],
  ])('%s: a running job ends as it ends', { timeout: 60_000 }, async (_, jumpMs) => {
    const { startSupervisor } = await import('../../src/jobs/supervisor.ts')
    const home = new LocalHome()
    let offset = 0
    const supervisor = await startSupervisor({
      home: home.home,
      environment: home.environment,
      version: '0.0.0',
      idleExitMs: null,
      log: { debug: () => {}, warn: () => {} },
      now: () => Date.now() + offset,
    })
    try {
      const mark = join(home.directory, 'mark')
      const [job] = await supervisor.submit(
        createTaskFile('local', {
          envs: { MARK: mark },
          timeoutMs: 3_600_000,
          run: 'echo on > "$MARK"; while [ ! -e "$MARK.go" ]; do sleep 0.05; done; exit 4',
        }),
      )
      await until('the script to run', 30_000, async () => (await supervisor.get(job!.id)).state === 'running')
      offset = jumpMs
      writeFileSync(`${mark}.go`, '')
      expect(await settled(supervisor, job!.id, 30_000)).toMatchObject({ state: 'failed', exit_code: 4, cause: { kind: 'exit' } })
      const [next] = await supervisor.submit(createTaskFile('local', { run: 'exit 0' }))
      expect(await settled(supervisor, next!.id, 30_000)).toMatchObject({ state: 'succeeded' })
    } finally {
      await supervisor.close()
      await home.close()
    }
  })
})
