import { quoteArgv, quoteShell } from '../../driver/quote.ts'
import type { CommandOutcome, SubmitAnswer, SubmitScript } from '../batch/scheduler.ts'

/** Comment line of our script with the options that guides show on pjsub's command line only. */
export const COMMAND_LINE_MARK = '#pjsub'

/** Ends with another code than 0 unless a job was made: some pjsub end with 0 after an error. stdin is closed, which pjsub would read. */
function honest(pjsub: string): string {
  return `(said=$(${pjsub} </dev/null); code=$?
printf '%s\\n' "$said"
case $code$said in 0*' submitted'*) exit 0 ;; 0*) exit 65 ;; esac
exit "$code")`
}

/** `pjsub` of our script, or of one that lies on the machine already. */
export function pjsubCommand(script: SubmitScript): string {
  if (script.kind === 'ours') {
    const file = quoteShell(script.file)
    return honest(`pjsub $(sed -n 's/^${COMMAND_LINE_MARK} //p' ${file}) ${file}`)
  }
  const path = script.path.startsWith('~/') ? `"$HOME"/${quoteShell(script.path.slice(2))}` : quoteShell(script.path)
  const words = quoteArgv(['-N', script.nativeName, ...script.options])
  const args = script.args.length === 0 ? '' : ` ${quoteArgv(script.args)}`
  // Options stand before the script: what follows it could be taken for them.
  return `{ [ -f ${path} ] || { echo "drover: there is no script "${path} >&2; (exit 2); }; } && (cd "$(dirname ${path})" && ${honest(`pjsub ${words} ${path}${args}`)})`
}

/** Accepted jobs are too many for now. */
const LATER = /PJM 0072\b|exceeded the accept limit/i
/** The manager was not heard; what it made of the request is not known. */
const IN_DOUBT = /communicat|time[d -]*out|does not respond|no response|connection|interrupted|temporar|internal error/i

const HINTS: readonly (readonly [RegExp, string])[] = [
  [/PJM 0057\b|greater than the upper limit/i, 'Ask for fewer nodes or less time, or choose another resource group (option rscgrp).'],
  [
    /No execute permission: pjsub-bulk/i,
    'The site allows no bulk jobs in this resource group: pack: all runs the elements of the array in one job.',
  ],
  [/PJM 0070\b/i, 'The resource group is not for batch jobs, or not for you: option rscgrp; pjacl shows your rights.'],
  [/PJM 0071\b|Group not authorized/i, 'Give a group that may submit: option group; pjacl shows your rights.'],
  [/not a data area/i, 'Put the root of the target on a data volume, or set the option check_directory: false.'],
  [/rscgrp/i, 'Correct the option rscgrp: pjstat --rsc shows the resource groups.'],
  [/there is no script/i, 'Correct remote_script: it is a path on the login node.'],
  [/not found/i, 'The login node must have pjsub, pjstat and pjdel on the PATH of a non-interactive shell.'],
]

/** What pjsub said. `submitted` in any line is the job's id; an error with it, or a text that nobody knows, is in doubt. */
export function parsePjsub({ code, stdout, stderr }: CommandOutcome): SubmitAnswer {
  const id = /pjsub Job (\d+(?:_\d+)?) submitted/.exec(stdout)?.[1]
  const text = `${stderr.trim()}\n${stdout.trim()}`.trim()
  const errors = text.split('\n').filter((line) => /^\[ERR\.?\]/.test(line))
  const message = (errors.join('; ') || text || `pjsub ended with ${code ?? 'no code'} and said nothing`).slice(0, 500)
  if (id !== undefined && code === 0 && errors.length === 0) return { kind: 'accepted', id }
  if (id !== undefined || code === undefined || code > 128) return { kind: 'in_doubt', message }
  if (LATER.test(text)) return { kind: 'not_reached', message }
  if (IN_DOUBT.test(text)) return { kind: 'in_doubt', message }
  const isRefusal = errors.length > 0 || code === 126 || code === 127 || /^drover: |not a data area/m.test(text)
  if (!isRefusal) return { kind: 'in_doubt', message }
  const hint = HINTS.find(([pattern]) => pattern.test(text))?.[1]
  return { kind: 'refused', message: message.replaceAll(/\[ERR\.?\] (?=PJM)/g, ''), ...(hint === undefined ? {} : { hint }) }
}
