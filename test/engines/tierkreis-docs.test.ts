import { execFileSync, spawnSync } from 'node:child_process'
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { DROVER_BIN } from '../conformance/local-home.ts'

// The examples of docs/from-tierkreis.md that need real Tierkreis. DROVER_TIERKREIS_ENV names the environment of 2.1.1, as
// test/engines/tierkreis-env.sh makes it.

const root = fileURLToPath(new URL('../..', import.meta.url))
const envScript = fileURLToPath(new URL('./tierkreis-env.sh', import.meta.url))

function patternOf(text: string): RegExp {
  const parts = text.trim().split('…')
  return new RegExp(`^${parts.map((part) => part.replaceAll(/[\\^$.*+?()[\]{}|/]/g, '\\$&')).join('.*')}$`)
}

test('the examples of docs/from-tierkreis.md run with real Tierkreis', { timeout: 300_000 }, () => {
  const given = process.env['DROVER_TIERKREIS_ENV'] ?? '/var/tmp/tkr-2.1.1'
  const environment = execFileSync(envScript, [given, '2.1.1'], { encoding: 'utf8' }).trim()
  const base = mkdtempSync(join(tmpdir(), 'drover-from-tierkreis-'))
  try {
    mkdirSync(join(base, 'bin'))
    mkdirSync(join(base, 'node_modules'))
    symlinkSync(root, join(base, 'node_modules/drover'))
    writeFileSync(join(base, 'bin/drover'), `#!/bin/sh\nexec '${process.execPath}' '${DROVER_BIN}' "$@"\n`)
    chmodSync(join(base, 'bin/drover'), 0o755)
    const path = [join(base, 'bin'), join(environment, 'bin'), dirname(process.execPath), process.env['PATH']].join(':')
    const env = { PATH: path, HOME: base, DROVER_HOME: join(base, 'home') }
    const page = readFileSync(join(root, 'docs/from-tierkreis.md'), 'utf8')
    let printed = ''
    let outputs = 0
    for (const [, use = '', text = ''] of page.matchAll(/^```(?:python|ts|sh|text) (python|python-output|file=\S+)\n([\s\S]*?)^```$/gm)) {
      if (use.startsWith('file=')) writeFileSync(join(base, use.slice('file='.length)), text)
      else if (use === 'python-output') {
        expect(printed.trim()).toMatch(patternOf(text))
        outputs += 1
      } else {
        const { status, stdout, stderr } = spawnSync('sh', ['-e', '-c', text], { cwd: base, env, encoding: 'utf8', timeout: 120_000 })
        expect(status, `${text}\n${stdout}${stderr}`).toBe(0)
        printed = stdout
      }
    }
    expect(outputs).toBe(2)
  } finally {
    rmSync(base, { recursive: true, force: true })
  }
})
