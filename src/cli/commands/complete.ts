import type { Cli } from '../cli.ts'

/**
 * `drover __complete jobs|targets`: names for a shell's completion, one a line. Starts nothing, waits for nobody, and
 * prints nothing where there is no supervisor: a TAB must never make a process or an error.
 */
export async function completeCommand(cli: Cli, argv: readonly string[]): Promise<void> {
  const drover = await cli.host.open({ daemon: true, start: false })
  try {
    const names =
      argv[0] === 'targets'
        ? (await drover.targets({ clientDirectory: cli.host.directory })).map((target) => target.name)
        : (await drover.list({ limit: 200 })).map((job) => job.id)
    await cli.host.stdout.write(names.map((name) => `${name}\n`).join(''))
  } catch {
    // No supervisor, no names.
  } finally {
    await drover.close()
  }
}
