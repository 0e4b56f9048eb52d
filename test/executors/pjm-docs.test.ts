import { spawn } from 'node:child_process'
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { expect, test } from 'vitest'
import { DROVER_BIN } from '../conformance/local-home.ts'
import { PjmHome } from './pjm-home.ts'

const page = readFileSync(new URL('../../docs/pjm.md', import.meta.url), 'utf8')
const block = (language: string): string => new RegExp(`^\`\`\`${language}\\n([\\s\\S]*?)^\`\`\`$`, 'm').exec(page)?.[1] ?? ''

function run(script: string, cwd: string, env: Record<string, string>): Promise<{ readonly code: number | null; readonly text: string }> {
  return new Promise((resolve) => {
    // Asynchronous: the commands of the fake are answered by this process.
    const child = spawn('sh', ['-e', '-c', script], { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] })
    let text = ''
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (bytes: Buffer) => (text += bytes.toString()))
    child.once('close', (code) => resolve({ code, text }))
  })
}

test('the example of docs/pjm.md runs', async () => {
  const home = await PjmHome.open()
  try {
    const bin = join(home.base, 'bin')
    mkdirSync(bin)
    writeFileSync(join(bin, 'drover'), `#!/bin/sh\nexec '${process.execPath}' '${DROVER_BIN}' "$@"\n`)
    chmodSync(join(bin, 'drover'), 0o755)
    writeFileSync(join(home.directory, 'drover.yaml'), block('yaml'))
    const environment = { ...home.environment, PATH: `${bin}:${home.pjm.path}:${dirname(process.execPath)}:${home.environment.PATH}` }
    const { code, text } = await run(block('sh'), home.directory, environment)
    expect(code, text).toBe(0)
    for (const line of ['rank 0 of 2', 'rank 1 of 2', 'element 0', 'element 3']) expect(text).toContain(line)
    expect(
      home.pjm
        .jobs()
        .filter(({ id }) => !id.includes('['))
        .map(({ word }) => word),
    ).toEqual(['EXT', 'EXT'])
    expect(home.pjm.jobs()[0]?.resources).toMatchObject({ node: '2', rscgrp: 'small', elapse: '00:11:10' })
  } finally {
    await home.close()
  }
})
