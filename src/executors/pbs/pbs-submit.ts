import { quoteArgv, quoteShell } from '../../driver/quote.ts'
import type { CommandOutcome, SubmitAnswer, SubmitScript } from '../batch/scheduler.ts'

/**
 * Before a script that waits for others: whether PBS still knows them. `afterok` on a job that is forgotten (where no history
 * is kept: on any that has ended) would be accepted, and end without a run. Exits with 75 where one is gone.
 */
const UPSTREAMS_ARE_KNOWN = `for drover_one in $(sed -n 's/^#PBS -W depend=//p' "$drover_script" | tr ',:' '\\n\\n' | grep '^[0-9]'); do
  qstat -x "$drover_one" 2>&1 | grep -q 'not configured to maintain' || continue
  qstat "$drover_one" >/dev/null 2>&1 && continue
  echo "drover: PBS keeps no history, and job $drover_one, which this one is to wait for, has just ended" >&2
  exit 75
done`

/** `qsub` of our script, or of one that lies on the cluster already. */
export function qsubCommand(script: SubmitScript): string {
  if (script.kind === 'ours')
    return `(drover_script=${quoteShell(script.file)}\n${UPSTREAMS_ARE_KNOWN}\nexec qsub ${quoteShell(script.file)})`
  // A tilde is the home of whoever runs it there.
  const path = script.path.startsWith('~/') ? `"$HOME"/${quoteShell(script.path.slice(2))}` : quoteShell(script.path)
  const words = quoteArgv(['-N', script.nativeName, ...script.options])
  return `([ -f ${path} ] || { echo "drover: there is no script "${path} >&2; exit 2; }; cd "$(dirname ${path})" && exec qsub ${words} ${path})`
}

/** The server was not reached: no job was ever made after these (OpenPBS 23.06.06). */
const NOT_REACHED = [
  /cannot connect to server/i,
  /Couldn't connect to cluster/i,
  /Connection refused|No route to host|Unknown Host/i,
  /No free connections/i,
  /qsub: (?:command )?not found|not found.*qsub/i,
  /^drover: PBS keeps no history/m,
]
/** Not now, but later: limits on what may wait. */
const LATER = [
  /would exceed .*limit/i,
  /Maximum number of jobs already in queue/i,
  /Queue is full|Queue already full|Server shutting down/i,
]
/** The request is on its way: it may be carried out when the server wakes. */
const IN_DOUBT = [
  /End of File|Communication failure|Premature end|Protocol|Connection (?:reset|timed out)|Broken pipe|Interrupted|Batch protocol error|internal error/i,
]

const HINTS: readonly (readonly [RegExp, string])[] = [
  [/Unknown queue/i, 'Name a queue of this server: option queue; drover target check shows them.'],
  [/Unknown resource: n?gpus?/i, 'The site counts its GPUs under another name: option gpu_resource; pbsnodes -a shows it.'],
  [/Unknown resource/i, 'Correct options select and native.l: pbsnodes -a shows the resources of nodes.'],
  [/Illegal attribute or resource value/i, 'Correct the option that the message names.'],
  [
    /violates queue and\/or server resource limits|exceeds? .*resources_max|Job violates/i,
    'Lower timeout, nodes, cores or memory, or choose another queue.',
  ],
  [
    /Unauthorized Request|Access .*denied|not permitted|No Permission/i,
    'The queue is not open to you: choose another, or set the options account, project or group_list.',
  ],
  [/Queue is not enabled/i, 'The queue takes no jobs: choose another, or wait.'],
  [/Invalid account|account/i, 'Give an account that you may use: option account.'],
  [/Array job exceeds/i, 'Use pack, so that the array has fewer subjobs.'],
  [/there is no script/i, 'Correct remote_script: it is a path on the cluster.'],
]

/** What qsub said. PBS's own codes are its error numbers less 14848; a text that nobody knows is held to be in doubt, for the job is then looked for. */
export function parseQsub({ code, stdout, stderr }: CommandOutcome): SubmitAnswer {
  const id = /^(\d+(?:\[\])?\.\S+)\s*$/m.exec(stdout)?.[1]
  if (code === 0 && id !== undefined) return { kind: 'accepted', id }
  const text = stderr.trim() || stdout.trim()
  const message = text
    .replace(/^qsub: /gm, '')
    // After a bad option qsub prints all it knows.
    .replace(/\nusage: [\s\S]*$/, '')
    .slice(0, 500)
  if ([...NOT_REACHED, ...LATER].some((each) => each.test(text))) return { kind: 'not_reached', message }
  // 124 is timeout's, 125 to 151 mean signals: PBS's own begin at 152.
  const cutOff = code === undefined || (code >= 124 && code < 152)
  if (cutOff || IN_DOUBT.some((each) => each.test(text)))
    return { kind: 'in_doubt', message: message || `qsub ended with ${code ?? 'no code'} and said nothing` }
  if (!/^(?:qsub|drover): /m.test(text)) return { kind: 'in_doubt', message: message || `qsub ended with ${code} and said nothing` }
  const hint = HINTS.find(([pattern]) => pattern.test(text))?.[1]
  return { kind: 'refused', message, ...(hint === undefined ? {} : { hint }) }
}
