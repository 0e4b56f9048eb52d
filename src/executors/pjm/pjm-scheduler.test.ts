import { execFileSync } from 'node:child_process'
import { describe, expect, test } from 'vitest'
import { createPjmScheduler } from './pjm-scheduler.ts'
import { parsePjmSite } from './pjm-site.ts'

/** A manager that has a job of ours, 238, and one of another, 239; what it is told to do is printed. */
const MANAGER = `pjstat() {
  for last in "$@"; do :; done
  case $last in
    238) printf 'H,JOB_ID,JOB_NAME,ST\\n,238,d-k3j9x0a1b2-1,RUN\\n' ;;
    239) printf 'H,JOB_ID,JOB_NAME,ST\\n,239,d-otherdrove-1,RUN\\n' ;;
    *) echo "[ERR.] PJM 0110 pjstat Job $last does not exist." >&2; return 1 ;;
  esac
}
pjdel() { echo "pjdel $*"; }
`
const scheduler = createPjmScheduler(parsePjmSite('~/drover', {}))
const done = (command: string | undefined): readonly string[] =>
  execFileSync('sh', ['-c', MANAGER + (command ?? '')], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] })
    .split('\n')
    .filter((line) => line !== '')

const NAME = 'd-k3j9x0a1b2-1'

describe('a cancel', () => {
  test.each([
    { what: 'ends ours', ids: ['238'], names: [NAME], does: ['pjdel 238'] },
    { what: 'leaves an id that was given to another job', ids: ['239'], names: [NAME], does: [] },
    { what: 'leaves one that cannot be asked for', ids: ['240'], names: [NAME], does: [] },
    { what: 'of several ends ours', ids: ['240', '239', '238'], names: [NAME, NAME, NAME], does: ['pjdel 238'] },
    { what: 'without a name takes the id for what it is', ids: ['239'], names: undefined, does: ['pjdel 239'] },
  ])('$what', ({ ids, names, does }) => {
    expect(done(scheduler.cancelCommand(ids, 'ask', names))).toEqual(does)
    expect(done(scheduler.cancelCommand(ids, 'end', names))).toEqual(does)
  })

  test('of tasks', () => {
    expect(done(scheduler.cancelTasksCommand?.('238', [0, 1, 2, 5], NAME))).toEqual(['pjdel 238[0-2]', 'pjdel 238[5]'])
    expect(done(scheduler.cancelTasksCommand?.('239', [0], NAME))).toEqual([])
  })
})
