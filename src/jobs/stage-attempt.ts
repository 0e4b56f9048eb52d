import { attemptPaths } from '../driver/protocol.ts'
import { shellAssignments } from '../driver/quote.ts'
import type { Plan } from '../executors/executor.ts'
import { stageCode } from '../packaging/stage-code.ts'
import type { Transport } from '../transports/transport.ts'

/**
 * Puts an attempt where it must be: directories, generated files, the `env` file with the secrets, code in the work
 * directories. Repeating it is harmless as long as the attempt has not been submitted.
 */
export async function stageAttempt(
  plan: Plan,
  secrets: Readonly<Record<string, string>>,
  transport: Transport,
  root: string,
): Promise<void> {
  const at = (path: string): string => `${plan.attemptDir}/${path}`
  const env = { ...plan.env, ...Object.fromEntries(plan.secretNames.map((name) => [name, secrets[name] ?? ''])) }
  await transport.write(
    plan.directories.map((path) => (path.startsWith('/') ? path : at(path))),
    [
      ...plan.files.map((file) => ({ path: at(file.path), mode: file.mode, content: file.content })),
      { path: at(attemptPaths.env), mode: 0o600, content: shellAssignments(env) },
    ],
  )
  if (plan.code?.kind === 'bundle' || plan.mounts.length > 0) {
    await stageCode({
      transport,
      root,
      ...(plan.code?.kind === 'bundle' ? { bundle: plan.code.hash } : {}),
      mounts: plan.mounts,
      workDirs: plan.workDirs,
    })
  }
}
