import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { pbsOptionNames } from '../../src/executors/pbs/pbs-options.ts'
import { readPage, shellIn } from './page-example.ts'
import { PbsHome } from './pbs-home.ts'

const page = readPage('pbs.md')

test('the example of docs/pbs.md runs', async () => {
  const home = await PbsHome.open()
  try {
    const [target = '', task = ''] = page.blocks('yaml')
    writeFileSync(join(home.directory, 'drover.yaml'), target)
    writeFileSync(join(home.directory, 'train.yaml'), task)
    const [script = '', planned = ''] = page.blocks('sh')
    const { code, text } = await shellIn(home)(script)
    expect(code, text).toBe(0)
    for (const line of ['rank 0 of 2', 'rank 1 of 2', 'element 0', 'element 3']) expect(text).toContain(line)
    // The script on the page is the one that was planned.
    const lines = planned.replaceAll('k3v9x2m7qd', 'JOBID').trim().split('\n')
    for (const line of lines.filter((each) => each.startsWith('#PBS'))) expect(text).toContain(line)
  } finally {
    await home.close()
  }
}, 120_000)

test('the page names every option', () => {
  for (const name of pbsOptionNames) expect(page.text).toContain(`\`${name}\``)
})
