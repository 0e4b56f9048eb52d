import type { FailureKind, State } from '../../task/states.ts'

/** What a word of Slurm stands for. */
export interface SlurmState {
  readonly state: State
  readonly cause?: FailureKind
}

const failed = (cause: FailureKind): SlurmState => ({ state: 'failed', cause })

/** Long and short state words of Slurm 20.11 to 25.05 (squeue(1), sacct(1): JOB STATE CODES). */
const STATES: Readonly<Record<string, SlurmState>> = {
  PENDING: { state: 'queued' },
  REQUEUED: { state: 'queued' },
  REQUEUE_FED: { state: 'queued' },
  REQUEUE_HOLD: { state: 'queued' },
  RESV_DEL_HOLD: { state: 'queued' },
  SPECIAL_EXIT: { state: 'queued' },
  CONFIGURING: { state: 'starting' },
  POWER_UP_NODE: { state: 'starting' },
  RUNNING: { state: 'running' },
  RESIZING: { state: 'running' },
  SIGNALING: { state: 'running' },
  EXPEDITING: { state: 'queued' },
  UPDATE_DB: { state: 'running' },
  COMPLETING: { state: 'finishing' },
  STAGE_OUT: { state: 'finishing' },
  SUSPENDED: { state: 'suspended' },
  STOPPED: { state: 'suspended' },
  COMPLETED: { state: 'succeeded' },
  CANCELLED: { state: 'cancelled' },
  // Of a federation: another cluster has started it.
  REVOKED: { state: 'running' },
  FAILED: failed('exit'),
  TIMEOUT: failed('timeout'),
  DEADLINE: failed('timeout'),
  OUT_OF_MEMORY: failed('out_of_memory'),
  NODE_FAIL: failed('node_failure'),
  BOOT_FAIL: failed('node_failure'),
  RECONFIG_FAIL: failed('node_failure'),
  LAUNCH_FAILED: failed('driver'),
  PREEMPTED: failed('preempted'),
}

const SHORT: Readonly<Record<string, string>> = {
  PD: 'PENDING',
  RQ: 'REQUEUED',
  RF: 'REQUEUE_FED',
  RH: 'REQUEUE_HOLD',
  RD: 'RESV_DEL_HOLD',
  RV: 'REVOKED',
  SE: 'SPECIAL_EXIT',
  CF: 'CONFIGURING',
  R: 'RUNNING',
  RS: 'RESIZING',
  SI: 'SIGNALING',
  CG: 'COMPLETING',
  SO: 'STAGE_OUT',
  S: 'SUSPENDED',
  ST: 'STOPPED',
  CD: 'COMPLETED',
  CA: 'CANCELLED',
  F: 'FAILED',
  TO: 'TIMEOUT',
  DL: 'DEADLINE',
  OOM: 'OUT_OF_MEMORY',
  NF: 'NODE_FAIL',
  BF: 'BOOT_FAIL',
  PR: 'PREEMPTED',
}

/** The state a word of Slurm stands for; `CANCELLED by 1000`, `CANCELLED+` and short codes too. Undefined: not known. */
export function slurmState(word: string): SlurmState | undefined {
  const bare = word.replace(/[ +].*$/, '').toUpperCase()
  return STATES[bare] ?? STATES[SHORT[bare] ?? '']
}
