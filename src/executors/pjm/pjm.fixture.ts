import { readFileSync } from 'node:fs'
import type { SiteFacts } from '../../targets/site-facts.ts'
import { defineTask } from '../../task/define-task.ts'
import type { TaskInput } from '../../task/task-input.ts'
import { compileBatch } from '../batch/compile-batch.ts'
import { resolveTask } from '../resolve-task.ts'
import { pjmCapabilities } from './pjm-capabilities.ts'
import { createPjmScheduler } from './pjm-scheduler.ts'
import { parsePjmSite } from './pjm-site.ts'

/** What follows the command lines in a file of test/fixtures/pjm: outputs, one for each `$ ` line. */
export function captured(name: string): readonly string[] {
  const text = readFileSync(new URL(`../../../test/fixtures/pjm/${name}`, import.meta.url), 'utf8')
  return text
    .split(/^\$ .*\n/m)
    .slice(1)
    .map((output) => output.replace(/\n\(.*[\s\S]*$/, '\n'))
}

const site: SiteFacts = {
  readAt: 0,
  hostname: 'login',
  bootId: 'b',
  cpus: 8,
  memoryBytes: 16e9,
  gpus: [],
  tools: { sh: '/bin/sh', bash: '/bin/bash', setsid: '/usr/bin/setsid' },
  processGroups: 'setsid',
  root: '/vol0003/ra000000/u00001/.drover',
  user: 'u00001',
  sharedHome: true,
  scheduler: { version: '', accounting: true, maxArraySize: 1000, partitions: [] },
}

/** The plan of a task on a PJM machine. */
export function planned(input: Partial<TaskInput>, options: Record<string, unknown> = {}, root = site.root) {
  const [spec] = defineTask({ name: 'train', run: './a.out', ...input } as TaskInput).tasks
  if (spec === undefined) throw new Error('no task')
  const at = { ...site, root }
  const definition = { name: 'fugaku', kind: 'pjm', root, options, limits: {} }
  const resolving = { target: 'fugaku', kind: 'pjm', capabilities: pjmCapabilities, site: at, others: [], upstreams: {}, definition }
  const scheduler = createPjmScheduler(parsePjmSite(root, options))
  return compileBatch(scheduler, resolveTask(spec, resolving), at, { jobId: 'k3v9x2m7qd', attempt: 1 })
}

/** Its script. */
export function script(input: Partial<TaskInput>, options: Record<string, unknown> = {}): string {
  const file = planned(input, options).places[0]?.files.find(({ path }) => path === 'job.sh')
  if (file === undefined) throw new Error('there is no job.sh')
  return file.content
}
