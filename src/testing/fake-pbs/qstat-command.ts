import type { CommandCall } from '../fake-commands/command-call.ts'
import { attributesOf } from './job-attributes.ts'
import { idOf, type PbsJob } from './pbs-job.ts'
import { PBS_VERSION, SERVER } from './pbs-options.ts'
import type { PbsServer } from './pbs-server.ts'
import { printDsv, printJson, printTable, printText, type ShownJob } from './qstat-formats.ts'
import { printServer } from './server-attributes.ts'

const USAGE = `usage: 
qstat [-f] [-J] [-p] [-t] [-x] [-E] [-F format | -w] [-D delim] [ job_identifier... | destination... ]
qstat [-a|-i|-r|-H|-T] [-J] [-t] [-u user] [-n] [-s] [-G|-M] [-1] [-w]
	[ job_identifier... | destination... ]
qstat -Q [-f] [-F format] [-D delim] [ destination... ]
qstat -q [-G|-M] [ destination... ]
qstat -B [-f] [-F format] [-D delim] [ server_name... ]
qstat --version
`

interface Words {
  readonly flags: ReadonlySet<string>
  readonly format: string | undefined
  readonly delimiter: string | undefined
  readonly ids: readonly string[]
}

function parseWords(argv: readonly string[]): Words {
  const flags = new Set<string>()
  const ids: string[] = []
  let [format, delimiter]: (string | undefined)[] = []
  for (let at = 0; at < argv.length; at++) {
    const word = argv[at] ?? ''
    if (!/^-./.test(word)) {
      ids.push(word)
      continue
    }
    for (let letter = 1; letter < word.length; letter++) {
      const name = word[letter] ?? ''
      flags.add(name)
      if (name !== 'F' && name !== 'D' && name !== 'u') continue
      const value = word.slice(letter + 1) || (argv[++at] ?? '')
      if (name === 'F') format = value
      if (name === 'D') delimiter = value
      break
    }
  }
  return { flags, format, delimiter, ids }
}

/** What is found by the ids, what is said of those that are not, and the code of the last of these. */
function select(
  server: PbsServer,
  { flags, format, ids }: Words,
): { readonly jobs: readonly PbsJob[]; readonly complaints: string; readonly code: number } {
  const history = flags.has('x')
  if (history && !server.history) {
    const lines = (ids.length === 0 ? [''] : ids).map((id) => `qstat: PBS is not configured to maintain job history ${id}\n`)
    return { jobs: [], complaints: lines.join(''), code: 0 }
  }
  const known = server.known(history)
  const jobs: PbsJob[] = []
  let [complaints, code] = ['', 0]
  const complain = (text: string, with_: number): void => {
    complaints += `qstat: ${text}\n`
    code = with_
  }
  for (const id of ids) {
    const [, number, , domain] = /^(\d+)(\[\d*\])?(?:\.(.*))?$/.exec(id) ?? []
    if (number === undefined) complain(`Unknown queue destination ${id}`, 170)
    else if (domain !== undefined && domain !== SERVER) complain(`illegally formed job identifier: ${id}`, 1)
    else {
      const job = server.find(id)
      const whole = job?.parent ?? job
      const full = domain === undefined ? `${id}.${SERVER}` : id
      if (!job || !whole || (history && !known.includes(whole))) complain(`Unknown Job Id ${full}`, 153)
      else if (!known.includes(whole)) complain(`${full} Job has finished, use -x or -H to obtain historical job information`, 35)
      else jobs.push(job)
    }
  }
  if (ids.length === 0) return { jobs: known, complaints, code }
  // The later build prints the first of several jobs alone, in JSON.
  const first = server.settings.build === 'head' && format === 'json' ? jobs.slice(0, 1) : jobs
  return { jobs: first, complaints, code }
}

/** `qstat`. */
export function qstat(server: PbsServer, call: CommandCall): number {
  if (call.argv.includes('--version')) {
    call.out(`pbs_version = ${PBS_VERSION}\n`)
    return 0
  }
  const words = parseWords(call.argv)
  const { flags, format } = words
  if (flags.has('f') && flags.has('u')) {
    call.err(`qstat: conflicting options.\n${USAGE}`)
    return 2
  }
  if (flags.has('B') || flags.has('Q')) {
    call.out(printServer(server, flags.has('B') ? 'server' : 'queues'))
    return 0
  }
  const { jobs, complaints, code } = select(server, words)
  const listed = flags.has('t') ? jobs.flatMap((job) => [job, ...job.subjobs]) : jobs
  const now = server.clock.now()
  const shown = listed.map((job): ShownJob => ({ id: idOf(job), attributes: attributesOf(job, server.settings.user, now) }))
  if (!flags.has('f')) call.out(printTable(shown))
  else if (format === 'json') call.out(printJson(shown, server.settings.build, now))
  else if (format === 'dsv') call.out(printDsv(shown, words.delimiter))
  else call.out(printText(shown, flags.has('w')))
  if (complaints !== '') call.err(complaints)
  return code
}

/** `qselect`: ids, one a line; `-x` of finished jobs too, `-N` by name. */
export function qselect(server: PbsServer, call: CommandCall): number {
  const { argv } = call
  const name = argv[argv.indexOf('-N') + 1]
  const user = argv[argv.indexOf('-u') + 1]
  for (const job of server.known(argv.includes('-x'))) {
    if (argv.includes('-N') && job.name !== name) continue
    if (argv.includes('-u') && user !== server.settings.user) continue
    call.out(`${idOf(job)}\n`)
  }
  return 0
}
