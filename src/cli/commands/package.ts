import { stat } from 'node:fs/promises'
import { resolve } from 'node:path'
import { Option } from 'commander'
import { InputError } from '../../errors.ts'
import { type ArchiveFormat, packageDirectory } from '../../packaging/package-directory.ts'
import { requireWorkdir } from '../../packaging/task-code.ts'
import type { Cli } from '../cli.ts'
import { createCommand } from '../command-builder.ts'
import { readTask } from '../task-flags.ts'

interface PackageFlags {
  readonly format?: ArchiveFormat
  readonly task?: string
  readonly jobId?: string
  readonly name?: string
}

const FORMS = ['table', 'json', 'quiet']

/** `drover package DIRECTORY|TASKFILE -o FILE`: writes the code as it would be sent to a target to an archive. */
export async function packageCommand(cli: Cli, argv: readonly string[]): Promise<void> {
  let file: string | undefined
  const command = createCommand(cli, 'package', 'Write code, as it would be sent to a target, to an archive.')
    .usage('[options] DIRECTORY | [options] TASKFILE')
    .argument('<source>', 'a directory, or a task file whose workdir is meant')
    .addOption(new Option('--format <format>', 'form of the archive; default by the name of the file').choices(['zip', 'tar.gz']))
    .option('--task <name>', 'which task of the file')
    .option('--job-id <id>', 'id that .drover/job.json in the archive names')
    .option('--name <name>', 'name that it names; default the one of the task or directory')
    .action(async (source: string, flags: PackageFlags) => {
      const { code, name, files } = await findCode(cli, source, flags)
      const path = await packageDirectory(code, {
        ...(flags.format === undefined ? {} : { format: flags.format }),
        output: resolve(cli.host.directory, file ?? `${name}.${flags.format ?? 'tar.gz'}`),
        job: { name, ...(flags.jobId === undefined ? {} : { id: flags.jobId }) },
        files,
      })
      const { size } = await stat(path)
      await cli.print({ json: { path, bytes: size }, ids: [path], text: () => `${path}\n` })
    })
  // Here -o names the file, as it does for archivers; the forms of other commands' results are still taken by it.
  const output = command.options.find((option) => option.long === '--output')
  if (output !== undefined) {
    output.flags = '-o, --output <file>'
    output.description = 'the archive to write, or a form of the result (table, json, quiet)'
    Reflect.deleteProperty(output, 'argChoices')
    output.argParser((text: string, before: string | undefined) => {
      if (FORMS.includes(text)) return text
      file = text
      return before
    })
  }
  await command.parseAsync(argv, { from: 'user' })
}

async function findCode(cli: Cli, source: string, flags: PackageFlags): Promise<ReturnType<typeof requireWorkdir>> {
  const path = resolve(cli.host.directory, source)
  const found = await stat(path).catch(() => undefined)
  if (found === undefined) throw new InputError('missing_file', `cannot package "${source}": it is not there, or not readable`)
  if (!found.isDirectory()) return requireWorkdir(await readTask(cli.host, { file: source }, {}), flags)
  if (flags.task !== undefined) throw new InputError('invalid_argument', `--task goes with a task file, and "${source}" is a directory`)
  const name = flags.name ?? (path.split('/').at(-1) || 'code')
  return { code: { kind: 'directory', path }, name, files: {} }
}
