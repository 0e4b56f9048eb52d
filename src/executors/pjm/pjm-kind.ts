import type { Target } from '../../targets/target.ts'
import { createBatchKind } from '../batch/batch-kind.ts'
import type { ExecutorKind } from '../registry.ts'
import { createPjmScheduler } from './pjm-scheduler.ts'
import { parsePjmSite } from './pjm-site.ts'

const kindOf = ({ root, options }: Pick<Target, 'root' | 'options'>): ExecutorKind =>
  createBatchKind(createPjmScheduler(parsePjmSite(root, options)))

const plain = kindOf({ root: '~', options: {} })

/** The kind `pjm`. How PJM is asked differs between sites, so each target has a scheduler made of its options. */
export const pjmKind: ExecutorKind = {
  ...plain,
  connect: (target, world) => kindOf(target).connect(target, world),
  check: async (target, world) => (await kindOf(target).check?.(target, world)) ?? [],
}
