import { spawn } from 'node:child_process'
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { expect, test } from 'vitest'
import { parse } from 'yaml'
import { slurmOptionNames } from '../../src/executors/slurm/slurm-options.ts'
import { FakeSlurmHome } from '../conformance/fake-slurm-home.ts'
import { DROVER_BIN } from '../conformance/local-home.ts'

const page = readFileSync(new URL('../../docs/slurm.md', import.meta.url), 'utf8')
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

/** A home with the page's target, and what `sh` needs to call `drover` and the fake. */
async function opened(): Promise<{ readonly home: FakeSlurmHome; readonly sh: (script: string) => ReturnType<typeof run> }> {
  const home = await new FakeSlurmHome().start()
  const bin = join(home.base, 'bin')
  mkdirSync(bin)
  writeFileSync(join(bin, 'drover'), `#!/bin/sh\nexec '${process.execPath}' '${DROVER_BIN}' "$@"\n`)
  chmodSync(join(bin, 'drover'), 0o755)
  const env = { ...home.environment, PATH: `${bin}:${dirname(process.execPath)}:${home.environment['PATH']}` }
  return { home, sh: (script) => run(script, home.directory, env) }
}

test('the example of docs/slurm.md runs', async () => {
  const { home, sh } = await opened()
  try {
    const [target = '', task = ''] = blocks('yaml')
    writeFileSync(join(home.directory, 'drover.yaml'), target)
    writeFileSync(join(home.directory, 'train.yaml'), task)
    const { code, text } = await sh(blocks('sh')[0] ?? '')
    expect(code, text).toBe(0)
    for (const line of ['rank 0 of 2', 'rank 1 of 2', 'element 0', 'element 3']) expect(text).toContain(line)
    // The script on the page is the one that was planned.
    const planned = (blocks('sh')[1] ?? '').replaceAll('k3v9x2m7qd', 'JOBID').trim().split('\n')
    for (const line of planned.filter((each) => each.startsWith('#SBATCH') && !each.includes('--output'))) expect(text).toContain(line)
  } finally {
    await home.close()
  }
})

test('what the page shows of tasks can be planned', async () => {
  const { home, sh } = await opened()
  try {
    const gpus = { account: 'team' }
    const examples = blocks('yaml').slice(2)
    expect(examples).toHaveLength(3)
    for (const [index, example] of examples.entries()) {
      // The fake has no partition of GPUs.
      const text = example.replace(', accelerators: H100:8, partition: gpu', '')
      const task = { run: 'true', ...(parse(text) as Record<string, unknown>) }
      if ('remote_script' in task) delete (task as { run?: string }).run
      writeFileSync(join(home.directory, `task-${index}.yaml`), JSON.stringify({ name: 't', ...task }))
      const { code, text: said } = await sh(`drover plan --on hpc --option account=${gpus.account} task-${index}.yaml`)
      expect(code, said).toBe(0)
    }
  } finally {
    await home.close()
  }
})

test('the page names every option', () => {
  expect(slurmOptionNames.filter((name) => !page.includes(`\`${name}`) && !page.includes(`${name}:`))).toEqual([])
})
