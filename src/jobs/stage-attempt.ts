import { attemptPaths } from '../driver/protocol.ts'
import { shellAssignments } from '../driver/quote.ts'
import type { Plan, PlanPlace } from '../executors/executor.ts'
import { stageCode } from '../packaging/stage-code.ts'
import { type Transport, transportAt } from '../transports/transport.ts'

/**
 * Puts an attempt where it must be, all places side by side: directories, generated files, the `env` file with the secrets,
 * code in the work directories. Repeating it is harmless as long as the attempt has not been submitted.
 */
export async function stageAttempt(
  plan: Plan,
  secrets: Readonly<Record<string, string>>,
  transport: Transport,
  rootOf: (node: string) => string,
): Promise<void> {
  await Promise.all(plan.places.map((place) => stagePlace(plan, place, secrets, transportAt(transport, place.node), rootOf(place.node))))
}

async function stagePlace(
  plan: Plan,
  place: PlanPlace,
  secrets: Readonly<Record<string, string>>,
  transport: Transport,
  root: string,
): Promise<void> {
  const at = (path: string): string => `${place.attemptDir}/${path}`
  const env = { ...place.env, ...Object.fromEntries(plan.secretNames.map((name) => [name, secrets[name] ?? ''])) }
  await transport.write(
    place.directories.map((path) => (path.startsWith('/') ? path : at(path))),
    [
      ...place.files.map((file) => ({ path: at(file.path), mode: file.mode, content: file.content })),
      { path: at(attemptPaths.env), mode: 0o600, content: shellAssignments(env) },
    ],
  )
  if (plan.code?.kind === 'bundle' || plan.mounts.length > 0) {
    await stageCode({
      transport,
      root,
      ...(plan.code?.kind === 'bundle' ? { bundle: plan.code.hash } : {}),
      mounts: plan.mounts,
      workDirs: place.workDirs,
    })
  }
}
