import { randomBytes } from 'node:crypto'
import type { LauncherSpec } from '../task/launcher.ts'

/**
 * Secrets that a launcher needs beside the task's own: `optuna` a password for the database that the job may start
 * (`DROVER_JOB_SECRET`, the same on all nodes), and the address of a registered one (`DROVER_DATABASE_URI`).
 *
 * @throws what `databaseUri` throws for a name that is not registered
 */
export async function launcherSecrets(
  launcher: LauncherSpec | undefined,
  databaseUri: (name: string) => Promise<string>,
): Promise<Readonly<Record<string, string>>> {
  if (launcher?.kind !== 'optuna') return {}
  const { database } = launcher.options
  if (typeof database === 'string') return { DROVER_DATABASE_URI: await databaseUri(database) }
  return { DROVER_JOB_SECRET: randomBytes(18).toString('hex') }
}
