import { describe, expect, test } from 'vitest'
import { planned, script } from './pjm.fixture.ts'

const DIRECTORY = '/vol0003/ra000000/u00001/.drover/jobs/k3v9x2m7qd/1'

describe('whole scripts', () => {
  test('two nodes of an FX machine for ten minutes', () => {
    expect(
      script({ num_nodes: 2, timeout: '10m' } as never, { rscgrp: 'small', group: 'ra000000', freq: 2000, eco_state: 2 }),
    ).toBe(`#!/bin/sh
#PJM -N d-k3v9x2m7qd-1
#PJM -L node=2
#PJM --mpi max-proc-per-node=1
#PJM -o ${DIRECTORY}/logs/driver.log
#PJM -j
#PJM --norestart
#PJM -L rscgrp=small
#PJM -L freq=2000
#PJM -L eco_state=2
#PJM -L elapse=00:11:10
#PJM -g ra000000
exec sh ${DIRECTORY}/driver.sh
`)
  })

  test('an array of ten', () => {
    expect(script({ array: 10 } as never, { rscgrp: 'small' })).toBe(`#!/bin/sh
#PJM -N d-k3v9x2m7qd-1
#PJM -L node=1
#PJM -j
#PJM --norestart
#PJM -L rscgrp=small
#pjsub --bulk --sparam 0-9
exec >>${DIRECTORY}/tasks/d-k3v9x2m7qd-1-"$PJM_BULKNUM".log 2>&1
DROVER_NATIVE_TASK=$((PJM_BULKNUM + 0))
export DROVER_NATIVE_TASK
exec sh ${DIRECTORY}/driver.sh
`)
  })

  test('every option', () => {
    const options = {
      rscgrp: 'b-batch',
      rscunit: 'gwmpc',
      jobenv: 'singularity',
      freq: 2200,
      eco_state: 2,
      retention_state: 0,
      machine: 'x86',
      vnode: true,
      vnode_core: 12,
      gpu: 1,
      elapse: '30m',
      priority: 127,
      at: '202612010800',
      mail: ['begin', 'end'],
      mail_list: 'a@b.jp,c@d.jp',
      check_directory: false,
      step: 'jid=240,sn=1,sd=ec!=0:all:0',
      mpi: ['rank-map-bynode'],
      native: { P: 'vn-policy=abs-unpack', llio: ['localtmp-size=10Gi', 'sharedtmp-size=10Gi'], S: true, net_route: 'dynamic', s: false },
    }
    expect(script({}, options)).toBe(`#!/bin/sh
#PJM -N d-k3v9x2m7qd-1
#PJM -L vnode=1
#PJM -L vnode-core=12
#PJM --mpi rank-map-bynode
#PJM -o ${DIRECTORY}/logs/driver.log
#PJM -j
#PJM --norestart
#PJM -L rscgrp=b-batch
#PJM -L rscunit=gwmpc
#PJM -L jobenv=singularity
#PJM -L freq=2200
#PJM -L eco_state=2
#PJM -L retention_state=0
#PJM -L elapse=00:30:00
#PJM -L gpu=1
#PJM -p 127
#PJM --at 202612010800
#PJM -m b,e
#PJM --mail-list a@b.jp,c@d.jp
#PJM --no-check-directory
#PJM -P vn-policy=abs-unpack
#PJM --llio localtmp-size=10Gi
#PJM --llio sharedtmp-size=10Gi
#PJM -S
#PJM --net-route dynamic
#pjsub --step --sparam jid=240,sn=1,sd=ec!=0:all:0
exec sh ${DIRECTORY}/driver.sh
`)
  })
})

test.each([
  ['a shape of nodes', { num_nodes: 12 }, { node_shape: '2x3x2:torus' }, '#PJM -L node=2x3x2:torus'],
  ['a policy alone', { num_nodes: 12 }, { node_shape: ':noncont' }, '#PJM -L node=12:noncont'],
  ['a part of a node', {}, { machine: 'x86', vnode_core: 4 }, '#PJM -L vnode-core=4'],
  ['memory, in MiB', { resources: { memory: 16 } }, {}, '#PJM -L node-mem='],
  ['GPUs', { resources: { accelerators: 'H100:4' } }, { machine: 'x86' }, '#PJM -L gpu=4'],
  ["processes of the user's own mpiexec", { processes_per_node: 48 }, {}, '#PJM --mpi max-proc-per-node=48'],
  ['elements packed into one job count together', { array: 10, timeout: '10m' }, { pack: 'all', pack_slots: 4 }, '#PJM -L elapse=00:31:30'],
])('%s', (_, input, options, line) => {
  expect(script(input as never, options)).toContain(`${line}`)
})

test.each([
  ['max_parallel', { array: { count: 10, max_parallel: 2 } }, {}, /max_parallel.*as many sub-jobs.*/],
  ['a shape of other nodes', { num_nodes: 4 }, { node_shape: '2x3x2' }, /2x3x2 are 12 nodes and num_nodes is 4/],
  ['GPUs of an FX machine', { resources: { accelerators: 'H100:4' } }, {}, /no GPUs/],
  ['a part of several nodes', { num_nodes: 2 }, { vnode_core: 4 }, /a part of one node/],
])('%s is refused', (_, input, options, message) => {
  expect(() => planned(input as never, options)).toThrow(message)
})

test('directives are plain: no blanks around =, no comments, no line longer than its option', () => {
  const lines = script({ num_nodes: 2 } as never, { rscgrp: 'small', mail_list: 'a b' }).split('\n')
  for (const line of lines.filter((each) => each.startsWith('#PJM'))) {
    expect(line).not.toMatch(/\s=|=\s|#.*#/)
  }
  expect(lines).toContain('#PJM --mail-list "a b"')
})

test('an awkward root is left to the shell, which quotes it', () => {
  const file = planned({}, {}, "/home/it's 100%").places[0]?.files.find(({ path }) => path === 'job.sh')
  expect(file?.content).not.toContain('#PJM -o')
  expect(file?.content).toContain(`exec >>'/home/it'\\''s 100%/jobs/k3v9x2m7qd/1/logs/driver.log' 2>&1`)
})
