import { createBatchKind } from '../batch/batch-kind.ts'
import { slurmScheduler } from './slurm-scheduler.ts'

/** The kind `slurm`. */
export const slurmKind = createBatchKind(slurmScheduler)
