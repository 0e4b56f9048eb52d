/** One column: its title and how wide cells are aligned. Numbers go right. */
export interface Column {
  readonly title: string
  readonly align?: 'left' | 'right'
}

/** A cell: its text, and what is printed in its place (the same text in colour). */
export interface Cell {
  readonly text: string
  readonly shown?: string
}

/** Text from a target or a task, made safe for a terminal: control characters become visible, a line stays a line. */
export function printable(text: string): string {
  return text
    .replace(/\s*\n\s*/g, ' ')
    .replace(/[\u0000-\u001f\u007f-\u009f]/g, (character) => `\\x${character.charCodeAt(0).toString(16).padStart(2, '0')}`)
}

function pad(shown: string, width: number, full: number, align: Column['align']): string {
  const space = ' '.repeat(Math.max(0, full - width))
  return align === 'right' ? space + shown : shown + space
}

/**
 * Rows under titles, two spaces between columns, no trailing blanks, each line ended.
 *
 * `ID  NAME` / `k3  train`
 */
export function compileTable(columns: readonly Column[], rows: readonly (readonly (string | Cell)[])[]): string {
  const body = rows.map((row) =>
    row.map((cell): Required<Cell> => {
      const text = printable(typeof cell === 'string' ? cell : cell.text)
      return { text, shown: typeof cell === 'string' ? text : (cell.shown ?? text) }
    }),
  )
  const widths = columns.map((column, index) =>
    body.reduce((width, row) => Math.max(width, [...(row[index]?.text ?? '')].length), column.title.length),
  )
  const lines = [columns.map((column) => ({ text: column.title, shown: column.title })), ...body].map((row) =>
    columns
      .map((column, index) => {
        const cell = row[index] ?? { text: '', shown: '' }
        return pad(cell.shown, [...cell.text].length, widths[index] ?? 0, column.align)
      })
      .join('  ')
      .trimEnd(),
  )
  return `${lines.join('\n')}\n`
}

/** `name  value` lines with the values aligned; entries without a value are left out. */
export function compileFields(fields: readonly (readonly [name: string, value: string | null | undefined])[]): string {
  const present = fields.filter(
    (field): field is readonly [string, string] => field[1] !== null && field[1] !== undefined && field[1] !== '',
  )
  const width = present.reduce((most, [name]) => Math.max(most, name.length), 0)
  return present.map(([name, value]) => `${name.padEnd(width)}  ${value}\n`).join('')
}
