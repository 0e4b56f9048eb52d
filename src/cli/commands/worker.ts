import { Option } from 'commander'
import type { Cli } from '../cli.ts'
import { createCommand } from '../command-builder.ts'
import { duration, repeated } from '../flag-values.ts'
import type { InitFlags } from './worker-init.ts'
import type { RunFlags } from './worker-run.ts'
import { STUB_FORMS, type StubsFlags } from './worker-stubs.ts'

function registryOption(): Option {
  return new Option(
    '--registry <dir>',
    'folder with a folder (or script) per worker; repeatable (default: workers, tkr/workers)',
  ).argParser(repeated)
}

/** `drover worker init|list|check|stubs|run`. */
export async function workerCommand(cli: Cli, argv: readonly string[]): Promise<void> {
  const command = createCommand(cli, 'worker', 'Workers: programs whose tasks workflows call.').usage(
    'init NAME | list | check NAME | stubs NAME|FILE | run NAME TASK',
  )
  command.addCommand(
    createCommand(cli, 'init', 'Write a new worker that works at once.')
      .argument('<name>', 'name of the worker, and of its folder')
      .option('--typescript', 'in TypeScript (default)')
      .option('--python', 'in Python, run by uv')
      .addOption(new Option('--registry <dir>', 'folder that gets the new folder (default: workers)').argParser(repeated))
      .action(async (name: string, flags: InitFlags) => await (await import('./worker-init.ts')).initWorker(cli, name, flags)),
  )
  command.addCommand(
    createCommand(cli, 'list', 'List workers of the registries, and tkr-… programs on PATH.')
      .addOption(registryOption())
      .action(async (flags) => await (await import('./worker-check.ts')).listWorkers(cli, flags)),
  )
  command.addCommand(
    createCommand(cli, 'check', 'Say whether a worker can be called, and which tasks it has.')
      .argument('<name>', 'name of the worker')
      .addOption(registryOption())
      .action(async (name: string, flags) => await (await import('./worker-check.ts')).checkWorker(cli, name, flags)),
  )
  command.addCommand(
    createCommand(cli, 'stubs', "Write declarations of a worker's tasks, for graphs.")
      .argument('<worker>', 'name of a worker; or a file: stubs (.py), an interface (.tsp), a worker (.ts, .js)')
      .addOption(new Option('--to <form>', 'default: typescript; python for workers in TypeScript').choices(STUB_FORMS))
      .option('-w, --write <file>', 'the file to write (default: standard output)')
      .addOption(registryOption())
      .action(async (source: string, flags: StubsFlags) => await (await import('./worker-stubs.ts')).writeStubs(cli, source, flags)),
  )
  command.addCommand(
    createCommand(cli, 'run', 'Call one task without a workflow, and print its outputs.')
      .argument('<name>', 'name of the worker')
      .argument('<task>', 'name of the task')
      .option('-i, --input <input>', 'port=VALUE (JSON, else text), port=@FILE, or a JSON file of values by port; repeatable', repeated)
      .option('-p, --port <port>', 'output port to ask for; repeatable (default: those the task declares, else value)', repeated)
      .addOption(new Option('--timeout <duration>', 'end it after this time').argParser(duration('--timeout')))
      .option('--keep', "keep the call's directory, and name it")
      .addOption(registryOption())
      .action(
        async (name: string, task: string, flags: RunFlags) => await (await import('./worker-run.ts')).runWorker(cli, name, task, flags),
      ),
  )
  await command.parseAsync(argv, { from: 'user' })
}
