import { isSettled } from '../task/states.ts'
import type { Job } from './drover.ts'

/** What exit codes mean that a shell or the kernel gives (POSIX 2.8.2; signal numbers of Linux and macOS alike). */
const CODE_MEANINGS: Readonly<Record<number, string>> = {
  126: 'a command was found but could not be executed: is it executable, and for this kind of machine?',
  127: 'a command was not found: is it on PATH there?',
  129: 'it was hung up (HUP)',
  130: 'it was interrupted (INT)',
  131: 'it was ended with QUIT',
  132: 'an instruction is unknown to the processor (ILL)',
  134: 'it aborted itself (ABRT)',
  135: 'a bus error (on macOS: EMT)',
  136: 'an arithmetic error (FPE)',
  137: 'it was killed (KILL)',
  139: 'segmentation fault (SEGV)',
  141: 'it wrote into a pipe that nobody read any more (PIPE)',
  143: 'it was asked to end (TERM)',
  152: 'it used up its CPU time limit (XCPU)',
  153: 'a file grew beyond its size limit (XFSZ)',
}

/** How a settled job ended, in one or two sentences; undefined while it is live. */
export function describeEnd(job: Job): string | undefined {
  if (!isSettled(job.state)) return undefined
  const title = `Job ${job.id} (${job.name})`
  const message = job.cause?.message ?? ''
  switch (job.state) {
    case 'succeeded':
      return `${title} succeeded${what(job)}.`
    case 'cancelled':
      return `${title} was cancelled${job.cause?.by ? ` by ${job.cause.by}` : ''}${message === '' ? '' : `: ${message}`}.`
    case 'lost':
      return `${title} is lost: ${message || 'nobody knows how it ended'}. It is neither a success nor a failure until there is proof.`
    default:
      return `${title} failed: ${message || (job.cause?.kind ?? 'the cause is not on record')}${meaning(job)}${peers(job)}${tried(job)}.`
  }
}

/** What a person can do about it. */
export function nextStepAfterEnd(job: Job): string {
  const { id, cause } = job
  const retry = job.elements ? `drover retry ${id} --failed` : `drover retry ${id}`
  switch (job.state) {
    case 'succeeded':
      return `drover logs ${id} shows its output.`
    case 'cancelled':
      return `drover retry ${id} runs it again.`
    case 'lost':
      return `Look at its output (drover logs ${id}); then say how it ended: drover settle ${id} --as failed|succeeded|cancelled --reason TEXT.`
  }
  switch (cause?.kind) {
    case 'setup':
      return `drover logs ${id} --stream setup shows why; mend it, then: ${retry}.`
    case 'driver':
      return `drover logs ${id} --stream driver shows what Drover's own program said; then: ${retry}.`
    case 'timeout':
      return `Give it a longer timeout, or see where it hung: drover logs ${id}${part(job)}.`
    case 'out_of_memory':
      return `Ask for more memory (resources.memory) in the task and submit it again; drover logs ${id}${part(job)} shows how far it came.`
    case 'dependency':
      return `Mend the job it depends on (drover explain ${job.after[0]?.job ?? 'JOB'}), then: ${retry}.`
    case 'rejected':
      return `The target refused it: change the task and submit it again, or check the target: drover target check ${job.target}.`
    case 'image':
      return `drover logs ${id} --stream setup shows what the container runtime said; mend that, then: ${retry}.`
    case 'staging':
      return `Check the target (drover target check ${job.target}), then: ${retry}.`
    case 'node_failure':
    case 'preempted':
      return `The script is not to blame: ${retry}.`
    default:
      return `drover logs ${id}${part(job)} shows its output; then: ${retry}.`
  }
}

/** Which part of the output matters. */
function part({ cause, ranks }: Job): string {
  if (cause?.element !== undefined) return ` -e ${cause.element}`
  return cause?.rank !== undefined && ranks.length > 1 ? ` -r ${cause.rank}` : ''
}

function meaning({ cause }: Job): string {
  if (cause?.code === undefined || cause.kind === 'timeout' || cause.kind === 'out_of_memory') return ''
  const text = CODE_MEANINGS[cause.code]
  return text === undefined ? '' : ` (${cause.code}: ${text})`
}

function peers(job: Job): string {
  const count = job.ranks.filter((rank) => rank.killed_by_peer).length
  return count === 0 ? '' : `; ${count} other rank${count === 1 ? ' was' : 's were'} stopped because of it`
}

function tried(job: Job): string {
  return job.attempt > 1 ? `; this was attempt ${job.attempt}` : ''
}

function what(job: Job): string {
  if (job.elements) return `: all ${job.elements.total} elements ended with 0`
  return job.ranks.length > 1 ? `: all ${job.ranks.length} ranks ended with 0` : ': its script ended with 0'
}
