import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { parseExplanation, plannedStart } from './pjm-explain.ts'
import { refusePjmOption } from './pjm-options.ts'
import { parsePjsub, pjsubCommand } from './pjm-submit.ts'

const OK = '[INFO] PJM 0000 pjsub Job 6291500 submitted.\n'
const errors = readFileSync(new URL('../../../test/fixtures/pjm/11-pjsub-errors.V.txt', import.meta.url), 'utf8')
const error = (number: number): string => new RegExp(`^\\(${number}\\) (.*)$`, 'm').exec(errors)?.[1] ?? ''

test.each([
  ['a job', 0, OK, '', { kind: 'accepted', id: '6291500' }],
  ['behind a banner, INFO with a dot', 0, `Welcome\n${OK.replace('INFO', 'INFO.')}`, '', { kind: 'accepted', id: '6291500' }],
  ['a step job', 0, '[INFO.] PJM 0000 pjsub Job 64856_1 submitted.\n', '', { kind: 'accepted', id: '64856_1' }],
  ['a limit', 1, '', error(1), { kind: 'refused', message: 'PJM 0057 pjsub node=32 is greater than the upper limit (24).' }],
  ['no bulk jobs', 1, '', error(2), { kind: 'refused', hint: expect.stringContaining('pack: all') }],
  ['a group', 1, '', error(4), { kind: 'refused', hint: expect.stringContaining('option group') }],
  ['K: an error and exit 0', 65, error(5), '', { kind: 'refused' }],
  ["Fugaku's own check", 1, '', error(6), { kind: 'refused', hint: expect.stringContaining('check_directory') }],
  ['too many accepted jobs', 1, '', `[ERR.] ${error(7)}`, { kind: 'not_reached' }],
  ['too many, on stdout', 1, `[ERR.] ${error(7)}`, '', { kind: 'not_reached' }],
  ['silence', 1, '', '', { kind: 'in_doubt' }],
  ['killed', 143, '', '', { kind: 'in_doubt' }],
  ['no answer of the manager', 1, '', '[ERR.] PJM 0090 pjsub Communication error', { kind: 'in_doubt' }],
  ['submitted, and an error', 1, OK, '[ERR.] PJM 0090 pjsub Communication error', { kind: 'in_doubt' }],
  ['submitted, and exit 1', 1, OK, '', { kind: 'in_doubt' }],
  ['a text that nobody knows', 1, 'Hello', '', { kind: 'in_doubt' }],
  ['no pjsub', 127, '', 'sh: 1: pjsub: not found', { kind: 'refused', hint: expect.stringContaining('PATH') }],
] as const)('pjsub: %s', (_, code, stdout, stderr, wanted) => {
  expect(parsePjsub({ code, stdout, stderr })).toMatchObject(wanted)
})

test('a foreign script has options before it, and arguments behind', () => {
  const command = pjsubCommand({
    kind: 'foreign',
    path: '~/my job.sh',
    args: ['a b'],
    nativeName: 'd-k3v9x2m7qd-1',
    options: ['-L', 'node=2'],
  })
  expect(command).toContain(`pjsub -N d-k3v9x2m7qd-1 -L 'node=2' "$HOME"/'my job.sh' 'a b' </dev/null`)
})

test.each([
  ['rscgrp', 'a b'],
  ['rscgrp', 'small,elapse=9:00:00'],
  ['elapse', 'soon'],
  ['node_shape', '2x2x2x2'],
  ['native', { N: 'mine' }],
  ['native', { L: 'node=3' }],
  ['native', { mpi: 'max-proc-per-node=4' }],
  ['native', { restart: true }],
  ['native', { X: true }],
  ['native', { L: 'vnode-mem = 3' }],
  ['mail', 'always'],
  ['at', 'noon'],
  ['step', 'jid=1; rm -rf /'],
  ['states', { X: 'Y' }],
  ['mpi', ['proc=4']],
  ['no_such', 1],
])('option %s: %j is refused with what it takes', (name, value) => {
  const refusal = refusePjmOption(name, value)
  expect(typeof refusal === 'string' ? refusal : refusal?.must).toMatch(/\w/)
})

test.each([
  ['elapse', '1:00:00'],
  ['elapse', '30:00-1:00:00'],
  ['elapse', '90m'],
  ['node_shape', '2x3x2:torus:strict-io'],
  ['step', true],
  ['step', 'jid=240,sn=1,sd=ec!=0,5:all:0'],
  ['native', { L: ['vnode-mem=4Gi'], llio: 'localtmp-size=10Gi' }],
  ['states', { END: 'EXT' }],
])('option %s: %j is taken', (name, value) => {
  expect(refusePjmOption(name, value)).toBeUndefined()
})

test('a planned start has no year: the nearest is meant, in the zone of the login node', () => {
  const now = Date.UTC(2026, 11, 31, 23, 0)
  expect(plannedStart('(01/01 09:30)', '+0900', now)).toBe(Date.UTC(2027, 0, 1, 0, 30))
  expect(plannedStart('(2016/07/29 23:20:00)<', '+0900', now)).toBe(Date.UTC(2016, 6, 29, 14, 20))
  expect(plannedStart('01/01 09:30:00', '+0900', now)).toBeUndefined()
  expect(plannedStart('-', '+0900', now)).toBeUndefined()
})

test('a reason cut to 16 characters is understood', () => {
  const job = { id: '1', name: 'd-k3v9x2m7qd-1', word: 'QUE', state: 'queued' as const, reason: 'RSCGRP NOT EXIST' }
  const text = 'H,JOB_ID,ST,START_DATE,REASON\n,1,QUE,(06/01 15:03),RSCGRP NOT EXIST\ndrover-zone +0000\n'
  expect(parseExplanation({ code: 0, stdout: text, stderr: '' }, job, Date.UTC(2026, 4, 31))).toEqual({
    reason: 'its resource group does not exist',
    nativeReason: 'RSCGRP NOT EXIST',
    advice: 'Cancel it, and correct the option rscgrp.',
    expectedStart: Date.UTC(2026, 5, 1, 15, 3),
  })
})
