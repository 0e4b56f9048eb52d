import type { LauncherSpec } from '../task/launcher.ts'
import type { RunSpec } from '../task/task-spec.ts'
import { compileDistributed } from './distributed-launcher.ts'
import type { LaunchContext } from './launch-context.ts'
import { compileMacroVariables, compileWord, hasMacro } from './macros.ts'
import { compileMpirun } from './mpirun-launcher.ts'
import { compileOptuna } from './optuna-launcher.ts'
import { compileTorchrun } from './torchrun-launcher.ts'

/**
 * What every node runs: the user's command, wrapped by its launcher, as POSIX sh that bash and busybox run as well. Without a
 * launcher (or with `single`) the command stays what it is, unless macros stand in its words or in the task's variables:
 * `['serve', '--ip', '$$${head_node_ip_var}']` becomes a script of `exec serve --ip "${DROVER_HEAD_IP-}"`.
 * Throws InputError `unsupported` where the launcher's needs are known not to be met.
 */
export function compileLaunch(launcher: LauncherSpec | undefined, run: RunSpec, context: LaunchContext): RunSpec {
  const variables = compileMacroVariables(context.envs)
  const wrap = (text: string): RunSpec => ({ kind: 'script', text: `${variables}${text}` })
  const names = [...Object.keys(context.envs), ...context.secretNames]
  switch (launcher?.kind ?? 'single') {
    case 'torchrun':
      return wrap(compileTorchrun(launcher ?? NONE, run))
    case 'distributed':
      return wrap(compileDistributed(launcher ?? NONE, run))
    case 'mpirun':
      return wrap(compileMpirun(launcher ?? NONE, run, names))
    case 'optuna':
      return wrap(compileOptuna(launcher ?? NONE, run, context))
    case 'single':
      return compileSingle(run, variables)
  }
}

const NONE: LauncherSpec = { kind: 'single', options: {} }

function compileSingle(run: RunSpec, variables: string): RunSpec {
  if (run.kind === 'argv') {
    return variables === '' && !run.argv.some(hasMacro)
      ? run
      : { kind: 'script', text: `${variables}exec ${run.argv.map(compileWord).join(' ')}\n` }
  }
  if (variables === '') return run
  // A script with an interpreter of its own gets the variables from a shell before it.
  if (!run.text.startsWith('#!')) return { kind: 'script', text: `${variables}${run.text}` }
  return { kind: 'script', text: `${variables}${compileInterpreted(run.text)}` }
}

function compileInterpreted(text: string): string {
  const [, program = '/bin/sh', argument = ''] = /^#!\s*(\S+)[ \t]*(.*)/.exec(text) ?? []
  let end = '_D_END'
  while (text.split('\n').includes(end)) end += '_'
  const words = [program, ...(argument.trim() === '' ? [] : [argument.trim()])].map(compileWord).join(' ')
  return `exec ${words} /dev/fd/9 9<<'${end}'\n${text}${text.endsWith('\n') ? '' : '\n'}${end}\n`
}
