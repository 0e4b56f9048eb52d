import { attemptPaths } from '../driver/protocol.ts'
import { shellAssignments } from '../driver/quote.ts'
import type { FileToWrite } from '../transports/transport.ts'
import type { Plan, PlanPlace } from './executor.ts'

/** Every file of a place with its text: the generated ones, and `env` with the secrets. Paths are absolute. */
export function placeFiles(
  plan: Plan,
  place: PlanPlace,
  secrets: Readonly<Record<string, string>>,
): { readonly directories: readonly string[]; readonly files: readonly FileToWrite[] } {
  const at = (path: string): string => `${place.attemptDir}/${path}`
  const env = { ...place.env, ...Object.fromEntries(plan.secretNames.map((name) => [name, secrets[name] ?? ''])) }
  return {
    directories: place.directories.map((path) => (path.startsWith('/') ? path : at(path))),
    files: [
      ...place.files.map((file) => ({ path: at(file.path), mode: file.mode, content: file.content })),
      { path: at(attemptPaths.env), mode: 0o600, content: shellAssignments(env) },
    ],
  }
}
