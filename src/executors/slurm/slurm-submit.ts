import { quoteArgv, quoteShell } from '../../driver/quote.ts'
import type { CommandOutcome, SubmitAnswer, SubmitScript } from '../batch/scheduler.ts'

/** `sbatch` of our script, or of one that lies on the cluster already. */
export function sbatchCommand(script: SubmitScript): string {
  if (script.kind === 'ours') return `sbatch --parsable ${quoteShell(script.file)}`
  // A tilde is the home of whoever runs it there.
  const path = script.path.startsWith('~/') ? `"$HOME"/${quoteShell(script.path.slice(2))}` : quoteShell(script.path)
  const words = quoteArgv([`--job-name=${script.nativeName}`, ...script.options])
  return `{ [ -f ${path} ] || { echo "drover: there is no script "${path} >&2; exit 2; }; } && (cd "$(dirname ${path})" && sbatch --parsable ${words} ${path}${script.args.length > 0 ? ` ${quoteArgv(script.args)}` : ''})`
}

/** The controller was not reached: no job was ever made after these (Slurm 22.05, measured). */
const NOT_REACHED = [
  /Unable to contact slurm controller \(connect failure\)/i,
  /Protocol authentication error/i,
  /Munge encode failed/i,
  /Slurm controller is in standby mode|slurm_persist_conn_open|Slurm backup controller/i,
]
/** The request is on its way: it may be carried out when the controller wakes. */
const IN_DOUBT = [
  /Socket timed out/i,
  /Unexpected message received|Zero Bytes were transmitted|Connection (?:reset|timed out)/i,
  /Interrupted/i,
]
/** Not now, but later: limits on what may be submitted, and a controller that asks to be left alone. */
const LATER = [/Resource temporarily unavailable/i, /Slurm temporarily unable to accept job/i, /AssocMaxSubmitJobLimit|QOSMaxSubmitJob/i]

const HINTS: readonly (readonly [RegExp, string])[] = [
  [/invalid partition/i, 'Name a partition of this cluster: option partition; drover target check shows them.'],
  [/Invalid account|account\/partition combination/i, 'Give an account that you may use (option account): sacctmgr show assoc user=$USER.'],
  [/Invalid qos/i, 'Give a QoS that your account has (option qos): sacctmgr show assoc user=$USER format=account,qos.'],
  [
    /Requested node configuration is not available/i,
    'No node has what is asked for: lower cpus, memory or GPUs per node, or choose another partition.',
  ],
  [
    /More processors requested than permitted|Node count specification invalid|too many nodes/i,
    'Ask for fewer nodes or cores, or choose a partition that allows more.',
  ],
  [/Requested time limit is invalid|time limit.*exceed/i, 'Lower timeout, or choose a partition with a longer limit.'],
  [/Invalid generic resource|Invalid GRES/i, 'The site names its GPUs otherwise: sinfo -o "%P %G" shows how.'],
  [/Job dependency problem/i, 'The job it is to wait for is not known to Slurm any more.'],
  [/Invalid feature specification/i, 'Correct the option constraint: sinfo -o "%P %f" shows the features.'],
  [/there is no script/i, 'Correct remote_script: it is a path on the cluster.'],
]

/** What sbatch said. A text that nobody knows is held to be in doubt, for the job is then looked for. */
export function parseSbatch({ code, stdout, stderr }: CommandOutcome): SubmitAnswer {
  const id = /^(\d+)(?:;\S+)?\s*$/m.exec(stdout)?.[1]
  if (code === 0 && id !== undefined) return { kind: 'accepted', id }
  const text = stderr.trim() || stdout.trim()
  const message = text.replace(/^sbatch: error: (?:Batch job submission failed: )?/gm, '').slice(0, 500)
  if (IN_DOUBT.some((each) => each.test(text)) || code === undefined || code > 128) return { kind: 'in_doubt', message }
  if ([...NOT_REACHED, ...LATER].some((each) => each.test(text))) return { kind: 'not_reached', message }
  if (!/sbatch: |drover: /.test(text)) return { kind: 'in_doubt', message: message || `sbatch ended with ${code} and said nothing` }
  const hint = HINTS.find(([pattern]) => pattern.test(text))?.[1]
  return { kind: 'refused', message, ...(hint === undefined ? {} : { hint }) }
}
