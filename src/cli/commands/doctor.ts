import { accessSync, constants, existsSync, statfsSync, statSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { toErrorJson } from '../../errors.ts'
import type { CheckLine } from '../../jobs/drover.ts'
import { printChecks } from '../check-text.ts'
import type { Cli } from '../cli.ts'
import { createCommand } from '../command-builder.ts'
import { bytesText } from '../output/amounts.ts'

/** Below this much free space the store may soon be unable to write; bytes. */
const LOW_SPACE_BYTES = 512 * 1024 * 1024

function line(check: string, ok: boolean, detail: string, fix: string | null = null): CheckLine {
  return { check, ok, detail, fix: ok ? null : fix }
}

function checkHome(home: string): readonly CheckLine[] {
  if (!existsSync(home)) return [line('home', true, `${home} (made with the first job)`)]
  const mode = statSync(home).mode & 0o777
  const lines: CheckLine[] = []
  try {
    accessSync(home, constants.R_OK | constants.W_OK | constants.X_OK)
    lines.push(
      line(
        'home',
        (mode & 0o077) === 0,
        `${home}, mode ${mode.toString(8).padStart(4, '0')}`,
        `Others can look into it: chmod 700 ${home}`,
      ),
    )
  } catch {
    lines.push(line('home', false, `${home} is not writable for you`, `chmod u+rwx ${home}, or set DROVER_HOME to another directory`))
  }
  const { bavail, bsize } = statfsSync(home)
  lines.push(
    line(
      'disk',
      bavail * bsize >= LOW_SPACE_BYTES,
      `${bytesText(bavail * bsize)} free at ${home}`,
      'Make room: drover prune --older-than 30d --dry-run',
    ),
  )
  return lines
}

function findProgram(name: string, path: string): string | undefined {
  return path
    .split(delimiter)
    .map((directory) => join(directory, name))
    .find((candidate) => existsSync(candidate))
}

function checkShells(path: string): readonly CheckLine[] {
  const sh = findProgram('sh', path)
  const groups = ['setsid', 'perl', 'bash'].flatMap((name) => findProgram(name, path) ?? [])
  return [
    line('shell', sh !== undefined, sh ?? 'no sh on PATH', 'A POSIX sh is needed on PATH'),
    line(
      'process groups',
      groups.length > 0,
      groups.join(', ') || 'none of setsid, perl, bash on PATH',
      'Install util-linux (setsid), perl or bash',
    ),
  ]
}

/** Asks the supervisor, starting one if need be; with it answer store and local target. */
async function checkSupervisor(cli: Cli): Promise<readonly CheckLine[]> {
  const lines: CheckLine[] = []
  try {
    const drover = await cli.drover()
    const status = await drover.status()
    lines.push(
      line(
        'supervisor',
        status.version === cli.host.version,
        `process ${status.pid}, version ${status.version}`,
        `This drover is ${cli.host.version}: drover supervisor stop`,
      ),
    )
    const count = Object.values(status.jobs).reduce((sum, one) => sum + one, 0)
    await drover.list({ limit: 1 })
    lines.push(line('store', true, `${count} jobs`))
    for (const one of await drover.checkTarget('local', cli.client)) lines.push({ ...one, check: `local: ${one.check}` })
  } catch (error) {
    const { message, hint } = toErrorJson(error)
    lines.push(line(lines.length === 0 ? 'supervisor' : 'store', false, message, hint ?? 'Its log: supervisor.log in the home'))
  }
  return lines
}

/** `drover doctor`: checks what Drover needs on this machine. Exits with 125 when something is missing. */
export async function doctorCommand(cli: Cli, argv: readonly string[]): Promise<void> {
  const command = createCommand(cli, 'doctor', 'Check home, disk, Node, shells, supervisor, store and the local target.').action(
    async () => {
      const { resolveHome } = await import('../../targets/drover-home.ts')
      const { home } = resolveHome(cli.host.environment)
      const node = line('node', true, `${process.versions.node} (${process.execPath})`)
      await printChecks(cli, [
        line('drover', true, cli.host.version),
        node,
        ...checkHome(home),
        ...checkShells(cli.host.environment.PATH ?? ''),
        ...(await checkSupervisor(cli)),
      ])
    },
  )
  await command.parseAsync(argv, { from: 'user' })
}
