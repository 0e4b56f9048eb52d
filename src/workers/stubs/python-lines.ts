/** A statement of Python: one line, or several that brackets or strings join. */
export interface PythonLine {
  /** Columns before the first character. */
  readonly indent: number
  /** Without comments and line breaks. */
  readonly text: string
  /** 1-based line where it begins. */
  readonly line: number
}

const PIECE = /("""[\s\S]*?"""|'''[\s\S]*?'''|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*')|#[^\n]*|\n|[^"'#\n]+|["']/y

/**
 * Statements of a Python file, enough for generated stubs: comments are dropped, lines inside brackets are joined. Strings over
 * several lines (docstrings) become one empty string.
 */
export function pythonLines(source: string): readonly PythonLine[] {
  const lines: PythonLine[] = []
  let text = ''
  let depth = 0
  let number = 1
  let start = 1
  const close = (): void => {
    const trimmed = text.trim()
    if (trimmed !== '') lines.push({ indent: text.length - text.trimStart().length, text: trimmed, line: start })
    text = ''
  }
  PIECE.lastIndex = 0
  for (let match = PIECE.exec(source); match !== null && match[0] !== ''; match = PIECE.exec(source)) {
    const [piece, quoted] = match
    if (text.trim() === '') start = number
    if (piece === '\n') {
      if (depth === 0) close()
      else text += ' '
      number++
      continue
    }
    number += piece.split('\n').length - 1
    if (quoted !== undefined) text += quoted.startsWith('"""') || quoted.startsWith("'''") ? '""' : quoted
    else if (!piece.startsWith('#')) {
      text += piece
      for (const letter of piece) depth += '([{'.includes(letter) ? 1 : ')]}'.includes(letter) ? -1 : 0
    }
  }
  close()
  return lines
}
