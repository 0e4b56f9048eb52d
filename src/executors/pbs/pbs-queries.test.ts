import { execFileSync } from 'node:child_process'
import { describe, expect, test } from 'vitest'
import { parseQstatAnswer, pbsQueue } from './pbs-queries.ts'

const BANNER = 'Welcome!\n*** maintenance on Monday | 08:00 ***\n1234\n'
const DSV = 'Job Id: 12.head|Job_Name=d-k3j9x0a1b2-1|Job_Owner=ann@head|job_state=R|substate=42\n'
const JSON_TEXT = `{
    "timestamp":1795255200,
    "pbs_version":"23.06.06",
    "pbs_server":"head",
    "Jobs":{
        "12.head":{
            "Job_Name":"d-k3j9x0a1b2-1",
            "Job_Owner":"ann@head",
            "job_state":"R",
            "substate":42
        }
    }
}
`
const TEXT = 'Job Id: 12.head\n    Job_Name = d-k3j9x0a1b2-1\n    Job_Owner = ann@head\n    job_state = R\n    substate = 42\n\n'

/** Runs the question where these commands answer so. */
function ask(qselect: string, of: Parameters<typeof pbsQueue.command>[0] = { user: 'ann' }, qstat: { json?: string } = {}): string {
  const quoted = (text: string): string => `'${text}'`
  const script = `qselect() { printf %s ${quoted(qselect)}; }
qstat() {
  case "$*" in
    *dsv*) printf %s ${quoted(BANNER + DSV)} ;;
    *json*) printf %s ${quoted(qstat.json ?? BANNER + JSON_TEXT)} ;;
    *) printf %s ${quoted(BANNER + TEXT)} ;;
  esac
}
${pbsQueue.command(of)}`
  return execFileSync('sh', ['-c', script], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] })
}

const jobs = (stdout: string): unknown => {
  const answer = parseQstatAnswer({ code: 0, stdout, stderr: '' })
  return answer.kind === 'answered' ? answer.jobs.map(({ id, name, state }) => [id, name, state]) : answer
}
const OURS = [['12.head', 'd-k3j9x0a1b2-1', 'running']]

describe('a site that prints lines of its own before every answer', () => {
  test('ids are told from them', () => expect(jobs(ask(`${BANNER}12.head\n`))).toEqual(OURS))
  test('an answer without ids is none: all jobs are asked for', () => expect(jobs(ask(BANNER))).toEqual(OURS))
  test('no job of this user, by the whole list', () => {
    const json = `${BANNER}{\n    "timestamp":1795255200,\n    "pbs_version":"23.06.06",\n    "pbs_server":"head"\n}\n`
    expect(jobs(ask(BANNER, { user: 'ann' }, { json }))).toEqual([])
  })
  test('a name is looked for', () => expect(jobs(ask('', { user: 'ann', name: 'd-k3j9x0a1b2-1' }))).toEqual(OURS))
  test('another name is not there', () => expect(jobs(ask('', { user: 'ann', name: 'd-zzzzzzzzzz-1' }))).toEqual([]))
})

test('an empty answer of qselect is an empty queue', () => expect(jobs(ask(''))).toEqual([]))
