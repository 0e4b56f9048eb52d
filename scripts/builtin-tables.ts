// Writes the tables of builtins into docs/builtins.md from their definitions in the code.
import { readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import type { BuiltinDefinition, InputPort } from '../src/workflow/builtins/builtin.ts'
import { BUILTIN_ALIASES, BUILTINS, PORT_ALIASES } from '../src/workflow/builtins/builtin-table.ts'

const PAGE = fileURLToPath(new URL('../docs/builtins.md', import.meta.url))
const BLOCK = /(<!-- builtins: [^>]*-->\n)[\s\S]*?(<!-- \/builtins -->)/

function escapeCell(text: string): string {
  return text.replaceAll('|', '\\|')
}

function showInput(builtin: string, port: InputPort): string {
  const older = [...(PORT_ALIASES.get(builtin) ?? [])].filter(([, name]) => name === port.name).map(([alias]) => alias)
  const fallback = port.default === undefined ? '' : ` = ${port.default}`
  return `\`${port.name}: ${port.annotation}${fallback}\`${older.length > 0 ? ` (older: \`${older.join('`, `')}\`)` : ''}`
}

function showRow({ name, inputs, outputs, summary }: BuiltinDefinition): string {
  const older = [...BUILTIN_ALIASES].filter(([, current]) => current === name).map(([alias]) => `\`${alias}\``)
  const cells = [
    `\`${name}\``,
    inputs.map((port) => showInput(name, port)).join(', '),
    outputs.map((port) => `\`${port.name}: ${port.annotation}\``).join(', '),
    summary,
    older.join(', '),
  ]
  return `| ${cells.map(escapeCell).join(' | ')} |`
}

/** The table in Markdown, in alphabetical order. */
export function compileBuiltinTable(): string {
  const rows = BUILTINS.toSorted((a, b) => (a.name < b.name ? -1 : 1)).map(showRow)
  return ['| builtin | inputs | outputs | gives | older names |', '|---|---|---|---|---|', ...rows, ''].join('\n')
}

/** Whether the page's table differs from the code's; `write` puts it right. */
export function isBuiltinPageOutdated(write: boolean): boolean {
  const text = readFileSync(PAGE, 'utf8')
  if (!BLOCK.test(text)) throw new Error('docs/builtins.md has no place for the table of builtins')
  const next = text.replace(BLOCK, (_, start: string, end: string) => `${start}\n${compileBuiltinTable()}\n${end}`)
  if (write && next !== text) writeFileSync(PAGE, next)
  return next !== text
}

if (process.argv[1] === fileURLToPath(import.meta.url))
  console.log(isBuiltinPageOutdated(true) ? 'written: docs/builtins.md' : 'nothing to do')
