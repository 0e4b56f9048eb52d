import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { parse } from 'yaml'
import { slurmOptionNames } from '../../src/executors/slurm/slurm-options.ts'
import { FakeSlurmHome } from '../conformance/fake-slurm-home.ts'
import { readPage, shellIn } from './page-example.ts'

const { text: page, blocks } = readPage('slurm.md')

test('the example of docs/slurm.md runs', async () => {
  const home = await new FakeSlurmHome().start()
  try {
    const sh = shellIn(home)
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
  const home = await new FakeSlurmHome().start()
  try {
    const sh = shellIn(home)
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
