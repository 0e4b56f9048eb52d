import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { InputError } from '../errors.ts'
import type { Cli } from './cli.ts'

/** A text after a person has edited it; `keep` leaves it where it is and gives its path, else it goes with `discard`. */
export interface EditedText {
  readonly text: string
  readonly path: string
  discard(): void
}

/**
 * Opens a copy of a text in the person's editor (`VISUAL`, else `EDITOR`, else vi), with the terminal attached, and resolves
 * when it ends.
 *
 * @throws InputError `aborted` when the editor fails: nothing is to be changed then
 */
export async function editText(cli: Cli, path: string, text: string): Promise<EditedText> {
  const { environment } = cli.host
  const editor = environment['VISUAL'] || environment['EDITOR'] || 'vi'
  const directory = mkdtempSync(join(tmpdir(), 'drover-edit-'))
  const copy = join(directory, basename(path))
  const discard = (): void => rmSync(directory, { recursive: true, force: true })
  writeFileSync(copy, text, { mode: 0o600 })
  // The variable may hold words with options ("code --wait"): a shell reads it, as git and crontab have it.
  const child = spawn('/bin/sh', ['-c', `${editor} "$1"`, 'sh', copy], { stdio: 'inherit', env: environment as NodeJS.ProcessEnv })
  const [code] = (await once(child, 'exit')) as [number | null]
  if (code !== 0) {
    discard()
    throw new InputError('aborted', `the editor (${editor}) ended with ${code ?? 'a signal'}; nothing was changed`, {
      hint: 'Set EDITOR, or change single values by flags: drover target edit --help',
    })
  }
  return { text: readFileSync(copy, 'utf8'), path: copy, discard }
}
