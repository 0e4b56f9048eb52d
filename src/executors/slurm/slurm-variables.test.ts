import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { slurmScheduler } from './slurm-scheduler.ts'

/** What start-up files of users are seen to set, and what would be worst. */
const HOSTILE = {
  SLURM_CLUSTERS: 'other',
  SLURM_TIME_FORMAT: 'relative',
  SQUEUE_FORMAT: '%j',
  SQUEUE_STATES: 'CD',
  SQUEUE_USERS: 'root',
  SACCT_FORMAT: 'JobName',
  SINFO_PARTITION: 'low',
  SCANCEL_STATE: 'SUSPENDED',
  SCANCEL_INTERACTIVE: '1',
  SCANCEL_PARTITION: 'low',
}

/** Runs a command with programs of Slurm that note the variables they find. */
function found(command: string): readonly string[] {
  const directory = mkdtempSync(join(tmpdir(), 'drover-variables-'))
  try {
    const note = `#!/bin/sh\necho "called" >>${directory}/noted\nenv | grep -E '^(SLURM|SQUEUE|SACCT|SINFO|SCANCEL)_' >>${directory}/noted; exit 0\n`
    for (const name of ['sbatch', 'squeue', 'sacct', 'scancel', 'scontrol', 'sinfo']) {
      writeFileSync(join(directory, name), note, { mode: 0o700 })
    }
    spawnSync('sh', ['-uc', command], { env: { PATH: `${directory}:/usr/bin:/bin`, ...HOSTILE } })
    const lines = readFileSync(join(directory, 'noted'), 'utf8').trimEnd().split('\n')
    expect(lines, command).toContain('called')
    return [...new Set(lines)].filter((line) => line !== 'called').toSorted()
  } finally {
    rmSync(directory, { recursive: true })
  }
}

const WRITTEN = ['SLURM_BITSTR_LEN=0', 'SLURM_TIME_FORMAT=standard']

describe('variables of the user do not change what is asked, nor what is ended', () => {
  test.each([
    ['queue', slurmScheduler.queue.command({ user: 'me' }), WRITTEN],
    ['history', slurmScheduler.history.command({ ids: ['7'], user: 'me' }), WRITTEN],
    ['facts', slurmScheduler.facts.script, ['SLURM_TIME_FORMAT=relative']],
    ['output', slurmScheduler.outputOf?.command('7') ?? '', ['SLURM_TIME_FORMAT=relative']],
    ['a kind end', slurmScheduler.cancelCommand(['7'], 'ask', ['d-x-1']), ['SLURM_TIME_FORMAT=relative']],
    ['an end', slurmScheduler.cancelCommand(['7'], 'end'), ['SLURM_TIME_FORMAT=relative']],
    ['the end of a task', slurmScheduler.cancelTasksCommand?.('7', [1], 'd-x-1') ?? '', ['SLURM_TIME_FORMAT=relative']],
  ])('%s', (_, command, kept) => {
    expect(found(command)).toEqual(kept)
  })

  test('explain: times can be read', () => {
    expect(found(slurmScheduler.explain.command('7'))).toContain('SLURM_TIME_FORMAT=standard')
    expect(found(slurmScheduler.explain.command('7')).join()).not.toMatch(/SQUEUE|CLUSTERS/)
  })
})
