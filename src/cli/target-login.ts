import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { lstatSync, mkdirSync, rmSync } from 'node:fs'
import { DroverError, InputError } from '../errors.ts'
import { executorOf } from '../executors/registry.ts'
import { loadTargets } from '../targets/load-targets.ts'
import type { LoginStep } from '../targets/login-step.ts'
import type { Cli } from './cli.ts'
import { configContext, requireKnown } from './config-context.ts'

/** What became of one connection. */
interface Outcome {
  readonly node: string
  readonly state: 'open' | 'opened' | 'failed' | 'expired' | 'closed'
}

/** Flags of `target login`. */
export interface LoginFlags {
  readonly check?: boolean
  readonly close?: boolean
}

/** Runs a program to its end; resolves to its exit code, undefined where a signal or its absence ended it. */
async function run(cli: Cli, argv: readonly string[], stdio: 'inherit' | 'ignore'): Promise<number | undefined> {
  const [program = '', ...args] = argv
  const child = spawn(program, args, { stdio, env: cli.host.environment as NodeJS.ProcessEnv })
  try {
    const [code] = (await once(child, 'exit')) as [number | null]
    return code ?? undefined
  } catch (cause) {
    throw new DroverError('missing_file', `cannot start ${program}: it is not on your PATH`, {
      level: 'config',
      cause,
      hint: `Install ${program}.`,
    })
  }
}

/** Nobody else may put sockets where connections are found again. */
function makePrivate(directory: string): void {
  mkdirSync(directory, { recursive: true, mode: 0o700 })
  const { mode, uid } = lstatSync(directory)
  if ((mode & 0o077) === 0 && (process.getuid === undefined || uid === process.getuid())) return
  throw new DroverError('no_permission', `the directory of the ssh control sockets ${directory} is open to others or not yours`, {
    level: 'config',
    hint: `Remove it, or: chmod 700 ${directory}`,
  })
}

async function perform(cli: Cli, step: LoginStep, flags: LoginFlags): Promise<Outcome> {
  makePrivate(step.directory)
  const { node } = step
  const lives = async (): Promise<boolean> => (await run(cli, step.check, 'ignore')) === 0
  if (flags.close === true) {
    if (await lives()) await run(cli, step.close, 'ignore')
    return { node, state: 'closed' }
  }
  if (await lives()) return { node, state: 'open' }
  if (flags.check === true) return { node, state: 'expired' }
  rmSync(step.socket, { force: true })
  await cli.say(`drover: logging in to ${node}`)
  const code = await run(cli, step.open, 'inherit')
  return { node, state: code === 0 && (await lives()) ? 'opened' : 'failed' }
}

const WORDS: Readonly<Record<Outcome['state'], string>> = {
  open: 'is open already',
  opened: 'is open: nothing asks for a password there until it is cut or closed',
  failed: 'could not be opened',
  expired: 'is not open (expired, cut, or never opened)',
  closed: 'is closed',
}

/** `drover target login NAME`: node after node, since each may ask something at the terminal. */
export async function loginTarget(cli: Cli, name: string, flags: LoginFlags): Promise<void> {
  const context = configContext(cli)
  const { targets } = loadTargets(context)
  requireKnown(name, Object.keys(targets))
  const target = targets[name]
  const steps = target === undefined ? undefined : executorOf(target.kind).loginSteps?.(target, context.environment)
  if (steps === undefined) {
    throw new InputError('unsupported', `target "${name}" is of kind ${target?.kind}: there is nothing to log in to`, {
      hint: `Check it: drover target check ${name}`,
    })
  }
  const outcomes: Outcome[] = []
  for (const step of steps) outcomes.push(await perform(cli, step, flags))
  await cli.print({
    json: outcomes,
    ids: outcomes.map(({ node }) => node),
    text: () => outcomes.map(({ node, state }) => `${node}: the connection ${WORDS[state]}\n`).join(''),
  })
  if (outcomes.some(({ state }) => state === 'failed' || state === 'expired')) cli.exitCode = 125
}
