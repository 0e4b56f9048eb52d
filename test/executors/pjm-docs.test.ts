import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { readPage, shellIn } from './page-example.ts'
import { PjmHome } from './pjm-home.ts'

const page = readPage('pjm.md')

test('the example of docs/pjm.md runs', async () => {
  const home = await PjmHome.open()
  try {
    writeFileSync(join(home.directory, 'drover.yaml'), page.blocks('yaml')[0] ?? '')
    const { code, text } = await shellIn(home)(page.blocks('sh')[0] ?? '')
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
