import { Option } from 'commander'
import { InputError } from '../../errors.ts'
import type { Cli } from '../cli.ts'
import { createCommand } from '../command-builder.ts'
import type { DatabaseFlags } from '../database-edit.ts'
import { wholeNumber } from '../flag-values.ts'
import { compileTable } from '../output/table.ts'

/** `drover db list`: addresses without passwords, and where each password comes from. */
async function listDatabases(cli: Cli): Promise<void> {
  const [{ loadDatabases }, { configContext }] = await Promise.all([import('../../targets/databases.ts'), import('../config-context.ts')])
  const databases = [...loadDatabases(configContext(cli)).values()]
  await cli.print({
    json: databases.map(({ name, uri, password, place }) => ({ name, uri, password, file: place.file })),
    ids: databases.map(({ name }) => name),
    text: () =>
      compileTable(
        [{ title: 'NAME' }, { title: 'URI' }, { title: 'PASSWORD' }, { title: 'FILE' }],
        databases.map(({ name, uri, password, place }) => [name, uri, password, place.file]),
      ),
  })
}

/** Refuses what says one thing twice, before anything is read. */
function checkFlags(flags: DatabaseFlags): void {
  if (flags.uri !== undefined && (flags.host ?? flags.port ?? flags.user ?? flags.type ?? flags.database) !== undefined)
    throw new InputError('invalid_argument', '--uri holds the whole address: give it alone, or --host, --port, --user, --type, --database')
  if (flags.passwordStdin === true && flags.passwordCommand !== undefined)
    throw new InputError('invalid_argument', 'give --password-stdin or --password-command, not both')
}

/** `drover db add|edit|list|remove`. */
export async function dbCommand(cli: Cli, argv: readonly string[]): Promise<void> {
  const command = createCommand(cli, 'db', 'Databases that jobs may use, for studies of optuna; passwords are kept apart.').usage(
    'list | add NAME … | edit NAME … | remove NAME',
  )
  command.addCommand(createCommand(cli, 'list', 'List databases.').action(async () => await listDatabases(cli)))
  for (const verb of ['add', 'edit'] as const) {
    command.addCommand(
      createCommand(cli, verb, verb === 'add' ? 'Register a database.' : 'Change what is said of a database.')
        .argument('<name>', 'name of the database')
        .option('--uri <uri>', 'address, as SQLAlchemy takes it: postgresql://user@host:5432/name, mysql+pymysql://…')
        .addOption(new Option('--type <type>', 'in place of --uri, with those below').choices(['postgres', 'mysql']))
        .option('--host <host>', 'host of the server')
        .option('--port <port>', 'its port', wholeNumber('--port', 1))
        .option('--user <user>', 'account there')
        .option('--database <name>', "name of the database there (default: this one's)")
        .option('--password-stdin', 'read the password from standard input; it is kept in a file of its own, 0600, in DROVER_HOME')
        .option('--password-command <command>', 'a command on this machine that prints the password, asked whenever it is needed')
        .option('--project', "write the project's drover.yaml, not your own file")
        .action(async (name: string, flags: DatabaseFlags) => {
          checkFlags(flags)
          const { addDatabase, editDatabase } = await import('../database-edit.ts')
          await (verb === 'add' ? addDatabase : editDatabase)(cli, name, flags)
        }),
    )
  }
  command.addCommand(
    createCommand(cli, 'remove', 'Forget a database and its password. The database itself stays.')
      .argument('<name>', 'name of the database')
      .option('--project', "the project's drover.yaml, not your own file")
      .action(async (name: string, flags: DatabaseFlags) => {
        const { removeDatabase } = await import('../database-edit.ts')
        await removeDatabase(cli, name, flags)
      }),
  )
  await command.parseAsync(argv, { from: 'user' })
}
