import { spawn } from 'node:child_process'
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { expect, test } from 'vitest'
import { pbsOptionNames } from '../../src/executors/pbs/pbs-options.ts'
import { DROVER_BIN } from '../conformance/local-home.ts'
import { PbsHome } from './pbs-home.ts'

const page = readFileSync(new URL('../../docs/pbs.md', import.meta.url), 'utf8')
const blocks = (language: string): readonly string[] =>
  [...page.matchAll(new RegExp(`^\`\`\`${language}\\n([\\s\\S]*?)^\`\`\`$`, 'gm'))].map(([, text = '']) => text)

/** Asynchronous: the commands of the fake are answered by this process. */
function run(script: string, cwd: string, env: Record<string, string>): Promise<{ readonly code: number | null; readonly text: string }> {
  return new Promise((resolve) => {
    const child = spawn('sh', ['-e', '-c', script], { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] })
    let text = ''
    for (const stream of [child.stdout, child.stderr])
      stream.on('data', (bytes: Buffer) => {
        text += bytes.toString()
      })
    child.once('close', (code) => resolve({ code, text }))
  })
}

test('the example of docs/pbs.md runs', async () => {
  const home = await PbsHome.open()
  try {
    const bin = join(home.base, 'bin')
    mkdirSync(bin)
    writeFileSync(join(bin, 'drover'), `#!/bin/sh\nexec '${process.execPath}' '${DROVER_BIN}' "$@"\n`)
    chmodSync(join(bin, 'drover'), 0o755)
    const env = { ...home.environment, PATH: `${bin}:${dirname(process.execPath)}:${home.environment['PATH']}` }
    const [target = '', task = ''] = blocks('yaml')
    writeFileSync(join(home.directory, 'drover.yaml'), target)
    writeFileSync(join(home.directory, 'train.yaml'), task)
    const { code, text } = await run(blocks('sh')[0] ?? '', home.directory, env)
    expect(code, text).toBe(0)
    for (const line of ['rank 0 of 2', 'rank 1 of 2', 'element 0', 'element 3']) expect(text).toContain(line)
    // The script on the page is the one that was planned.
    const planned = (blocks('sh')[1] ?? '').replaceAll('k3v9x2m7qd', 'JOBID').trim().split('\n')
    for (const line of planned.filter((each) => each.startsWith('#PBS'))) expect(text).toContain(line)
  } finally {
    await home.close()
  }
}, 120_000)

test('the page names every option', () => {
  for (const name of pbsOptionNames) expect(page).toContain(`\`${name}\``)
})
