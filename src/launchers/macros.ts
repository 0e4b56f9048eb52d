import { quoteShell } from '../driver/quote.ts'

/**
 * NeMo-Run's macros (nemo_run/core/execution/base.py, ExecutorMacros, 0.11) → the shell variable that holds the value in a
 * job of Drover. A macro stands for the *name*; `$$${node_rank_var}` is a reference to it, `$DROVER_NODE_RANK`.
 */
const MACROS: Readonly<Record<string, string>> = {
  head_node_ip_var: 'DROVER_HEAD_IP',
  nproc_per_node_var: 'DROVER_PROCESSES_PER_NODE',
  num_nodes_var: 'DROVER_NUM_NODES',
  node_rank_var: 'DROVER_NODE_RANK',
  het_group_host_var: 'DROVER_HET_GROUP_HOST',
  ft_launcher_cfg_path_var: 'FAULT_TOL_CFG_PATH',
}

/** One piece of a substituted word: text as it is, or the value of a variable at run time. */
export type WordPiece = { readonly kind: 'text'; readonly text: string } | { readonly kind: 'variable'; readonly name: string }

const ANY_MACRO = new RegExp(`\\$(?:\\{(?:${Object.keys(MACROS).join('|')})\\}|(?:${Object.keys(MACROS).join('|')})(?![A-Za-z0-9_]))`)

/** True when a word holds a macro; a word without one is left to the byte, `$$` included. */
export function hasMacro(word: string): boolean {
  return ANY_MACRO.test(word)
}

/**
 * Reads a word with the rules of Python's `string.Template.safe_substitute`: `$$` is a dollar sign, `$name` and `${name}` a
 * macro, any other dollar stays. A name that so comes to stand behind a dollar sign is a reference, with what follows it as
 * part of the name (NeMo-Run's `group_host(0)` is `$$${het_group_host_var}_0`): `tcp://$$${head_node_ip_var}:29500` →
 * text `tcp://`, variable DROVER_HEAD_IP, text `:29500`. References are expanded once, by the launcher, never re-split.
 */
export function substituteMacros(word: string): readonly WordPiece[] {
  if (!hasMacro(word)) return [{ kind: 'text', text: word }]
  const pieces: WordPiece[] = []
  let text = ''
  let escaped = false
  let rest = word
  while (rest !== '') {
    const match = /^\$(?:(\$)|([A-Za-z_][A-Za-z0-9_]*)|\{([A-Za-z_][A-Za-z0-9_]*)\})/.exec(rest)
    if (match === null) {
      text += rest[0]
      rest = rest.slice(1)
      escaped = false
      continue
    }
    rest = rest.slice(match[0].length)
    const name = MACROS[match[2] ?? match[3] ?? '']
    if (match[1] !== undefined) {
      text += '$'
      escaped = true
      continue
    }
    if (name !== undefined && escaped) {
      const tail = /^[A-Za-z0-9_]*/.exec(rest)?.[0] ?? ''
      rest = rest.slice(tail.length)
      if (text.length > 1) pieces.push({ kind: 'text', text: text.slice(0, -1) })
      pieces.push({ kind: 'variable', name: name + tail })
      text = ''
    } else {
      text += name ?? match[0]
    }
    escaped = false
  }
  if (text !== '') pieces.push({ kind: 'text', text })
  return pieces
}

/** One word of POSIX sh: `--addr=$$${head_node_ip_var}` → `--addr="${DROVER_HEAD_IP-}"`; without a macro as `quoteShell`. */
export function compileWord(word: string): string {
  const pieces = substituteMacros(word)
  if (pieces.length === 0) return "''"
  return pieces.map((piece) => (piece.kind === 'text' ? quoteShell(piece.text) : `"\${${piece.name}-}"`)).join('')
}

/** Lines that export the variables whose values hold macros: their references are known only on the node. */
export function compileMacroVariables(envs: Readonly<Record<string, string>>): string {
  return Object.entries(envs)
    .filter(([, value]) => hasMacro(value))
    .map(([name, value]) => `export ${name}=${compileWord(value)}\n`)
    .join('')
}
