import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import type { CommandCall } from '../fake-commands/command-call.ts'
import { type Chunk, idOf, type PbsRequest } from './pbs-job.ts'
import { SERVER } from './pbs-options.ts'
import type { PbsServer } from './pbs-server.ts'
import { parseBegin, parseDurationMs } from './pbs-times.ts'
import { directiveWords, parseQsubWords, resourceParts } from './qsub-options.ts'

const USAGE = `usage: qsub [-a date_time] [-A account_string] [-c interval]
	[-C directive_prefix] [-e path] [-f ] [-h ] [-I [-X]] [-j oe|eo] [-J X-Y[:Z]]
	[-k keep] [-l resource_list] [-m mail_options] [-M user_list]
	[-N jobname] [-o path] [-p priority] [-P project] [-q queue] [-r y|n]
	[-R o|e|oe] [-S path] [-u user_list] [-W otherattributes=value...]
	[-v variable_list] [-V ] [-z] [script | -- command [arg1 ...]]
       qsub --version
`
/** Resources of a chunk that the server knows; ngpus only where a node has some. */
const CHUNK_RESOURCES = new Set(['ncpus', 'mem', 'mpiprocs', 'ompthreads', 'host', 'vnode', 'arch', 'vmem'])
const JOB_RESOURCES = new Set(['select', 'place', 'walltime', 'cput', 'mem', 'vmem', 'ncpus', 'software', 'nice', 'pcput', 'pmem'])

/** A refusal: text for stderr and the exit code. */
class Refusal extends Error {
  readonly code: number

  constructor(text: string, code: number) {
    super(text)
    this.code = code
  }
}

function memoryKb(text: string): number {
  const [, digits, unit = 'b'] = /^(\d+)(b|kb|mb|gb|tb)?$/i.exec(text) ?? []
  if (digits === undefined) throw new Refusal('qsub: Illegal attribute or resource value select.mem\n', 166)
  const factor = { b: 1 / 1024, kb: 1, mb: 1024, gb: 1024 ** 2, tb: 1024 ** 3 }[unit.toLowerCase()] ?? 1
  return Math.ceil(Number(digits) * factor)
}

function parseSelect(server: PbsServer, text: string): readonly Chunk[] {
  const hasGpus = server.settings.nodes.some((node) => node.ngpus > 0)
  return text.split('+').flatMap((part) => {
    const fields = part.split(':')
    const count = /^\d+$/.test(fields[0] ?? '') ? Number(fields.shift()) : 1
    const chunk = { ncpus: 1, ngpus: 0, memKb: 0, mpiprocs: 0 }
    for (const field of fields) {
      const [name = '', value = ''] = field.split('=')
      if (!CHUNK_RESOURCES.has(name) && !(name === 'ngpus' && hasGpus)) throw new Refusal(`qsub: Unknown resource: ${name}\n`, 187)
      if (name === 'mem') chunk.memKb = memoryKb(value)
      else if (name === 'ncpus' || name === 'ngpus' || name === 'mpiprocs') {
        if (!/^\d+$/.test(value)) throw new Refusal(`qsub: Illegal attribute or resource value select.${name}\n`, 166)
        chunk[name] = Number(value)
      }
    }
    return Array.from({ length: count }, () => chunk)
  })
}

function parseArray(server: PbsServer, text: string): PbsRequest['array'] {
  const [, first, last, step = '1', atOnce] = /^(\d+)-(\d+)(?::(\d+))?(?:%(\d+))?$/.exec(text) ?? []
  if (first === undefined || last === undefined || Number(first) >= Number(last)) throw new Refusal(`qsub: illegal -J value\n${USAGE}`, 2)
  const indices: number[] = []
  for (let index = Number(first); index <= Number(last); index += Number(step)) indices.push(index)
  if (indices.length > server.settings.maxArraySize) throw new Refusal('qsub: Array job exceeds server or queue size limit\n', 3)
  return { text: text.replace(/%.*$/, ''), indices, atOnce: atOnce === undefined ? undefined : Number(atOnce) }
}

function parseDepend(values: readonly string[]): PbsRequest['depend'] {
  return values.flatMap((value) => {
    const [, list] = /(?:^|,)depend=(.*)$/.exec(value) ?? []
    return (list ?? '')
      .split(',')
      .filter((part) => part !== '')
      .map((part) => {
        const [type = '', ...ids] = part.split(':')
        return { type, ids: ids.map((id) => (id.includes('.') ? id : `${id}.${SERVER}`)) }
      })
  })
}

/** Reads one submission; throws Refusal. */
function parseRequest(server: PbsServer, call: CommandCall, stdin: string): { readonly request: PbsRequest; readonly held: boolean } {
  const line = parseQsubWords(call.argv)
  if (line.invalid !== undefined) throw new Refusal(`qsub: invalid option -- '${line.invalid}'\n${USAGE}`, 2)
  const [path, ...args] = line.operands
  let script = stdin
  if (line.direct) script = ''
  else if (path !== undefined) {
    try {
      script = readFileSync(resolve(call.cwd, path), 'utf8')
    } catch {
      throw new Refusal('qsub: script file:: No such file or directory\n', 1)
    }
  }
  const head = parseQsubWords(directiveWords(script))
  const all = (name: string): readonly string[] => [...(head.options.get(name) ?? []), ...(line.options.get(name) ?? [])]
  const last = (name: string): string | undefined => line.options.get(name)?.at(-1) ?? head.options.get(name)?.at(-1)
  const name = last('N') ?? (line.direct || path === undefined ? 'STDIN' : (path.split('/').at(-1) ?? 'STDIN'))
  if (!/^[A-Za-z0-9_.+-]+$/.test(name)) throw new Refusal(`qsub: illegal -N value\n${USAGE}`, 2)
  if (name.length > 230) throw new Refusal('qsub: Job name is too long \n', 2)
  const queue = last('q') ?? server.settings.queues[0] ?? 'workq'
  if (!server.settings.queues.includes(queue)) throw new Refusal('qsub: Unknown queue\n', 170)
  const array = last('J') === undefined ? undefined : parseArray(server, last('J') ?? '')
  const resources = resourceParts(all('l'))
  for (const key of resources.keys()) if (!JOB_RESOURCES.has(key)) throw new Refusal(`qsub: Unknown resource: ${key}\n`, 187)
  const walltime = resources.get('walltime')
  const walltimeMs = walltime === undefined ? undefined : parseDurationMs(walltime)
  if (walltime !== undefined && walltimeMs === undefined)
    throw new Refusal('qsub: Illegal attribute or resource value Resource_List.walltime\n', 166)
  const select = resources.get('select') ?? '1:ncpus=1'
  const chunks = parseSelect(server, select)
  const now = server.clock.now()
  const begin = last('a')
  const beginMs = begin === undefined ? undefined : parseBegin(begin, now)
  if (begin !== undefined && beginMs === undefined) throw new Refusal(`qsub: illegal -a value\n${USAGE}`, 2)
  const number = server.nextNumber
  const file = (option: string, letter: string): string => {
    const given = last(option)?.replace(/^[^/]*:/, '')
    return resolve(call.cwd, given ?? `${name}.${letter}${number}${array ? '.^array_index^' : ''}`) + (given?.endsWith('/') ? '/' : '')
  }
  const own = Object.fromEntries(
    all('v').flatMap((value) =>
      value.split(',').map((part) => {
        const at = part.indexOf('=')
        return at < 0 ? [part, call.env[part] ?? ''] : [part.slice(0, at), part.slice(at + 1)]
      }),
    ),
  )
  const home = call.env['HOME'] ?? '/'
  const variables = {
    PBS_O_HOME: home,
    PBS_O_LANG: 'C.UTF-8',
    PBS_O_LOGNAME: server.settings.user,
    PBS_O_PATH: call.env['PATH'] ?? '/usr/bin:/bin',
    PBS_O_SHELL: '/bin/bash',
    PBS_O_WORKDIR: call.cwd,
    PBS_O_SYSTEM: 'Linux',
    PBS_O_QUEUE: queue,
    PBS_O_HOST: SERVER,
    ...(last('V') === undefined ? {} : call.env),
    ...own,
  }
  const interpreter = /^#!\s*(\S+)/.exec(script)?.[1]
  const request: PbsRequest = {
    name,
    script: line.direct ? `exec "$@"\n` : script,
    args: line.direct ? line.operands : args,
    shell: last('S') ?? interpreter ?? '/bin/sh',
    queue,
    account: last('A'),
    project: last('P') ?? '_pbs_project_default',
    priority: Number(last('p') ?? 0),
    rerunable: last('r') !== 'n',
    chunks,
    place: resources.get('place') ?? (chunks.length > 1 ? 'free' : 'pack'),
    resources: { select, ...(walltime === undefined ? {} : { walltime }) },
    walltimeMs,
    beginMs,
    outputPath: file('o', 'o'),
    errorPath: file('e', 'e'),
    join: last('j') ?? 'n',
    keep: last('k') ?? 'n',
    mailPoints: last('m') ?? 'a',
    depend: parseDepend(all('W')),
    variables,
    home,
    submitArguments: call.argv.join(' '),
    array,
  }
  return { request, held: head.options.has('h') || line.options.has('h') }
}

/** `qsub`. */
export async function qsub(server: PbsServer, call: CommandCall): Promise<number> {
  const hasScript = parseQsubWords(call.argv)
  const stdin = hasScript.operands.length === 0 && !hasScript.direct ? (await call.readStdin()).toString('utf8') : ''
  try {
    const { request, held } = parseRequest(server, call, stdin)
    call.out(`${idOf(server.submit(request, held))}\n`)
    return 0
  } catch (error) {
    if (!(error instanceof Refusal)) throw error
    // A number is used up by what the server itself refused.
    if (error.code > 100) server.nextNumber++
    call.err(error.message)
    return error.code
  }
}
