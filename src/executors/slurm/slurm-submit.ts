import { quoteArgv, quoteShell } from '../../driver/quote.ts'
import type { CommandOutcome, SubmitAnswer, SubmitScript } from '../batch/scheduler.ts'
import { WITHOUT_OWN } from './slurm-variables.ts'

/** Options that sites set for all jobs of a user by variables; a directive of the script stands above them. */
const DEFAULTS = ['account', 'partition', 'qos', 'reservation', 'constraint']

/**
 * Variables stand above the directives of a script (sbatch(1), INPUT ENVIRONMENT VARIABLES), and SBATCH_WAIT would wait for the
 * job's end. Those of a job in which Drover itself runs would reach the new job and its srun.
 */
const CLEAN = `[ "\${drover_clean-}" = yes ] || case $(export -p) in *SBATCH_* | *SLURM_*)
  for name in $(env | sed -n -e 's/^\\(SBATCH_[A-Za-z0-9_]*\\)=.*/\\1/p' -e 's/^\\(SLURM_[A-Za-z0-9_]*\\)=.*/\\1/p'); do
    case $name in SLURM_CONF* | ${DEFAULTS.map((name) => `SBATCH_${name.toUpperCase()}`).join(' | ')}) ;; *) unset "$name" ;; esac
  done
esac`

/** Looks once for all whether there is anything to clean. */
export const LOOK_FOR_VARIABLES = 'case $(export -p) in *SBATCH_* | *SLURM_*) drover_clean=no ;; *) drover_clean=yes ;; esac'

/** `sbatch` of our script, or of one that lies on the cluster already. */
export function sbatchCommand(script: SubmitScript): string {
  if (script.kind === 'ours') {
    const file = quoteShell(script.file)
    const given = DEFAULTS.map((name) => {
      const variable = `SBATCH_${name.toUpperCase()}`
      return `if [ "\${${variable}+set}" ] && grep -q '^#SBATCH --${name}=' ${file}; then unset ${variable}; fi`
    })
    return `${CLEAN}
[ "\${drover_clean-}" = yes ] || {
${given.join('\n')}
}
sbatch --parsable ${file}`
  }
  // A tilde is the home of whoever runs it there.
  const path = script.path.startsWith('~/') ? `"$HOME"/${quoteShell(script.path.slice(2))}` : quoteShell(script.path)
  const words = quoteArgv([`--job-name=${script.nativeName}`, ...script.options])
  const sbatch = `sbatch --parsable ${words} ${path}${script.args.length > 0 ? ` ${quoteArgv(script.args)}` : ''}`
  // A shell of its own: what runs after it must hear of the end.
  return `([ -f ${path} ] || { echo "drover: there is no script "${path} >&2; exit 2; }
unset SBATCH_WAIT SBATCH_CLUSTERS SLURM_CLUSTERS; cd "$(dirname ${path})" || exit
grep -Eq ${WAITS} ${path} || { ${sbatch}; exit; }
${withoutWaiting(sbatch, script.nativeName)})`
}

/** A directive by which sbatch itself lasts as long as the job. */
const WAITS = quoteShell('^#SBATCH(.*[[:space:]])?(--wait|-W)([[:space:]]|$)')

/**
 * sbatch that would wait for the job's end is left once Slurm knows the job, by its name: what it prints before that lies in a
 * buffer of its own. The job does not hear of it.
 */
function withoutWaiting(sbatch: string, nativeName: string): string {
  return `${sbatch} &
while kill -0 "$!" 2>/dev/null; do
  id=$(${WITHOUT_OWN}; squeue -h -t all -n ${quoteShell(nativeName)} -o %F | head -n 1)
  [ -z "$id" ] || { kill -KILL "$!"; echo "$id"; exit 0; }
  sleep 1
done
wait "$!"`
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
    /Memory specification can not be satisfied/i,
    'No node has so much memory: lower resources.memory (drover target check shows what nodes have), or choose another partition.',
  ],
  [/Access denied|not permitted to (?:use|access)|User's group/i, 'Choose a partition that you may use: option partition.'],
  [
    /Requested node configuration is not available/i,
    'No node has what is asked for: lower cpus, memory or GPUs per node, or choose another partition; sinfo -o "%P %c %m %G" shows what there is.',
  ],
  [
    /More processors requested than permitted|Node count specification invalid|too many nodes/i,
    'Ask for fewer nodes or cores, or choose a partition that allows more.',
  ],
  [/Requested time limit is invalid|time limit.*exceed/i, 'Lower timeout, or choose a partition with a longer limit.'],
  [/Invalid generic resource|Invalid GRES/i, 'The site names its GPUs otherwise: sinfo -o "%P %G" shows how.'],
  [/Job dependency problem/i, 'Correct the option dependency; a job named there may not be known to Slurm any more.'],
  [/Invalid feature specification/i, 'Correct the option constraint: sinfo -o "%P %f" shows the features.'],
  [/Requested reservation is invalid/i, 'Correct the option reservation: scontrol show reservation.'],
  [/Invalid node name/i, 'Correct the options nodelist and exclude: sinfo -N shows the nodes.'],
  [/Invalid license/i, 'Correct the option licenses: scontrol show licenses.'],
  [/Invalid job array/i, 'The site takes no such array: drover target check shows the longest.'],
  [/mutually exclusive/i, 'Leave out one of resources.memory and the options mem_per_cpu, mem_per_gpu.'],
  [/Pathname of a file, directory or other parameter too long/i, 'Shorten the longest option (comment: 1024 bytes at most).'],
  [/unrecognized option '--([^'=]+)/i, 'This version of Slurm does not have that option: leave it out.'],
  [/Invalid --([a-z-]+) specification/i, 'Correct that option: see man sbatch there.'],
  [
    /AssocGrp|QOSMax|QOSGrp|AssocMax|exceeds|violates accounting/i,
    'A limit of your account or QoS: ask for less, or use another account or QoS.',
  ],
  [/No cluster .* known|can't be reached now/i, 'Name a cluster that Slurm knows: sacctmgr list clusters.'],
  [/unrecognized --([a-z-]+) argument/i, 'Correct that option: see man sbatch there.'],
  [/there is no script|Unable to open file/i, 'Correct remote_script: it is a path on the cluster.'],
  [/does not look like a batch script|Batch script is empty/i, 'The script of remote_script must begin with #! and an interpreter.'],
  [/^sbatch: Job \d+ to start at /, 'The script asks only when it would start: take --test-only out of its #SBATCH lines.'],
  [/DOS line breaks/i, 'Convert the script on the cluster: sed -i "s/\\r$//".'],
]

/** What sbatch said. A text that nobody knows is held to be in doubt, for the job is then looked for. */
export function parseSbatch({ code, stdout, stderr }: CommandOutcome): SubmitAnswer {
  const id = /^(\d+)(?:;\S+)?\s*$/m.exec(stdout)?.[1]
  if (code === 0 && id !== undefined) return { kind: 'accepted', id }
  const text = stderr.trim() || stdout.trim()
  const message = text
    .replace(/^sbatch: error: (?:Batch job submission failed: )?/gm, '')
    .replaceAll('\n', '; ')
    .replace(/\.+$/, '')
    .slice(0, 500)
  // It ends with 255 when it refuses an option by itself, before it asks anybody; other codes of that size mean a signal.
  const killed = code === undefined || (code > 128 && code !== 255)
  if (IN_DOUBT.some((each) => each.test(text)) || killed) return { kind: 'in_doubt', message }
  if ([...NOT_REACHED, ...LATER].some((each) => each.test(text))) return { kind: 'not_reached', message }
  if (!/^(?:sbatch: |drover: )/m.test(text)) return { kind: 'in_doubt', message: message || `sbatch ended with ${code} and said nothing` }
  const hint = HINTS.find(([pattern]) => pattern.test(text))?.[1]
  return { kind: 'refused', message, ...(hint === undefined ? {} : { hint }) }
}
