import { closeSync, mkdtempSync, openSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { freshSize } from './fresh-size.ts'

// Behind the caches of a real sshfs: test/engines/slurm-lag.test.ts.
test('the size of an open file; nothing of a file on a disk is set', () => {
  const directory = mkdtempSync(join(tmpdir(), 'drover-size-'))
  const path = join(directory, 'file')
  writeFileSync(path, 'four', { mode: 0o640 })
  const { ctimeNs } = statSync(path, { bigint: true })
  const descriptor = openSync(path, 'r')
  try {
    expect(freshSize(descriptor, path)).toBe(4)
    expect(statSync(path, { bigint: true }).ctimeNs).toBe(ctimeNs)
  } finally {
    closeSync(descriptor)
    rmSync(directory, { recursive: true })
  }
})
