import { InputError } from '../errors.ts'
import { get, type LocatedMap, refusal } from './located.ts'
import { isEnvironmentName } from './names.ts'
import { resolvePath } from './paths.ts'
import type { TaskContext } from './task-context.ts'

/** Variables of a task after flags and the client's environment; plain values, and secrets, which stay in memory. */
export interface TaskEnvironment {
  readonly envs: Readonly<Record<string, string>>
  readonly secrets: Readonly<Record<string, string>>
  /** `secrets:NAME` references, which a SkyPilot server resolves. */
  readonly managedSecrets: readonly string[]
}

/** `NAME=VALUE`, or `NAME` alone for the value in the client's environment; or both forms as an object. */
export type Assignments = readonly string[] | Readonly<Record<string, string>>

/**
 * Reads `--env` or `--secret`. Messages name the variable, never the value.
 *
 * @throws InputError `invalid_argument`, or `missing_secret` where a secret isn't in the client's environment
 */
function readAssignments(given: Assignments | undefined, flag: '--env' | '--secret', context: TaskContext): ReadonlyMap<string, string> {
  const result = new Map<string, string>()
  const pairs = Array.isArray(given) ? (given as readonly string[]).map(splitAssignment) : Object.entries(given ?? {})
  for (const [name, value] of pairs) {
    if (!isEnvironmentName(name)) {
      const shown = flag === '--secret' ? '' : ` "${name.slice(0, 60)}"`
      throw refusal('', { flag }, `the name${shown} is not one of a variable`, `Write ${flag} NAME=VALUE, or ${flag} NAME.`)
    }
    const found = value ?? context.environment[name]
    if (found === undefined) {
      const message = `${flag} ${name}: ${name} is not set in your environment`
      throw new InputError(flag === '--secret' ? 'missing_secret' : 'invalid_argument', message, {
        hint: `Set it, or write ${flag} ${name}=VALUE.`,
      })
    }
    if (found.includes('\0')) throw refusal('', { flag }, `the value of ${name} holds a NUL character`)
    result.set(name, found)
  }
  return result
}

function splitAssignment(text: string): readonly [string, string | undefined] {
  const equals = text.indexOf('=')
  return equals < 0 ? [text, undefined] : [text.slice(0, equals), text.slice(equals + 1)]
}

/**
 * Reads an env file: `NAME=VALUE` a line, `#` comments, `export ` allowed, values bare, in single quotes (as they are)
 * or in double quotes (`\n`, `\t`, `\"`, `\\`, `\$`). Variables inside values are not expanded.
 */
export function parseEnvFile(text: string, file: string): ReadonlyMap<string, string> {
  const result = new Map<string, string>()
  text
    .replace(/^\uFEFF/, '')
    .split(/\r?\n/)
    .forEach((line, index) => {
      const trimmed = line.trim()
      if (trimmed === '' || trimmed.startsWith('#')) return
      const match = /^(?:export\s+)?([a-zA-Z_][a-zA-Z0-9_]*)\s*=\s*(.*)$/.exec(trimmed)
      const value = match === null ? undefined : envFileValue(match[2] ?? '')
      if (match?.[1] === undefined || value === undefined) {
        // The line isn't quoted: env files hold secrets.
        throw refusal(
          '',
          { place: { file, line: index + 1, column: 1 } },
          'the line is not NAME=VALUE',
          'Quotes must be closed on the same line.',
        )
      }
      result.set(match[1], value)
    })
  return result
}

function envFileValue(text: string): string | undefined {
  const single = /^'([^']*)'\s*(?:#.*)?$/.exec(text)
  if (single) return single[1]
  const double = /^"((?:[^"\\]|\\.)*)"\s*(?:#.*)?$/.exec(text)
  if (double) return (double[1] ?? '').replace(/\\(.)/g, (_, mark: string) => ({ n: '\n', t: '\t', r: '\r' })[mark] ?? mark)
  return /^["']/.test(text) ? undefined : text.replace(/\s+#.*$/, '').trimEnd()
}

function readEnvFile(context: TaskContext): ReadonlyMap<string, string> {
  const given = context.overrides.envFile
  if (given === undefined) return new Map()
  const path = resolvePath(given, context.currentDirectory ?? context.baseDirectory, context.files.homedir)
  try {
    return parseEnvFile(context.files.readText(path), path)
  } catch (error) {
    if (error instanceof InputError) throw error
    throw new InputError('missing_file', `--env-file: cannot read ${path}`, { cause: error })
  }
}

/**
 * The task's variables: the file's, then `--env-file`, then `--env` and `--secret`. An env without a value needs `--env`;
 * a secret without one needs `--secret` or a variable of that name in the client's environment. A name in both is secret.
 *
 * @throws InputError `missing_secret`, `invalid_task`, `invalid_argument`, `missing_file`
 */
export function resolveEnvironment(task: LocatedMap, context: TaskContext): TaskEnvironment {
  const envs = new Map<string, string>()
  const given = new Map([...readEnvFile(context), ...readAssignments(context.overrides.envs, '--env', context)])
  const envsNode = get(task, 'envs')
  for (const { key, keyOrigin, value } of envsNode?.kind === 'map' ? envsNode.entries : []) {
    if (value.kind === 'scalar' && value.type !== 'null') envs.set(key, value.text)
    else if (!given.has(key)) throw refusal(`envs.${key}`, keyOrigin, 'has no value', `Give one in the file, or with --env ${key}=VALUE.`)
  }
  for (const [key, value] of given) envs.set(key, value)

  const secrets = new Map<string, string>()
  const managedSecrets: string[] = []
  const givenSecrets = readAssignments(context.overrides.secrets, '--secret', context)
  const secretsNode = get(task, 'secrets')
  for (const { key, keyOrigin, value } of secretsNode?.kind === 'map' ? secretsNode.entries : []) {
    const own = value.kind === 'scalar' && value.type !== 'null' ? value.text : undefined
    const found = givenSecrets.get(key) ?? own ?? context.environment[key]
    if (found === undefined) {
      throw new InputError('missing_secret', `the secret ${key} has no value`, {
        hint: `Give it with --secret ${key}=VALUE, or set ${key} in your environment.`,
        ...(keyOrigin.place === undefined ? {} : { location: keyOrigin.place }),
      })
    }
    secrets.set(key, found)
  }
  for (const item of secretsNode?.kind === 'list' ? secretsNode.items : []) if (item.kind === 'scalar') managedSecrets.push(item.text)
  for (const [key, value] of givenSecrets) secrets.set(key, value)
  for (const key of secrets.keys()) envs.delete(key)
  checkDockerLogin(envs, secrets, envsNode ?? secretsNode ?? task)
  return { envs: Object.fromEntries(envs), secrets: Object.fromEntries(secrets), managedSecrets }
}

/** SkyPilot logs in to a registry only with all three, and all of one kind. */
function checkDockerLogin(
  envs: ReadonlyMap<string, string>,
  secrets: ReadonlyMap<string, string>,
  node: { readonly origin: LocatedMap['origin'] },
): void {
  const names = ['SKYPILOT_DOCKER_USERNAME', 'SKYPILOT_DOCKER_PASSWORD', 'SKYPILOT_DOCKER_SERVER']
  const inEnvs = names.filter((name) => envs.has(name)).length
  const inSecrets = names.filter((name) => secrets.has(name)).length
  if (inEnvs + inSecrets === 0 || inEnvs === 3 || inSecrets === 3) return
  throw refusal('', node.origin, `${names.join(', ')} must be given all three, and all in envs or all in secrets`)
}
