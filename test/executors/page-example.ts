import { spawn } from 'node:child_process'
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { DROVER_BIN, type LocalHome } from '../conformance/local-home.ts'

/** A page of docs/, with its fenced blocks of a language in their order. */
export function readPage(name: string): { readonly text: string; readonly blocks: (language: string) => readonly string[] } {
  const text = readFileSync(new URL(`../../docs/${name}`, import.meta.url), 'utf8')
  const blocks = (language: string): readonly string[] =>
    [...text.matchAll(new RegExp(`^\`\`\`${language}\\n([\\s\\S]*?)^\`\`\`$`, 'gm'))].map(([, block = '']) => block)
  return { text, blocks }
}

/** What a script gave, stdout and stderr as they came. */
export interface ScriptEnd {
  readonly code: number | null
  readonly text: string
}

/** Runs scripts as a reader of a page would: in the home's directory, with `drover` on PATH. */
export function shellIn(home: LocalHome): (script: string) => Promise<ScriptEnd> {
  const bin = join(home.base, 'bin')
  mkdirSync(bin)
  writeFileSync(join(bin, 'drover'), `#!/bin/sh\nexec '${process.execPath}' '${DROVER_BIN}' "$@"\n`)
  chmodSync(join(bin, 'drover'), 0o755)
  const env = { ...home.environment, PATH: `${bin}:${dirname(process.execPath)}:${home.environment['PATH']}` }
  return (script) =>
    new Promise((resolve) => {
      // Asynchronous: the commands of a fake are answered by this process.
      const child = spawn('sh', ['-e', '-c', script], { cwd: home.directory, env, stdio: ['ignore', 'pipe', 'pipe'] })
      let text = ''
      for (const stream of [child.stdout, child.stderr]) stream.on('data', (bytes: Buffer) => (text += bytes.toString()))
      child.once('close', (code) => resolve({ code, text }))
    })
}
