import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

/** What a wrapped command does to the answers of the one behind it. */
export interface CommandChanges {
  /** A script of sed that its answers go through. */
  readonly sed?: string | undefined
  /** Lines before its answers. */
  readonly banner?: string | undefined
  /** Calls with this word among theirs fail so. */
  readonly failWith?: { readonly word: string; readonly code: number; readonly text: string } | undefined
}

/** Commands that stand before a fake's own, in a directory for the head of PATH, and change answers on their way. */
export class WrappedCommands {
  readonly path: string
  readonly #directory: string

  constructor(directory: string, fakePath: string, commands: readonly string[]) {
    this.#directory = directory
    this.path = join(directory, 'wrapped')
    mkdirSync(this.path)
    for (const command of commands) {
      const own = join(directory, `answer-${command}`)
      const file = join(this.path, command)
      writeFileSync(
        file,
        `#!/bin/sh
if [ -f ${own}.fail ]; then . ${own}.fail; fi
[ ! -f ${own}.banner ] || cat ${own}.banner
[ -f ${own}.sed ] || exec ${fakePath}/${command} "$@"
text=$(${fakePath}/${command} "$@") || exit
printf '%s\\n' "$text" | sed -f ${own}.sed
`,
      )
      chmodSync(file, 0o755)
    }
  }

  /** Sets what is named, or ends it with `undefined`. */
  change(command: string, changes: CommandChanges): void {
    const file = (kind: string): string => join(this.#directory, `answer-${command}.${kind}`)
    const put = (kind: string, text: string | undefined): void => {
      if (text === undefined) rmSync(file(kind), { force: true })
      else writeFileSync(file(kind), text)
    }
    if ('sed' in changes) put('sed', changes.sed)
    if ('banner' in changes) put('banner', changes.banner)
    if (!('failWith' in changes)) return
    const { failWith } = changes
    put('fail', failWith && `case " $* " in *" ${failWith.word} "*) printf '%s\\n' '${failWith.text}' >&2; exit ${failWith.code} ;; esac\n`)
  }
}

/** Runs one of a fake's commands as a child, for its server lives in this process; resolves to what it prints. */
export async function runFakeCommand(
  path: string,
  words: readonly string[],
  { cwd, env, input = '' }: { readonly cwd: string; readonly env: Readonly<Record<string, string>>; readonly input?: string },
): Promise<string> {
  const [name = '', ...args] = words
  const child = spawn(join(path, name), args, { cwd, env, stdio: ['pipe', 'pipe', 'inherit'] })
  child.stdin.on('error', () => {})
  child.stdin.end(input)
  let text = ''
  child.stdout.on('data', (piece: Buffer) => {
    text += piece
  })
  const [code] = (await once(child, 'close')) as [number | null]
  if (code !== 0) throw new Error(`${name} ended with ${code}`)
  return text.trim()
}
