import { DroverError } from '../../errors.ts'
import type { SupervisorStatus } from '../../jobs/drover.ts'
import type { Cli } from '../cli.ts'
import { createCommand } from '../command-builder.ts'
import { bytesText, spanText } from '../output/amounts.ts'
import { compileFields } from '../output/table.ts'

function compileStatus(cli: Cli, status: SupervisorStatus): string {
  return compileFields([
    ['state', 'running'],
    ['pid', String(status.pid)],
    ['version', status.version],
    ['host', status.host],
    ['home', status.home],
    ['socket', status.socket],
    ['up', spanText(Math.max(0, cli.host.now() - Date.parse(status.started_at)))],
    [
      'jobs',
      Object.entries(status.jobs)
        .map(([state, count]) => `${count} ${state}`)
        .join(', '),
    ],
    ['memory', bytesText(status.memory_bytes)],
    ['idle exit', status.idle_exit_ms === null ? 'never' : spanText(status.idle_exit_ms)],
  ])
}

async function printStatus(cli: Cli): Promise<void> {
  const drover = await cli.host.open({ daemon: true, start: false })
  try {
    const status = await drover.status()
    await cli.print({ json: { running: true, ...status }, ids: [String(status.pid)], text: () => compileStatus(cli, status) })
  } catch (error) {
    if (!(error instanceof DroverError) || error.code !== 'supervisor_unreachable') throw error
    await cli.print({ json: { running: false }, ids: [], text: () => 'no supervisor is running; the next command starts one\n' })
  } finally {
    await drover.close()
  }
}

async function stop(cli: Cli): Promise<void> {
  const [{ stopAndWait }, { resolveHome }] = await Promise.all([
    import('../../server/stop-daemon.ts'),
    import('../../targets/drover-home.ts'),
  ])
  const stopped = await stopAndWait(resolveHome(cli.host.environment).socketPath, cli.host.version)
  await cli.print({
    json: { stopped },
    ids: [],
    text: () => (stopped ? 'the supervisor has stopped; its jobs run on\n' : 'no supervisor was running\n'),
  })
}

/** `drover supervisor status|stop|run`; `run` is what a detached supervisor is started with, and stays in the foreground. */
export async function supervisorCommand(cli: Cli, argv: readonly string[]): Promise<void> {
  const command = createCommand(
    cli,
    'supervisor',
    'The background process that drives jobs. It is started on demand and ends when idle.',
  ).usage('status | stop | run')
  command.addCommand(createCommand(cli, 'status', 'Say whether it runs, and what it does.').action(async () => await printStatus(cli)))
  command.addCommand(
    createCommand(cli, 'stop', 'End it; jobs run on, and the next command starts it again.').action(async () => await stop(cli)),
  )
  command.addCommand(
    createCommand(cli, 'run', 'Be the supervisor, in the foreground.').action(async () => {
      const { runDaemon } = await import('../../server/daemon.ts')
      cli.exitCode = await runDaemon(cli.host.environment)
    }),
  )
  await command.parseAsync(argv, { from: 'user' })
}
