import { quoteShell } from '../../driver/quote.ts'
import type { CommandOutcome, ForeignTold } from '../batch/scheduler.ts'
import { WITHOUT_OWN } from './slurm-variables.ts'

/** What the controller still knows of a job, all tasks of an array. */
export function outputCommand(id: string): string {
  return `${WITHOUT_OWN}; scontrol show job ${quoteShell(id)}`
}

/** Reads `StdOut=`, `StdErr=` and `ExitCode=` of `scontrol show job` (22.05); patterns of the names are filled in by Slurm. */
export function parseOutput({ stdout }: CommandOutcome): ForeignTold {
  const records = stdout.split(/^(?=JobId=)/m).filter((record) => record.startsWith('JobId='))
  const field = (record: string, name: string): string | undefined => new RegExp(`^ +${name}=(.*)$`, 'm').exec(record)?.[1]
  const files = records.flatMap((record) => {
    const task = /^JobId=.* ArrayTaskId=(\S+)/m.exec(record)?.[1]
    // Components of a heterogeneous job after the first run nothing of their own; waiting tasks write nowhere yet.
    if (/^JobId=.* HetJobOffset=[1-9]/m.test(record) || (task !== undefined && !/^\d+$/.test(task))) return []
    if (/^ +JobState=PENDING /m.test(record)) return []
    const [out, err] = [field(record, 'StdOut'), field(record, 'StdErr')]
    if (out === undefined && err === undefined) return []
    return [
      {
        ...(task === undefined ? {} : { task: Number(task) }),
        ...(out === undefined ? {} : { stdout: out }),
        ...(err === undefined ? {} : { stderr: err }),
      },
    ]
  })
  const exits = records.flatMap((record) => {
    const task = /^JobId=.* ArrayTaskId=(\S+)/m.exec(record)?.[1]
    const [, code, signal] = / ExitCode=(\d+):(\d+)/.exec(record) ?? []
    if (code === undefined || signal === undefined || /^JobId=.* HetJobOffset=[1-9]/m.test(record)) return []
    if (task === undefined) return [{ code: Number(code), signal: Number(signal) }]
    return /^\d+$/.test(task) ? [{ task: Number(task), code: Number(code), signal: Number(signal) }] : []
  })
  return { files, exits }
}
