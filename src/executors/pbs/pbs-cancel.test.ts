import { execFileSync } from 'node:child_process'
import { describe, expect, test } from 'vitest'
import { cancelCommand, cancelTasksCommand } from './pbs-cancel.ts'

/** A server that has jobs 12, 13 (waits) and the array 20; what it is told to do is printed. */
const SERVER = `qstat() {
  [ "$1" = -f ] || return 2
  case $2 in
    12.head | 13.head) echo "Job Id: $2"; echo '    Job_Name = d-k3j9x0a1b2-1'; echo '    job_state = R' ;;
    '20[].head') echo "Job Id: $2"; echo '    Job_Name = d-k3j9x0a1b2-2'; echo '    job_state = B'; echo '    array_indices_remaining = 2-3' ;;
    14.head) echo 'Job Id: 14.head'; echo '    comment = Job_Name = d-k3j9x0a1b2-1'; echo '    Job_Name = somebodys' ;;
    *) echo "qstat: Unknown Job Id $2" >&2; return 153 ;;
  esac
}
qdel() { echo "qdel $*"; }
qsig() { case $3 in 13.head) return 168 ;; esac; echo "qsig $*"; }
`
const done = (command: string): readonly string[] =>
  execFileSync('sh', ['-c', SERVER + command], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] })
    .split('\n')
    .filter((line) => line !== '')

const NAME = 'd-k3j9x0a1b2-1'
const ARRAY = 'd-k3j9x0a1b2-2'

describe('a cancel', () => {
  test.each([
    { what: 'asks what runs', ids: ['12.head'], how: 'ask', names: [NAME], does: ['qsig -s SIGTERM 12.head'] },
    { what: 'deletes what waits', ids: ['13.head'], how: 'ask', names: [NAME], does: ['qdel 13.head'] },
    { what: 'insists', ids: ['12.head', '13.head'], how: 'end', names: [NAME, NAME], does: ['qdel 12.head', 'qdel 13.head'] },
    { what: 'leaves an id that has another name', ids: ['12.head'], how: 'end', names: ['d-k3j9x0a1b2-2'], does: [] },
    { what: 'leaves one whose name begins alike', ids: ['12.head'], how: 'end', names: ['d-k3j9x0a1b2'], does: [] },
    { what: 'leaves one whose comment speaks of ours', ids: ['14.head'], how: 'end', names: [NAME], does: [] },
    { what: 'leaves one that cannot be asked for', ids: ['99.head'], how: 'end', names: [NAME], does: [] },
    {
      what: 'of several does what it may',
      ids: ['99.head', '14.head', '12.head'],
      how: 'end',
      names: [NAME, NAME, NAME],
      does: ['qdel 12.head'],
    },
    {
      what: 'of an array asks what runs and deletes what waits',
      ids: ['20[].head'],
      how: 'ask',
      names: [ARRAY],
      does: ['qdel 20[2-3].head', 'qsig -s SIGTERM 20[].head'],
    },
    { what: 'leaves an array of another name', ids: ['20[].head'], how: 'ask', names: [NAME], does: [] },
    { what: 'without a name takes the id for what it is', ids: ['12.head'], how: 'end', names: undefined, does: ['qdel 12.head'] },
  ] as const)('$what', ({ ids, how, names, does }) => {
    expect(done(cancelCommand(ids, how, names))).toEqual(does)
  })

  test.each([
    { what: 'of tasks', id: '20[].head', name: ARRAY, does: ['qsig -s SIGTERM 20[1].head', 'qsig -s SIGTERM 20[3].head'] },
    { what: 'of tasks of an array of another name', id: '20[].head', name: NAME, does: [] },
    { what: 'of the only task of an array that is none', id: '12.head', name: NAME, does: ['qsig -s SIGTERM 12.head'] },
    { what: 'of the only task, its id given out again', id: '14.head', name: NAME, does: [] },
  ])('$what', ({ id, name, does }) => {
    expect(done(cancelTasksCommand(id, [1, 3], name))).toEqual(does)
  })
})
