import { InputError } from '../errors.ts'

/** Names of the generated programs start with this, so that they never meet a name of the user's environment. */
export const RESERVED_PREFIX = '_d_'

/** Longest `NAME=value` a Linux kernel passes to a program, bytes (MAX_ARG_STRLEN, 32 pages, without the closing NUL). */
const MAX_VARIABLE_BYTES = 131_071

const NAME = /^[A-Za-z_][A-Za-z0-9_]*$/
/** Bare, these would not be taken for words where a command begins. */
const RESERVED_WORDS = new Set('case do done elif else esac fi for function if in select then time until while'.split(' '))
/** Assigning to these ends or breaks a shell: bash's read-only variables, and PPID. */
const READ_ONLY = new Set(['BASHOPTS', 'BASH_VERSINFO', 'EUID', 'PPID', 'SHELLOPTS', 'UID'])

/**
 * One word of POSIX sh that means exactly `value`: `it's` → `'it'\''s'`. Newlines stand as they are. What needs no quoting
 * stays bare, for the reader's sake. A JavaScript string holds characters, so bytes that are no UTF-8 cannot get here:
 * whoever decoded them made U+FFFD of them; a lone surrogate is written as U+FFFD as well.
 * Throws InputError `invalid_argument` on NUL, which no shell and no argument can carry.
 */
export function quoteShell(value: string): string {
  if (value.includes('\0')) {
    throw new InputError('invalid_argument', `a value holds a NUL character: ${JSON.stringify(value.slice(0, 40))}`, {
      hint: 'Programs cannot be given NUL in an argument or variable; put such data in a file.',
    })
  }
  return /^[A-Za-z0-9_./:@%+,-]+$/.test(value) && !RESERVED_WORDS.has(value) ? value : `'${value.replaceAll("'", "'\\''")}'`
}

/** A command line of POSIX sh: `['echo', 'a b']` → `echo 'a b'`. Throws as `quoteShell`. */
export function quoteArgv(argv: readonly string[]): string {
  return argv.map(quoteShell).join(' ')
}

/**
 * Like `quoteShell`, but without a line break in the result: `a⏎b` → `'a'"$_d_nl"'b'`, for records of one line each that a
 * generated program reads with `read -r` and hands to `eval`; it has defined `_d_nl` as a newline.
 */
export function quoteOneLine(value: string): string {
  return quoteShell(value).replaceAll('\n', `'"$${RESERVED_PREFIX}nl"'`)
}

/**
 * The text of an `env` file: one `export NAME='value'` per variable, sourced by the node runner. Values may hold newlines.
 * Throws InputError `invalid_argument` on a name that is none, is read-only in shells or begins with `_d_`, on NUL, and on a
 * value longer than a Linux kernel passes on (128 KiB with its name).
 */
export function shellAssignments(env: Readonly<Record<string, string>>): string {
  return Object.entries(env)
    .map(([name, value]) => {
      validateVariableName(name)
      if (Buffer.byteLength(value) + name.length + 1 > MAX_VARIABLE_BYTES) {
        throw new InputError('invalid_argument', `environment variable ${name} is ${Buffer.byteLength(value)} bytes long`, {
          hint: `A program can be given ${MAX_VARIABLE_BYTES} bytes per variable; put the value in a file and pass its path.`,
        })
      }
      return `export ${name}=${quoteShell(value)}\n`
    })
    .join('')
}

/** Throws InputError `invalid_argument` when `name` cannot be a variable of the user's: no identifier, read-only, reserved. */
export function validateVariableName(name: string): void {
  if (NAME.test(name) && !READ_ONLY.has(name) && !name.startsWith(RESERVED_PREFIX)) return
  const why = !NAME.test(name)
    ? 'is no name of an environment variable'
    : READ_ONLY.has(name)
      ? 'is read-only in shells'
      : `begins with ${RESERVED_PREFIX}, which Drover's own programs use`
  throw new InputError('invalid_argument', `${JSON.stringify(name)} ${why}`, { hint: 'Choose another name.' })
}

/**
 * An option of a batch script's directive line, `--name=value`, as schedulers split such lines: in double quotes where it holds
 * anything but plain characters, quotes and backslashes escaped.
 * Throws InputError `invalid_argument` on NUL and on line breaks, which no directive can carry.
 */
export function quoteDirective(option: string): string {
  if (/[\0\n\r]/.test(option))
    throw new InputError('invalid_argument', `an option of the scheduler holds a line break or NUL: ${JSON.stringify(option.slice(0, 60))}`)
  if (/^[A-Za-z0-9_./:@%+,=[\]*-]+$/.test(option)) return option
  const equals = option.indexOf('=')
  const escaped = option.slice(equals + 1).replace(/["\\]/g, '\\$&')
  return `${option.slice(0, equals + 1)}"${escaped}"`
}
