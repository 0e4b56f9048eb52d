import { readFileSync } from 'node:fs'
import type { SchedulerFacts, SiteFacts } from '../../targets/site-facts.ts'
import { defineTask } from '../../task/define-task.ts'
import type { TaskInput } from '../../task/task-input.ts'
import { compileBatch } from '../batch/compile-batch.ts'
import type { ResolvedTask } from '../executor.ts'
import { resolveTask } from '../resolve-task.ts'
import { slurmCapabilities } from './slurm-capabilities.ts'
import { parseSlurmFacts } from './slurm-facts.ts'
import { slurmScheduler } from './slurm-scheduler.ts'

/** Output of real commands of Slurm 22.05.8. */
export function captured(name: string): string {
  return readFileSync(new URL(`../../../test/fixtures/slurm/22.05.8/${name}`, import.meta.url), 'utf8')
}

/** Facts of a cluster with H100s in one partition, over the captured ones. */
export const clusterFacts: SchedulerFacts = {
  ...parseSlurmFacts({ code: 0, stdout: captured('facts.txt'), stderr: '' }),
  partitions: [
    { name: 'main', isDefault: true, up: true, nodes: 16, cpus: 64, memoryBytes: 512 * 1024 ** 3, maxTimeMs: 86_400_000 },
    { name: 'gpu', isDefault: false, up: true, nodes: 8, cpus: 96, memoryBytes: 1024 ** 4, gres: 'gpu:h100:8(S:0-1)' },
    { name: 'mixed', isDefault: false, up: true, nodes: 8, cpus: 96, memoryBytes: 1024 ** 4, gres: 'gpu:nvidia_a100_80gb:4,gpu:v100:2' },
  ],
}

/** A login node whose jobs lie in /home/me/.drover. */
export function clusterSite(facts: SchedulerFacts = clusterFacts, root = '/home/me/.drover'): SiteFacts {
  return {
    readAt: 0,
    hostname: 'login',
    bootId: 'b',
    cpus: 8,
    memoryBytes: 16e9,
    gpus: [],
    tools: { sh: '/bin/sh', bash: '/bin/bash', setsid: '/usr/bin/setsid' },
    processGroups: 'setsid',
    root,
    user: 'me',
    sharedHome: true,
    scheduler: facts,
  }
}

/** A task as it is resolved for the cluster. */
export function resolved(
  input: Partial<TaskInput>,
  site: SiteFacts = clusterSite(),
  targetOptions: Record<string, unknown> = {},
): ResolvedTask {
  const [spec] = defineTask({ name: 'train', run: 'python train.py', ...input } as TaskInput).tasks
  if (spec === undefined) throw new Error('no task')
  const definition = { name: 'hpc', kind: 'slurm', root: site.root, options: targetOptions, limits: {} }
  return resolveTask(spec, { target: 'hpc', kind: 'slurm', capabilities: slurmCapabilities, site, others: [], upstreams: {}, definition })
}

/** The plan of a task on the cluster. */
export function planned(input: Partial<TaskInput>, site: SiteFacts = clusterSite(), targetOptions: Record<string, unknown> = {}) {
  return compileBatch(slurmScheduler, resolved(input, site, targetOptions), site, { jobId: 'k3v9x2m7qd', attempt: 1 })
}
