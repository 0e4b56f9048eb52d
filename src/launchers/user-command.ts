import type { RunSpec } from '../task/task-spec.ts'
import { compileWord } from './macros.ts'

/**
 * Lines that make the user's command the positional parameters: `['python', 'a b.py']` → `set -- python 'a b.py'`. A script
 * becomes a file of the attempt, to the byte, run by its `#!` line, else by bash where there is one, else by sh.
 * `shared`: the file has the same name on every node, for launchers that start it on other nodes.
 */
export function compileUserCommand(run: RunSpec, options: { readonly shared?: boolean } = {}): string {
  if (run.kind === 'argv') return `set -- ${run.argv.map(compileWord).join(' ')}\n`
  const file = `"$_d_launch/command${options.shared ? '' : '-$_d_id'}.sh"`
  const start = run.text.startsWith('#!')
    ? `chmod 700 ${file}\nset -- ${file}\n`
    : `if command -v bash >/dev/null 2>&1; then set -- bash ${file}; else set -- sh ${file}; fi\n`
  return `${compileFile(file, run.text)}${start}`
}

/**
 * Lines that write a file of the node: its own first, then moved, so that ranks which share the directory never read half of
 * one. A text without a last newline gets one.
 */
export function compileFile(path: string, text: string): string {
  let end = '_D_END'
  while (text.split('\n').includes(end)) end += '_'
  const target = path.slice(0, -1)
  return `cat >${target}.$_d_id.new" <<'${end}' && mv ${target}.$_d_id.new" ${path} || _d_fail 'cannot write its files'
${text}${text.endsWith('\n') ? '' : '\n'}${end}
`
}
