import type { CommandCall } from '../fake-commands/command-call.ts'
import { idOf, isOver, type PbsJob } from './pbs-job.ts'
import { SERVER } from './pbs-options.ts'
import type { PbsServer } from './pbs-server.ts'
import { parseDurationMs } from './pbs-times.ts'
import { printNodes, printServer } from './server-attributes.ts'

const fullId = (id: string): string => (id.includes('.') ? id : `${id}.${SERVER}`)

/** Jobs meant by an operand: one, or the range of an array: `12[2-3].pbshead`. */
function meant(server: PbsServer, id: string): readonly PbsJob[] {
  const [, number, first, last] = /^(\d+)\[(\d+)-(\d+)\](?:\..*)?$/.exec(id) ?? []
  if (first === undefined) {
    const job = server.find(id)
    return job ? [job] : []
  }
  const array = server.find(`${number}[]`)
  return array?.subjobs.filter(({ index = -1 }) => index >= Number(first) && index <= Number(last)) ?? []
}

/** Runs `act` for each operand; what it cannot be done to is said as PBS says it. */
function each(server: PbsServer, call: CommandCall, ids: readonly string[], act: (job: PbsJob) => [number, string] | undefined): number {
  let code = 0
  const complain = (text: string, with_: number): void => {
    call.err(`${call.command}: ${text}\n`)
    code = with_
  }
  for (const id of ids) {
    if (!/^\d+(\[[\d-]*\])?(\..*)?$/.test(id)) {
      complain(`illegally formed job identifier: ${id}`, 1)
      continue
    }
    const jobs = meant(server, id).filter((job) => server.known(true).includes(job.parent ?? job))
    if (jobs.length === 0) complain(`Unknown Job Id ${fullId(id)}`, 153)
    for (const job of jobs) {
      if (job.state === 'F') complain(`Job has finished${call.command === 'qdel' || call.command === 'qsig' ? ` ${idOf(job)}` : ''}`, 35)
      else {
        const refused = act(job)
        if (refused) complain(refused[1], refused[0])
      }
    }
  }
  return code
}

/** Words without options; those in `withValue` take the next word. */
function operands(
  argv: readonly string[],
  withValue: string,
): { readonly options: ReadonlyMap<string, string>; readonly ids: readonly string[] } {
  const options = new Map<string, string>()
  const ids: string[] = []
  for (let at = 0; at < argv.length; at++) {
    const word = argv[at] ?? ''
    if (!word.startsWith('-')) ids.push(word)
    else options.set(word.slice(0, 2), withValue.includes(word[1] ?? ' ') ? word.slice(2) || (argv[++at] ?? '') : '')
  }
  return { options, ids }
}

/** `qdel`. Several ids of which one is unknown end the server, as they do on a real one. */
export function qdel(server: PbsServer, call: CommandCall, crash: () => void): number {
  const { options, ids } = operands(call.argv, 'W')
  if (ids.length === 0) {
    call.err('usage:\n\tqdel [-W force|suppress_email=X] [-x] job_identifier...\n\tqdel --version\n')
    return 2
  }
  if (ids.length > 1 && ids.some((id) => meant(server, id).length === 0)) {
    crash()
    return 0
  }
  if (options.has('-x')) {
    for (const id of ids) {
      const job = server.find(id)
      if (job && isOver(job)) {
        job.forgotten = true
        return 0
      }
    }
  }
  return each(server, call, ids, (job) => {
    server.remove(job)
    return undefined
  })
}

/** `qhold`: a hold of the user's; of the system's only by its administrators. */
export function qhold(server: PbsServer, call: CommandCall): number {
  const { options, ids } = operands(call.argv, 'h')
  return each(server, call, ids, (job) => {
    if (/[so]/.test(options.get('-h') ?? '')) return [159, `Unauthorized Request  ${idOf(job)}`]
    job.holds.add('u')
    server.settle(job)
    return undefined
  })
}

/** `qrls`. */
export function qrls(server: PbsServer, call: CommandCall): number {
  return each(server, call, operands(call.argv, 'h').ids, (job) => {
    job.holds.delete('u')
    server.settle(job)
    server.wake()
    return undefined
  })
}

/** `qalter`: name, limit, of waiting jobs; of running ones the name alone. */
export function qalter(server: PbsServer, call: CommandCall): number {
  const { options, ids } = operands(call.argv, 'aAcehjklmMNoprRSuWP')
  return each(server, call, ids, (job) => {
    const [, walltime] = /(?:^|,)walltime=([^,]*)/.exec(options.get('-l') ?? '') ?? []
    if (walltime !== undefined && job.stimeMs !== undefined) return [159, `Unauthorized Request  ${idOf(job)}`]
    if (walltime !== undefined) job.walltimeMs = parseDurationMs(walltime)
    job.name = options.get('-N') ?? job.name
    return undefined
  })
}

/** `qsig`. */
export function qsig(server: PbsServer, call: CommandCall): number {
  const { options, ids } = operands(call.argv, 's')
  const name = options.get('-s') ?? 'SIGTERM'
  const signal = /^(?:suspend|resume)$/.test(name) ? name : `SIG${name.replace(/^SIG/, '')}`
  return each(server, call, ids, (job) => {
    if (!/^(suspend|resume|SIG(TERM|INT|KILL|HUP|USR1|USR2|STOP|CONT))$/.test(signal))
      return [165, `Unknown/illegal signal name ${idOf(job)}`]
    return server.signal(job, signal as NodeJS.Signals | 'suspend' | 'resume')
      ? undefined
      : [168, `Request invalid for state of job ${idOf(job)}`]
  })
}

/** `qmgr -c 'list server …'`; changes are for its administrators. */
export function qmgr(server: PbsServer, call: CommandCall): number {
  const request = call.argv[call.argv.indexOf('-c') + 1] ?? ''
  const [, names] = /^\s*l(?:ist)?\s+s(?:erver)?\s*(\S*)\s*$/.exec(request) ?? []
  if (names === undefined) {
    call.err('qmgr obj= svr=default: Unauthorized Request \nqmgr: Error (15007) returned from server\n')
    return 159
  }
  call.out(printServer(server, 'qmgr', names === '' ? undefined : names.split(',')))
  return 0
}

/** `pbsnodes -a`. */
export function pbsnodes(server: PbsServer, call: CommandCall): number {
  call.out(printNodes(server))
  return 0
}

/** `pbs_tmrsh HOST PROGRAM ARG…`, inside a job: no shell, no stdin. */
export async function tmrsh(server: PbsServer, call: CommandCall): Promise<number> {
  const [host = '', ...words] = call.argv
  const id = call.env['PBS_JOBID'] ?? ''
  const job = server.find(id)
  if (!job?.hosts.includes(host)) {
    call.err(`pbs_tmrsh: host "${host}" is not a node in job <${id}>\n`)
    return 255
  }
  const to = { out: (bytes: Buffer) => call.write('out', bytes), err: (bytes: Buffer) => call.write('err', bytes) }
  return server.runTask(job, host, words, to, (end) => call.onGone(end))
}
