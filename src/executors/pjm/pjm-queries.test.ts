import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { captured } from './pjm.fixture.ts'
import { pjmHistory, pjmQueue } from './pjm-queries.ts'
import { parsePjstat } from './pjm-rows.ts'
import { parsePjmSite } from './pjm-site.ts'
import { pjmEnd, pjmState, shortWord } from './pjm-states.ts'

const site = parsePjmSite('~/.drover', {})
const queue = pjmQueue(site)
const history = pjmHistory(site)
const answer = (text: string, status = 0, after = '') => ({
  code: 0,
  stdout: `${text}${text.endsWith('\n') || text === '' ? '' : '\n'}drover-status ${status}\n${after}drover-end\n`,
  stderr: '',
})
const cells = (text: string, ...titles: readonly string[]) => parsePjstat(text)?.map((row) => titles.map((title) => row.get(title)))

describe('captured output', () => {
  test('pjstat', () => {
    expect(cells(captured('01-pjstat-default.D.txt')[0] ?? '', 'JOB_ID', 'MD', 'ST', 'START_DATE')).toEqual([
      ['238', 'NM', 'RUN', '11/17 09:01:41'],
      ['239', 'BU', 'RUN', '11/17 09:01:42'],
      ['240', 'ST', 'RUN', '11/17 09:01:42'],
      ['241', 'NM', 'RUN', '11/17 09:01:42'],
    ])
  })

  test('pjstat -v: planned starts hold blanks', () => {
    expect(cells(captured('03-pjstat-v-active.V.txt')[0] ?? '', 'JOB_ID', 'ST', 'START_DATE', 'LST', 'EC', 'PC', 'SN', 'REASON')).toEqual([
      ['6291500', 'RNA', '(04/12 11:25)', 'QUE', '0', '0', '0', '-'],
      ['6291501', 'RNA', '(04/12 11:25)', 'QUE', '0', '0', '0', '-'],
    ])
  })

  test('pjstat -v -H: a time limit is EXT with EC 0', () => {
    expect(cells(captured('04-pjstat-v-H-time-limit.V.txt')[0] ?? '', 'JOB_ID', 'ST', 'EC', 'PC', 'SN', 'REASON')).toEqual([
      ['49047829', 'EXT', '0', '0', '0', '-'],
      ['49047939', 'EXT', '0', '11', '24', 'ELAPSE LIMIT EXC'],
    ])
  })

  test('pjstat --choose', () => {
    expect(cells(captured('06-pjstat-choose-jid-st-ermsg.S.txt')[0] ?? '', 'JOB_ID', 'ST', 'REASON')).toEqual([
      ['167727', 'EXT', 'COMPLETED'],
      ['167728', 'RNO', '-'],
      ['167736', 'HLD', 'ASHOLD'],
      ['167738', 'CCL', '-'],
    ])
  })

  test('pjstat --data', () => {
    const [one, bulk, several] = captured('07-pjstat-data-csv.V.txt')
    expect(cells(one ?? '', 'JOB_ID', 'MD')).toEqual([['34704010', 'NM']])
    expect(cells(bulk ?? '', 'JOB_ID')?.flat()).toEqual(['34703955', ...[1, 2, 3, 4].map((each) => `34703955[${each}]`)])
    expect(cells(several ?? '', 'JOB_ID', 'ACCEPT', 'ST')?.[3]).toEqual(['34716168[2]', '10/11 10:23:03', 'QUE'])
  })

  test('pjstat -S, after a table of counts', () => {
    expect(cells(captured('08-pjstat-S-keyvalue.V.txt')[0] ?? '', 'JOB_ID', 'JOB_NAME', 'ST', 'START_DATE')).toEqual([
      ['390031', 'y0.140', 'RUN', '2016/07/29 21:11:29<'],
      ['390047', 'y0.270', 'QUE', '(2016/07/29 23:20:00)<'],
    ])
  })

  test('FX10 and K: counts alone are an empty answer', () => {
    const [live, gone] = captured('09-pjstat-fx10-k-summary.V.txt')
    expect(cells(live ?? '', 'JOB_ID', 'ST')).toEqual([['112111', 'RUN']])
    expect(parsePjstat(gone ?? '')).toEqual([])
  })

  test("Wisteria's front end: its own columns and words", () => {
    const [live, none] = captured('16-wisteria-site-pjstat.V.txt')
    expect(cells(live ?? '', 'JOB_ID', 'JOB_NAME', 'ST')).toEqual([['4757341', 'testjob', 'RUNNING']])
    expect(parsePjstat(none ?? '')).toEqual([])
  })
})

const HEAD = 'H,JOB_ID,JOB_NAME,MD,ST,EC,PC,SN,ACCEPT,START_DATE,REASON\n'
const row = (id: string, word: string, numbers = '0,0,0', reason = '-', model = 'NM', name = 'd-k3v9x2m7qd-1') =>
  `,${id},${name},${model},${word},${numbers},06/01 15:03:14,06/01 15:03:44,${reason}\n`

describe('answers', () => {
  test('a bulk parent says nothing of its sub-jobs', () => {
    const text = `${HEAD}${row('239', 'RNO', '-,-,-', '-', 'BU')}${row('239[0]', 'QUE', '0,0,0', '-', 'BU')}${row('239[1-2]', 'RUN', '0,0,0', '-', 'BU')}`
    expect(queue.parse(answer(text), 0)).toMatchObject({
      kind: 'answered',
      jobs: [
        { id: '239', state: 'finishing' },
        { id: '239', tasks: [0], state: 'queued' },
        { id: '239', tasks: [1, 2], state: 'running' },
      ],
    })
  })

  test('an ended parent has no numbers; an ended job without them is no answer', () => {
    expect(history.parse(answer(HEAD + row('239', 'EXT', '-,-,-', '-', 'BU')), 0)).toMatchObject({ jobs: [{ state: 'succeeded' }] })
    expect(history.parse(answer(HEAD + row('239', 'EXT', '-,-,-')), 0)).toMatchObject({ kind: 'could_not_ask' })
  })

  test('held and parked jobs are live, with the reason; an unknown word is live', () => {
    const text = HEAD + row('1', 'HLD', '0,0,0', 'AS,HOLD') + row('2', 'ERR', '0,0,0', 'INTERNAL ERROR') + row('3', 'XYZ')
    expect(queue.parse(answer(text), 0)).toMatchObject({
      jobs: [
        { state: 'queued', reason: 'held: AS,HOLD' },
        { state: 'suspended', reason: expect.stringContaining('INTERNAL ERROR') as string },
        { state: 'running', word: 'XYZ' },
      ],
    })
  })

  test.each([
    ['nothing, exit 0', answer('')],
    ['a head alone', answer(HEAD)],
    ['an unknown id', answer('[ERR.] PJM 0110 pjstat Job 238 does not exist.', 1)],
    ['an unknown id, exit 0', answer('[ERR.] PJM 0110 pjstat Job 238 does not exist.')],
    ['an unknown id on stderr', { ...answer('', 1), stderr: '[ERR.] PJM 0110 pjstat Job 238 does not exist.\n' }],
  ])('%s: answered, no jobs', (_, outcome) => {
    expect(history.parse(outcome, 0)).toEqual({ kind: 'answered', jobs: [] })
  })

  test('one unknown id does not hide the others', () => {
    const outcome = { ...answer(HEAD + row('239', 'RUN'), 1), stderr: '[ERR.] PJM 0110 pjstat Job 238 does not exist.\n' }
    expect(queue.parse(outcome, 0)).toMatchObject({ jobs: [{ id: '239' }] })
  })

  test.each([
    ['an error', answer('[ERR.] PJM 0090 pjstat Communication error', 1)],
    ['an error with exit 0', answer('[ERR.] PJM 0090 pjstat Communication error')],
    ['an error beside an unknown id', answer('[ERR.] PJM 0110 pjstat Job 238 does not exist.\n[ERR.] PJM 0090 pjstat down', 1)],
    ['a failure without words', answer('', 1)],
    ['a text that is no table', answer('Segmentation fault')],
    ['cut off in a row', answer(`${HEAD},238,d-k3v9x2m7qd-1,NM,RU`)],
    ['cut off before the end', { code: 0, stdout: HEAD + row('238', 'RUN'), stderr: '' }],
    ['a cut name that nobody knows', answer(HEAD + row('238', 'RUN', '0,0,0', '-', 'NM', 'd-k3v9x2m7'))],
  ])('%s: nothing is concluded', (_, outcome) => {
    expect(queue.parse(outcome, 0)).toMatchObject({ kind: 'could_not_ask' })
  })

  test('a cut name is completed from the files of the submits', () => {
    const text = HEAD + row('238', 'RUN', '0,0,0', '-', 'NM', 'd-k3v9x2m7')
    expect(queue.parse(answer(text, 0, 'drover-name 238 k3v9x2m7qd/2/submit.lock/id-0\n'), 0)).toMatchObject({
      jobs: [{ name: 'd-k3v9x2m7qd-2' }],
    })
  })

  test("a site's own words", () => {
    const own = pjmHistory(parsePjmSite('~', { states: { FERTIG: 'EXIT' } }))
    expect(own.parse(answer(HEAD + row('1', 'FERTIG', '3,0,0')), 0)).toMatchObject({ jobs: [{ state: 'failed', exitCode: 3 }] })
  })

  test('truncated anywhere: an answer or none, never an end that was not said', () => {
    const whole = answer(HEAD + row('238', 'RUN') + row('239', 'RUN')).stdout
    fc.assert(
      fc.property(fc.integer({ min: 0, max: whole.length }), (length) => {
        const parsed = queue.parse({ code: 0, stdout: whole.slice(0, length), stderr: '' }, 0)
        if (parsed.kind === 'answered') expect(parsed.jobs.map(({ state }) => state)).toEqual(['running', 'running'])
      }),
    )
  })
})

test.each([
  ['normal', 'EXT', [0, 0, 0], { state: 'succeeded', exitCode: 0 }],
  ['script exit 127', 'EXT', [127, 0, 0], { state: 'failed', cause: 'exit', exitCode: 127 }],
  ['a signal', 'EXT', [0, 0, 9], { state: 'failed', cause: 'signal', exitCode: 137 }],
  ['time limit', 'EXT', [0, 11, 24], { state: 'failed', cause: 'timeout' }],
  ['time limit, the script trapped it', 'EXT', [3, 11, 0], { state: 'failed', cause: 'timeout' }],
  ['pjdel', 'CCL', [0, 1, 0], { state: 'cancelled' }],
  ['cancelled, no numbers', 'CCL', [undefined, undefined, undefined], { state: 'cancelled' }],
  ['step dependency', 'CCL', [0, 6, 0], { state: 'failed', cause: 'dependency' }],
  ['memory', 'EXT', [0, 12, 9], { state: 'failed', cause: 'out_of_memory' }],
  ['OOM killer', 'EXT', [0, 23, 9], { state: 'failed', cause: 'out_of_memory' }],
  ['files', 'EXT', [0, 16, 0], { state: 'failed', cause: 'staging' }],
  ['another job started', 'EXT', [0, 18, 0], { state: 'failed', cause: 'preempted' }],
  ['node down', 'EXT', [0, 20, 0], { state: 'failed', cause: 'node_failure' }],
  ['unknown code', 'EXT', [0, 42, 0], { state: 'failed', cause: 'driver', reason: expect.stringContaining('PJM code 42') }],
  ['rejected', 'RJT', [0, 0, 0], { state: 'failed', cause: 'rejected' }],
  ['numbers unknown', 'EXT', [0, undefined, 0], undefined],
] as const)('%s', (_, word, [ec, pc, sn], wanted) => {
  const end = pjmEnd(word, { ec, pc, sn }, undefined)
  if (wanted === undefined) expect(end).toBeUndefined()
  else expect(end).toMatchObject(wanted)
})

test('only EXT with three zeros is a success', () => {
  fc.assert(
    fc.property(fc.constantFrom('EXT', 'CCL', 'RJT'), fc.nat(40), fc.nat(40), fc.nat(40), (word, ec, pc, sn) => {
      const isSuccess = pjmEnd(word, { ec, pc, sn }, undefined)?.state === 'succeeded'
      expect(isSuccess).toBe(word === 'EXT' && ec + pc + sn === 0)
    }),
  )
})

test('words, short and long', () => {
  for (const [word, state] of [
    ['ACC', 'queued'],
    ['RNP', 'starting'],
    ['RUNNING', 'running'],
    ['RUNOUT', 'finishing'],
    ['SPD', 'suspended'],
    ['HOLD', 'queued'],
    ['ERROR', 'suspended'],
    ['END', 'ended'],
  ] as const)
    expect(pjmState(shortWord(word) ?? '')).toBe(state)
})
