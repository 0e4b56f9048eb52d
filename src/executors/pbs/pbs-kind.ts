import { createBatchKind } from '../batch/batch-kind.ts'
import { pbsScheduler } from './pbs-scheduler.ts'

/** Targets of kind `pbs`. */
export const pbsKind = createBatchKind(pbsScheduler)
