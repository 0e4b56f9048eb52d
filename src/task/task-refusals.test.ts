import { describe, expect, test } from 'vitest'
import { parseTaskFile } from './task-file.ts'
import { context, refused } from './task-file-harness.ts'

describe('refusals: place, what, and what is allowed', () => {
  test.each([
    ['unknown key', 'run: x\nnum_node: 2', '2:1', 'unknown key "num_node"', 'Did you mean "num_nodes"?'],
    ['in resources', 'run: x\nresources:\n  cpu: 2', '3:3', 'resources: unknown key "cpu"', 'Did you mean "cpus"?'],
    [
      'in a candidate',
      'run: x\nresources:\n  any_of:\n  - {memroy: 2}',
      '4:6',
      'resources.any_of[0]: unknown key',
      'Did you mean "memory"?',
    ],
    ['in storage', 'run: x\nfile_mounts:\n  /a: {nmae: b}', '3:8', 'file_mounts./a: unknown key "nmae"', 'Did you mean "name"?'],
    [
      'in a mount config',
      'run: x\nfile_mounts:\n  /a: {config: {mount: {readonly: true}}}',
      '3:25',
      'file_mounts./a.config.mount: unknown',
      '"read_only"',
    ],
    ['in service', 'run: x\nservice: {replica: 1}', '2:11', 'service: unknown key "replica"', 'Did you mean "replicas"?'],
    [
      'in a probe',
      'run: x\nservice: {readiness_probe: {path: /, header: {}}}',
      '2:38',
      'service.readiness_probe: unknown',
      'Did you mean "headers"?',
    ],
    ['in pool', 'pool: {worker: 1}', '1:8', 'pool: unknown key "worker"', 'Did you mean "workers"?'],
    ['in autostop', 'run: x\nresources: {autostop: {idle: 1}}', '2:24', 'resources.autostop: unknown key', 'Allowed: idle_minutes, down'],
    ['in array', 'run: x\narray: {cuont: 3}', '2:9', 'array: unknown key "cuont"', 'Did you mean "count"?'],
    ['in retries', 'run: x\nretries: {max: 1, backof: 1s}', '2:19', 'retries: unknown key', 'Did you mean "backoff"?'],
    ['in notify', 'run: x\nnotify: {onend: y}', '2:10', 'notify: unknown key', 'Did you mean "on_end"?'],
    [
      'old spot_recovery',
      'run: x\nresources: {spot_recovery: FAILOVER}',
      '2:13',
      'unknown key "spot_recovery"',
      'Did you mean "job_recovery"?',
    ],
    ['resources.hooks', 'run: x\nresources: {hooks: []}', '2:13', 'resources: unknown key "hooks"', 'Allowed:'],
    ['a number as name', 'name: 12\nrun: x', '1:7', 'name: must be a string, not the number 12', 'put it in quotes: "12"'],
    ['yes as name', 'name: yes\nrun: x', '1:7', 'not the boolean yes', 'put it in quotes: "yes"'],
    ['a date as name', 'name: 2024-01-01\nrun: x', '1:7', 'not the date 2024-01-01', 'put it in quotes'],
    ['a bad name', 'name: a b\nrun: x', '1:7', 'name: "a b" is not allowed', 'Allowed: letters and digits'],
    ['zero nodes', 'num_nodes: 0\nrun: x', '1:12', 'num_nodes: the number 0 is not allowed', 'Allowed: whole numbers from 1'],
    ['half a node', 'num_nodes: 1.5\nrun: x', '1:12', 'num_nodes: the number 1.5 is not allowed', 'from 1'],
    ['nodes as text', 'num_nodes: "2"\nrun: x', '1:12', 'num_nodes: must be a whole number, not "2"', 'whole numbers'],
    ['cpus', 'run: x\nresources: {cpus: 4x}', '2:19', 'resources.cpus: "4x" is not allowed', 'Allowed: 4, 4+'],
    ['memory', 'run: x\nresources: {memory: lots}', '2:21', 'resources.memory: "lots" is not allowed', '64GB'],
    ['memory per unknown cpu', 'run: x\nresources: {memory: 3x}', '2:21', 'GB per CPU', 'Add cpus'],
    ['accelerator count', 'run: x\nresources: {accelerators: H100:x}', '2:27', '"H100:x" is not allowed', 'H100:8'],
    ['accelerator dict', 'run: x\nresources: {accelerators: {H100: x}}', '2:34', 'resources.accelerators.H100: must be', undefined],
    ['accelerator twice', 'run: x\nresources: {accelerators: {"H100:2": 2}}', '2:38', 'two counts', undefined],
    ['gpus and accelerators', 'run: x\nresources: {gpus: H100, accelerators: H100}', '2:19', 'they are the same', 'Keep one'],
    ['any_of and ordered', 'run: x\nresources: {any_of: [{cpus: 1}], ordered: [{cpus: 1}]}', '2:43', 'exclude each other', undefined],
    ['infra and cloud', 'run: x\nresources: {infra: aws, cloud: aws}', '2:12', 'infra and cloud', 'Keep infra'],
    ['priority', 'run: x\nresources: {priority: 1001}', '2:23', '1001 is not allowed', '-1000 to 1000'],
    ['port', 'run: x\nresources: {ports: 70000}', '2:20', '70000 is not allowed', '1 to 65535'],
    ['price', 'run: x\nresources: {max_hourly_cost: 0}', '2:30', 'the number 0', 'above 0'],
    ['recovery code', 'run: x\nresources: {job_recovery: {recover_on_exit_codes: [256]}}', '2:52', '256 is not allowed', '0 to 255'],
    ['env name', 'run: x\nenvs: {1A: b}', '2:8', 'envs: the key "1A" is not allowed', 'not starting with a digit'],
    ['env list', 'run: x\nenvs: [A]', '2:7', 'envs: must be a mapping, not a list', undefined],
    ['env mapping', 'run: x\nenvs: {A: {B: c}}', '2:11', 'envs.A: must be a plain value, not a mapping', undefined],
    ['env without value', 'run: x\nenvs: {A: }', '2:8', 'envs.A: has no value', '--env A=VALUE'],
    ['docker login in parts', 'run: x\nenvs: {SKYPILOT_DOCKER_USERNAME: a}', '2:7', 'all three', undefined],
    ['retry kind', 'run: x\nretries: {max: 1, when: [nodefail]}', '2:26', 'retries.when[0]: "nodefail" is not allowed', 'node_failure'],
    ['retry code', 'run: x\nretries: {max: 1, when: exit:0}', '2:25', '"exit:0" is not allowed', 'exit:CODE (1 to 255)'],
    ['retries without max', 'run: x\nretries: {when: exit}', '2:10', 'retries: the key "max" is missing', undefined],
    ['timeout', 'run: x\ntimeout: 2 hours', '2:10', 'timeout: "2 hours" is not allowed', '1h30m'],
    ['no time', 'run: x\ntimeout: 0', '2:10', 'timeout: the number 0 is not allowed', 'above 0'],
    ['timeout in clock form', 'run: x\ntimeout: .nan', '2:10', 'is not allowed', '1h30m'],
    ['two array forms', 'run: x\narray: {count: 3, values: [1]}', '2:8', 'array: has count and values', 'exactly one of'],
    ['no array form', 'run: x\narray: {max_parallel: 3}', '2:8', 'says not which elements', 'exactly one of'],
    ['empty values', 'run: x\narray: {values: []}', '2:17', 'at least 1 entry', undefined],
    ['empty range', 'run: x\narray: {range: [3, 3]}', '2:16', 'gives 0 elements', undefined],
    ['range text', 'run: x\narray: {range: a-b}', '2:16', '"a-b" is not a range', '0-9'],
    ['backward range', 'run: x\narray: {range: 9-0}', '2:16', '"9-0" is not a range', undefined],
    ['range step', 'run: x\narray: {range: [0, 9, 0]}', '2:16', 'step below 1', undefined],
    [
      'huge matrix',
      `run: x\narray: {matrix: {A: [${'1,'.repeat(9999)}1], B: [${'1,'.repeat(9999)}1]}}`,
      '2:17',
      'gives 100000000 elements',
      undefined,
    ],
    ['matrix name', 'run: x\narray: {matrix: {a-b: [1]}}', '2:18', 'the key "a-b" is not allowed', undefined],
    ['condition', 'run: x\nafter: {job:a: done}', '2:16', 'after.job:a: "done" is not allowed', 'ok, any, failed'],
    ['git url', 'run: x\nworkdir: {url: ./here}', '2:16', 'workdir.url: "./here" is not a git URL', 'https://'],
    ['git without url', 'run: x\nworkdir: {ref: main}', '2:10', 'workdir: does not say where the code is', 'url, git, directory'],
    ['mount slash', 'run: x\nfile_mounts: {/a/: s3://b}', '2:15', 'the destination "/a/" ends with a slash', undefined],
    ['mount source slash', 'run: x\nfile_mounts: {/a: ./code/}', '2:19', 'the source "./code/" ends with a slash', undefined],
    ['mount escape', 'run: x\nfile_mounts: {/a/../b: s3://b}', '2:15', '"/a/../b" is not a destination', undefined],
    ['mount into workdir', 'run: x\nworkdir: .\nfile_mounts: {~/sky_workdir/a: s3://b}', '3:15', 'lies in the work directory', undefined],
    ['storage mode', 'run: x\nfile_mounts: {/a: {mode: LINK}}', '2:26', 'file_mounts./a.mode: "LINK" is not allowed', 'MOUNT, COPY'],
    [
      'hooks',
      'run: x\nconfig: {hooks: [{run: a, events: [start]}]}',
      '2:36',
      'config.hooks[0].events[0]: "start"',
      'stop, preemption, down',
    ],
    ['inputs', 'run: x\ninputs: {a: 1, b: 2}', '2:9', 'inputs: has 2 keys; at most 1 is allowed', undefined],
    ['nothing to run', 'name: a', '1:1', 'the task has nothing to run', 'Add the key run'],
    ['run as mapping', 'run: {a: b}', '1:6', 'run: must be a script', undefined],
    ['a list', '- a', '1:1', 'a task must be a mapping of keys, not a list', 'run: COMMAND'],
    ['a word', 'hello', '1:1', 'a task must be a mapping of keys, not "hello"', undefined],
    ['nothing', '# only a comment\n', '1:1', 'the file is empty', undefined],
  ])('%s', (_name, text, place, message, hint) => {
    const error = refused(text)
    const { location } = error.details
    expect(error.code).toBe('invalid_task')
    expect(error.message).toContain(message)
    expect(`${location?.line}:${location?.column}`).toBe(place)
    expect(location?.file).toBe('task.yaml')
    if (hint !== undefined) expect(error.details.hint).toContain(hint)
  })

  test.each([
    ['workdir', 'run: x\nworkdir: ./nowhere', 'workdir: "/base/nowhere" does not exist'],
    ['mount', 'run: x\nfile_mounts: {/a: ~/nowhere}', 'file_mounts./a: "/home/u/nowhere" does not exist'],
    ['array file', 'run: x\narray: {file: no.txt}', 'array.file: cannot read /base/no.txt'],
  ])('missing file: %s', (_name, text, message) => {
    const error = refused(text)
    expect(error.code).toBe('missing_file')
    expect(error.message).toBe(message)
    expect(error.details.location?.line).toBe(2)
  })

  test('bytes that are no UTF-8', () => {
    expect(refused(new Uint8Array([0x72, 0xff, 0xfe])).message).toContain('not UTF-8')
    expect(parseTaskFile(new TextEncoder().encode('\uFEFFrun: ä'), 'f', context()).tasks[0]?.run).toEqual({ kind: 'script', text: 'ä' })
  })
})
