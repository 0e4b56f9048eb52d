import { readdirSync, readFileSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { BatchRequest, CommandOutcome, NativeJob } from '../../src/executors/batch/scheduler.ts'
import { compilePbs, quotePbsWord } from '../../src/executors/pbs/pbs-compiler.ts'
import { parseExplanation } from '../../src/executors/pbs/pbs-explain.ts'
import { parsePbsFacts } from '../../src/executors/pbs/pbs-facts.ts'
import { type PbsOptions, parsePbsOptions, refusePbsOption } from '../../src/executors/pbs/pbs-options.ts'
import { parseQstat } from '../../src/executors/pbs/pbs-output.ts'
import { parseQstatAnswer } from '../../src/executors/pbs/pbs-queries.ts'
import { parseQsub, qsubCommand } from '../../src/executors/pbs/pbs-submit.ts'

const FIXTURES = new URL('../fixtures/pbs/23.06.06/', import.meta.url)
const read = (name: string): string => readFileSync(new URL(name, FIXTURES)).toString('utf8')
const jsonFiles = ['', 'release/'].flatMap((folder) =>
  readdirSync(new URL(`./${folder}`, FIXTURES))
    .filter((name) => name.endsWith('.json'))
    .map((name) => folder + name),
)

/** What the question's script makes of a captured answer: its end is marked. */
const answer = (stdout: string, { stderr = '', code = 0, asked = '' } = {}): CommandOutcome => ({
  code: 0,
  stdout: `${asked === '' ? '' : `drover-asked ${asked}\n`}${stdout}drover-end ${code}\n`,
  stderr,
})

function jobsOf(outcome: CommandOutcome): readonly NativeJob[] {
  const read = parseQstatAnswer(outcome)
  if (read.kind !== 'answered') throw new Error(`could not ask: ${read.reason}`)
  return read.jobs
}
const only = (name: string): NativeJob => jobsOf(answer(read(name)))[0]!

/** Commands in a text file of captures, with what they gave. */
function captures(file: string): readonly (CommandOutcome & { readonly command: string })[] {
  return [...read(file).matchAll(/\$ (.*)\n(?:# (?!rc=).*\n)*# rc=(\d+).*\n--- stdout\n([\s\S]*?)--- stderr\n([\s\S]*?)(?====\n)/g)].map(
    ([, command = '', code, stdout = '', stderr = '']) => ({ command, code: Number(code), stdout, stderr }),
  )
}

describe('states', () => {
  test.each<[string, Partial<NativeJob>]>([
    ['state-Q.json', { word: 'Q', state: 'queued', reason: 'Can Never Run: Insufficient amount of resource: ncpus (R: 64 A: 8 T: 8)' }],
    ['state-H.json', { word: 'H', state: 'queued', reason: 'Hold_Types u' }],
    ['state-H-after-failed-starts.json', { word: 'H', state: 'queued', reason: 'job held, too many failed attempts to run' }],
    [
      'state-W.json',
      { word: 'W', state: 'queued', reason: 'Execution_Time Sat Nov 21 23:59:00 2026', expectedStart: Date.UTC(2026, 10, 21, 23, 59) },
    ],
    ['state-R.json', { word: 'R', state: 'running', nodes: 'node1', startedAt: Date.UTC(2026, 10, 21, 2, 41, 23) }],
    ['state-E.json', { word: 'E', state: 'finishing' }],
    ['state-S.json', { word: 'S', state: 'suspended' }],
    ['state-F-exit0.json', { word: 'F/92', state: 'succeeded', exitCode: 0 }],
    ['state-F-exit3.json', { word: 'F/93', state: 'failed', cause: 'exit', exitCode: 3 }],
    ['release/F-exit3.json', { word: 'F/93', state: 'failed', cause: 'exit', exitCode: 3 }],
    ['state-F-signal9.json', { word: 'F/93', state: 'failed', cause: 'signal', exitCode: 137 }],
    ['state-F-segv.json', { word: 'F/93', state: 'failed', cause: 'signal', exitCode: 139 }],
    ['state-F-cput.json', { state: 'failed', cause: 'signal', exitCode: 137 }],
    ['state-F-walltime.json', { state: 'failed', cause: 'timeout' }],
    ['state-F-walltime-trap.json', { state: 'failed', cause: 'timeout' }],
    ['state-F-memory.json', { state: 'failed', cause: 'out_of_memory' }],
    ['state-F-bad-shell.json', { state: 'failed', cause: 'exit', exitCode: 127 }],
    ['state-F-bad-S.json', { state: 'failed' }],
    ['state-F-no-such-program.json', { state: 'failed' }],
    ['state-F-bad-output-path.json', { state: 'succeeded' }],
    ['state-F-qdel-queued.json', { word: 'F/91', state: 'cancelled' }],
    ['state-F-qdel-running.json', { word: 'F/91', state: 'cancelled', exitCode: 143 }],
    ['state-F-qdel-force.json', { word: 'F/91', state: 'cancelled', exitCode: 137 }],
    ['state-F-rerun.json', { state: 'succeeded', restarts: 1 }],
    ['state-F-ended-while-server-down.json', { state: 'failed', cause: 'exit', exitCode: 5 }],
    ['dep-H-waiting.json', { word: 'H', state: 'queued' }],
    ['dep-on-deleted.json', { word: 'H', state: 'queued', reason: 'depend afterok:1042.pbshead@pbshead' }],
    // F, substate 92 and no Exit_status: never run, and no success.
    ['dep-afterok.json', { word: 'F/92', state: 'failed', cause: 'dependency' }],
    ['dep-chain.json', { word: 'F/92', state: 'failed', cause: 'dependency' }],
    ['dep-afterok-on-unknown.json', { word: 'F/92', state: 'failed', cause: 'dependency' }],
    ['dep-afterok-on-finished-ok.json', { word: 'F/92', state: 'succeeded' }],
    ['multi-R.json', { state: 'running', nodes: 'node1,node2' }],
  ])('%s', (file, expected) => {
    expect(only(file)).toMatchObject(expected)
  })

  test.each<[Record<string, string>, Partial<NativeJob>]>([
    [
      { job_state: 'F', substate: '91', Exit_status: '7' },
      { state: 'cancelled', exitCode: 7 },
    ],
    [
      { job_state: 'F', substate: '93', Exit_status: '143' },
      { state: 'failed', cause: 'signal', exitCode: 143 },
    ],
    [
      { job_state: 'F', substate: '93', Exit_status: '255' },
      { state: 'failed', cause: 'exit', exitCode: 255 },
    ],
    [
      { job_state: 'F', substate: '93', Exit_status: '-20' },
      { state: 'failed', cause: 'node_failure' },
    ],
    [
      { job_state: 'F', substate: '93', Exit_status: '-1' },
      { state: 'failed', cause: 'driver' },
    ],
    [
      { job_state: 'F', substate: '92' },
      { state: 'failed', cause: 'driver' },
    ],
    [
      { job_state: 'F', substate: '93', exec_host: 'node1/0' },
      { state: 'failed', cause: 'node_failure' },
    ],
    [{ job_state: 'C', exit_status: '0' }, { state: 'succeeded' }],
    [{ job_state: 'Ö' }, { state: 'running' }],
  ])('%o', (attributes, expected) => {
    const fields = Object.entries({ Job_Name: 'x', ...attributes }).map(([name, value]) => `${name}=${value}`)
    expect(jobsOf(answer(`Job Id: 1.s|${fields.join('|')}\n`))[0]).toMatchObject(expected)
  })
})

describe('arrays', () => {
  const tasks = (name: string): readonly string[] =>
    jobsOf(answer(read(name))).map(
      ({ id, tasks, state, exitCode }) => `${id} ${tasks?.join() ?? '-'} ${state}${exitCode === undefined ? '' : ` ${exitCode}`}`,
    )

  test.each([
    ['array-B-t.json', ['- running', '0 running', '1 running', '2 running', '3 running'], 1026],
    ['array-F-t.json', ['- failed 1', '0 succeeded 0', '1 failed 1', '2 failed 2', '3 failed 3'], 1026],
    [
      'array-part-deleted-t.json',
      ['- running', '0 running', '1 cancelled 143', '2 cancelled 143', '3 cancelled 143', '4 running', '5 running'],
      1030,
    ],
    [
      'array-deleted-t.json',
      ['- cancelled 1', '0 cancelled 143', '1 cancelled 1', '2 cancelled 1', '3 cancelled 1', '4 cancelled 143', '5 cancelled 143'],
      1030,
    ],
  ])('%s', (file, expected, number) => {
    expect(tasks(file)).toEqual(expected.map((each) => `${number}[].pbshead ${each}`))
  })
})

describe('output that is no JSON', () => {
  test.each(jsonFiles)('%s is read', (file) => {
    const text = read(file)
    const jobs = jobsOf(answer(text))
    expect(jobs.length).toBeGreaterThan(0)
    expect(jobs.every(({ name, word }) => name !== '' && /^[A-Z]/.test(word))).toBe(true)
    // Cut off anywhere it is never a shorter answer, and never throws.
    for (const share of [0.2, 0.5, 0.9])
      expect(parseQstatAnswer({ code: 0, stderr: '', stdout: text.slice(0, text.length * share) }).kind).toBe('could_not_ask')
  })

  test('functions of a shell with quotes and line breaks as they are', () => {
    const text = read('release/F-exit3.json').replace('"PBS_O_SYSTEM":"Linux"', '"BASH_FUNC_x()":"() {  echo "a"\n "job_state":"Q",\n}"')
    expect(() => JSON.parse(text)).toThrow()
    expect(jobsOf(answer(text))[0]).toMatchObject({ state: 'failed', exitCode: 3 })
  })

  test('a number where a name is', () => {
    expect(only('release/json-1e5.json')).toMatchObject({ state: 'queued' })
    expect(only('json-1e5.json').name).toBe('1e5')
    expect(only('json-005.json').name).toBe('005')
  })

  test('on one line', () => {
    expect(jobsOf(answer(`${JSON.stringify(JSON.parse(read('state-F-exit3.json')))}\n`))[0]).toMatchObject({ state: 'failed', exitCode: 3 })
  })

  test('the parser never throws', () => {
    const pieces = [
      'Job Id: 1.s',
      '|',
      '\n',
      '{',
      '}',
      '    job_state = F',
      '"1.s": {',
      '\t"job_state":\t"F",',
      'Exit_status=0',
      'drover-end 0',
    ]
    fc.assert(
      fc.property(fc.array(fc.oneof(fc.constantFrom(...pieces), fc.string())), (parts) => {
        parseQstat(parts.join(''))
        parseQstatAnswer({ code: 0, stdout: parts.join(''), stderr: '' })
      }),
    )
  })
})

describe('other formats say the same', () => {
  const of = (command: string): CommandOutcome => captures('qstat-text').find((each) => each.command === command)!

  test.each(['qstat -f -x 38.pbshead', 'qstat -f -F dsv -x 38.pbshead', 'qstat -xf -w 38.pbshead | head -50'])('%s', (command) => {
    expect(jobsOf(answer(of(command).stdout))[0]).toMatchObject({ ...only('state-F-exit0.json'), id: '38.pbshead' })
  })

  test('a bar inside a value, escaped', () => {
    const text = 'Job Id: 1.s|Job_Name=x|job_state=F|substate=93|Variable_List=A=x\\|Exit_status=0|Exit_status=4\n'
    expect(jobsOf(answer(text))[0]).toMatchObject({ exitCode: 4 })
  })

  test('Torque', () => {
    const text = 'Job Id: 9.head\n    Job_Name = x\n    job_state = C\n    exit_status = 271\n\n'
    expect(jobsOf(answer(text))[0]).toMatchObject({ state: 'failed', cause: 'signal', exitCode: 143 })
  })
})

describe('several ids', () => {
  const all = captures('qstat-ids')
  const of = (command: string): CommandOutcome => all.find((each) => each.command.startsWith(command))!
  const asked = '1000.pbshead 99999.pbshead 1002.pbshead'

  test('an unknown one among them does not spoil the others', () => {
    const { stdout, stderr } = of('qstat -x -f -F dsv 1000.pbshead 99999 1002.pbshead')
    const whole = stdout.replace(/\|j$/m, '|job_state=H').replace(/\|r$/m, '|job_state=F|substate=92|Exit_status=0')
    expect(jobsOf(answer(whole, { stderr, asked, code: 153 })).map(({ id }) => id)).toEqual(['1000.pbshead', '1002.pbshead'])
  })

  test('an answer about the first one alone is none', () => {
    const { stdout, stderr } = of('qstat -f -F json -x 1000.pbshead 99999 1002.pbshead')
    expect(parseQstatAnswer(answer(stdout, { stderr, code: 153, asked }))).toEqual({
      kind: 'could_not_ask',
      reason: 'qstat says nothing of job 1002.pbshead',
    })
  })

  test.each([
    ['qstat 99999', '99999.pbshead'],
    ['qstat -x 99999', '99999.pbshead'],
    ['qstat 1002.pbshead', '1002.pbshead'],
    ['qstat -f -F json 1002.pbshead', '1002.pbshead'],
    ['qstat -x "999[]"', '999[].pbshead'],
  ])('%s: answered, with none', (command, id) => {
    const { code, stdout, stderr } = of(command)
    expect(parseQstatAnswer(answer(stdout, { stderr, asked: id, code: code! }))).toEqual({ kind: 'answered', jobs: [] })
  })

  test('history that is off has nothing, and says so', () => {
    const { code, stdout, stderr } = captures('history').find(({ command }) => command === 'qstat -f -F json -x 1134.pbshead')!
    expect(parseQstatAnswer(answer(stdout, { stderr, asked: '1134.pbshead', code: code! }))).toEqual({ kind: 'answered', jobs: [] })
  })

  test('of the captured answers without a server none concludes anything', () => {
    const stopped = captures('server-stopped').filter(({ command, code }) => command.includes('qstat') && code !== 0)
    expect(stopped.length).toBeGreaterThan(4)
    for (const { code, stdout, stderr } of stopped)
      expect(parseQstatAnswer(answer(stdout, { stderr, code: code! })).kind).toBe('could_not_ask')
    expect(parseQstatAnswer({ code: 124, stdout: '', stderr: '' }).kind).toBe('could_not_ask')
    expect(parseQstatAnswer({ code: 0, stdout: '', stderr: '' }).kind).toBe('could_not_ask')
  })
})

describe('qsub', () => {
  const all = ['qsub', 'names', 'array', 'depend', 'server-stopped', 'server-hung']
    .flatMap((file) => captures(file).map((each) => ({ file, ...each })))
    .filter(({ command }) => /(^|[ ;&])qsub /.test(command) && !command.startsWith('cd ~/t; echo'))

  test('every captured answer is understood', () => {
    expect(all.length).toBeGreaterThan(40)
    for (const { file, command, code, stdout, stderr } of all) {
      const expected = code === 0 ? 'accepted' : code === 124 ? 'in_doubt' : file === 'server-stopped' ? 'not_reached' : 'refused'
      expect({ command, kind: parseQsub({ code, stdout, stderr }).kind }).toEqual({ command, kind: expected })
    }
  })

  test.each([
    ['qsub -q nope job.sh', 'Unknown queue', /option queue/],
    ['qsub -l select=1:ngpus=1 job.sh', 'Unknown resource: ngpus', /gpu_resource/],
    ['qsub -N bad1 -J 0-0 -- /bin/true', 'illegal -J value', undefined],
  ])('%s', (command, message, hint) => {
    const found = all.find((each) => each.command.endsWith(command))!
    const said = parseQsub(found)
    expect(said).toMatchObject({ kind: 'refused', message })
    if (hint) expect(said).toMatchObject({ hint: expect.stringMatching(hint) })
  })

  test.each<[CommandOutcome, string]>([
    [{ code: 183, stdout: '', stderr: 'qsub: End of File\n' }, 'in_doubt'],
    [{ code: 0, stdout: '', stderr: '' }, 'in_doubt'],
    [{ code: undefined, stdout: '', stderr: '' }, 'in_doubt'],
    [{ code: 1, stdout: '', stderr: 'what nobody knows\n' }, 'in_doubt'],
    [{ code: 127, stdout: '', stderr: 'sh: 1: qsub: not found\n' }, 'not_reached'],
    [{ code: 188, stdout: '', stderr: "qsub: would exceed queue workq's per-user limit\n" }, 'not_reached'],
    [
      { code: 75, stdout: '', stderr: 'drover: PBS keeps no history, and job 1.s, which this one is to wait for, has just ended\n' },
      'not_reached',
    ],
  ])('%o: %s', (outcome, kind) => {
    expect(parseQsub(outcome).kind).toBe(kind)
  })

  test('a hostile path of a script that is not ours', () => {
    expect(qsubCommand({ kind: 'foreign', path: "/a b/$(x)';y", args: [], nativeName: 'n', options: ['-q', 'a b'] })).toContain(
      "'/a b/$(x)'\\'';y'",
    )
  })
})

describe('facts', () => {
  const text = (history: string): string => `drover-server
Server pbshead
    default_queue = workq
    pbs_version = 2022.1.3
${history}    max_array_size = 500

drover-queues
Queue: workq
    queue_type = Execution
    resources_max.walltime = 24:00:00
    enabled = True
    started = True

Queue: route
    queue_type = Route
    enabled = True
    started = True

drover-nodes
node1
     ntype = PBS
     state = free
     resources_available.mem = 16gb
     resources_available.ncpus = 8
     resources_available.ngpus = 2

node2
     ntype = PBS
     state = down,offline
     resources_available.ncpus = 64

`
  test('of a server', () => {
    expect(parsePbsFacts({ code: 0, stdout: text('    job_history_enable = True\n'), stderr: '' })).toEqual({
      version: '2022.1.3',
      cluster: 'pbshead',
      accounting: true,
      maxArraySize: 500,
      killWaitMs: 10_000,
      partitions: [
        { name: 'workq', isDefault: true, up: true, nodes: 1, cpus: 8, memoryBytes: 16 * 1024 ** 3, maxTimeMs: 86_400_000, gres: 'gpu:2' },
      ],
    })
  })

  test('history is off where nothing says that it is on', () => {
    expect(parsePbsFacts({ code: 0, stdout: text(''), stderr: '' }).accounting).toBe(false)
  })

  test('no server', () => {
    expect(() => parsePbsFacts({ code: 255, stdout: 'drover-server\n', stderr: 'Connection refused\n' })).toThrow(/Connection refused/)
  })
})

describe('why a job waits', () => {
  test.each([
    ['state-Q.json', /will ever have/],
    ['state-H.json', /held by you/],
    ['state-W.json', /time to begin/],
    ['state-H-after-failed-starts.json', /tried to start it and failed/],
    ['dep-H-waiting.json', /is to wait for/],
  ])('%s', (file, reason) => {
    expect(parseExplanation({ code: 0, stdout: '', stderr: '' }, only(file)).reason).toMatch(reason)
  })
})

describe('options', () => {
  test.each<[string, unknown, boolean]>([
    ['queue', 'workq', true],
    ['queue', 'a b', false],
    ['priority', 2000, false],
    ['begin', '2026-12-01T08:00', true],
    ['begin', 'tomorrow', false],
    ['place', 'scatter:excl', true],
    ['place', 'scatter\n#PBS -q x', false],
    ['account', 'a\n#PBS -q x', false],
    ['account', `a"b'c`, false],
    ['select', { arch: 'linux', bigmem: true }, true],
    ['select', { ncpus: 4 }, false],
    ['select', { arch: 'a:b' }, false],
    ['native', { l: { software: 'matlab' }, W: { sandbox: 'PRIVATE' }, c: 's' }, true],
    ['native', { N: 'x' }, false],
    ['native', { V: true }, false],
    ['native', { l: { walltime: '1' } }, false],
    ['native', { W: { depend: 'afterok:1' } }, false],
    ['native', { 'job-name': 'x' }, false],
    ['nothing', 1, false],
  ])('%s %o', (name, value, fine) => {
    expect(refusePbsOption(name, value) === undefined).toBe(fine)
  })

  test('a refusal says what to use', () => {
    expect(refusePbsOption('native', { J: '0-3' })).toMatchObject({ path: ['J'], must: expect.stringContaining('use array') })
  })

  test('a word of a directive keeps its meaning, or is refused', () => {
    expect([quotePbsWord('plain'), quotePbsWord('a b'), quotePbsWord('say "x"'), quotePbsWord("it's")]).toEqual([
      'plain',
      '"a b"',
      `'say "x"'`,
      `"it's"`,
    ])
    expect(() => quotePbsWord(`"'`)).toThrow(/both kinds/)
    expect(() => quotePbsWord('a\nb')).toThrow(/line break/)
  })
})

describe('scripts', () => {
  type Request = BatchRequest<PbsOptions>
  const request = (
    over: Record<string, unknown> = {},
    task: Record<string, unknown> = {},
    options: Record<string, unknown> = {},
  ): Request =>
    ({
      task: {
        name: 'train',
        target: 'hpc',
        numNodes: 1,
        perNode: { cpus: 1, gpus: 0 },
        processesPerNode: 1,
        graceMs: 10_000,
        spec: { written: {}, resources: { candidates: [] } },
        ...task,
      },
      options: parsePbsOptions(options),
      site: {},
      facts: { version: '23.06.06', accounting: true, maxArraySize: 10_000, partitions: [] },
      jobId: 'abcdefghij',
      attempt: 1,
      nativeName: 'd-abcdefghij-1',
      attemptDir: '/home/me/.drover/jobs/abcdefghij/1',
      workDir: '/home/me/.drover/jobs/abcdefghij/work/0',
      after: [],
      ...over,
    }) as unknown as Request

  test.each<[string, Request]>([
    ['one-node', request()],
    [
      'four-nodes',
      request(
        {},
        {
          numNodes: 4,
          perNode: { cpus: 8, gpus: 2, gpuType: 'a100', memoryBytes: 64 * 1024 ** 3 },
          processesPerNode: 2,
          timeoutMs: 3_600_000,
        },
        { queue: 'gpuq', gpu_type_resource: 'gpu_type', exclusive: true, select: { arch: 'linux', ib: true } },
      ),
    ],
    ['array', request({ array: { first: 0, last: 99, atOnce: 5 } })],
    ['array-of-one', request({ array: { first: 0, last: 0 } })],
    [
      'options',
      request(
        {
          after: [
            { id: '1.s', condition: 'ok' },
            { id: '2[].s', condition: 'ok' },
            { id: '3.s', condition: 'failed' },
          ],
        },
        {},
        {
          account: 'proj "A"',
          project: 'p1',
          priority: -5,
          begin: '2026-12-01T08:00',
          hold: true,
          walltime: '02:00:00',
          group_list: 'physics',
          umask: '022',
          mail: 'ae',
          mail_user: 'me@example.org',
          dependency: 'afterany:9.s',
          native: { l: { software: 'matlab' }, W: { sandbox: 'PRIVATE' }, c: 's', x: true },
        },
      ),
    ],
    ['hostile-path', request({ attemptDir: "/ho me/$(x)`y`:z/it's,\\%/1" })],
  ])('%s', async (name, of) => {
    const head = compilePbs(of)
    const text = ['#!/bin/sh', ...head.directives, '', `# foreign: ${JSON.stringify(head.foreignOptions)}`, ''].join('\n')
    await expect(text).toMatchFileSnapshot(`../fixtures/pbs/scripts/${name}.sh`)
    expect(head.directives.every((line) => !line.includes('\n'))).toBe(true)
  })

  test('several nodes on one host are refused', () => {
    expect(() => compilePbs(request({}, { numNodes: 2 }, { place: 'pack' }))).toThrow(/on one host/)
  })

  test('old versions', () => {
    const facts = { version: '12.2', accounting: true, maxArraySize: 10, partitions: [] }
    const head = compilePbs(request({ facts, array: { first: 0, last: 9, atOnce: 2 } }))
    expect(head.directives).toContain('#PBS -J 0-9')
    expect(head.warnings).toEqual(['PBS 12.2 has no limit for elements at one time: max_parallel is not kept'])
    expect(() => compilePbs(request({ facts, nativeName: 'd-abcdefghij-1aa' }))).toThrow(/15 characters/)
  })

  test('a kind of GPU that cannot be asked for is said', () => {
    expect(compilePbs(request({}, { perNode: { cpus: 1, gpus: 1, gpuType: 'h100' } })).warnings).toHaveLength(1)
  })
})
