import { accessSync, constants, readFileSync } from 'node:fs'
import type { CommandCall } from '../fake-commands/command-call.ts'
import { type GivenOption, OptionError, optionTable, parseOptions } from '../fake-slurm/command-options.ts'
import { PjmFailure } from './pjm-command.ts'
import { PJM_ENDED, type PjmJob, type PjmRequest, type StepDependency } from './pjm-job.ts'
import { type PjmState, viewOf } from './pjm-state.ts'
import { parseElapse } from './pjm-times.ts'

const OPTIONS = optionTable(
  `rsc-list=,L mpi= gname=,g name=,N output=,o error=,e join,j stats,s stats-nodes,S spath= export-all,X export=,x mail=,m mail-list=
  bulk step sparam= mswk interact at= only=,z restart norestart priority=,p policy=,P dir-prefix=,C script-delimiter= net-route= llio=
  omp= fs= no-check-directory no-stging wait,w help`,
)

const problem = (text: string): PjmFailure => new PjmFailure('0050', text)

/** Words of a directive line: blanks separate, double and single quotes hold together. */
function splitWords(line: string, comments: boolean): readonly string[] {
  const words: string[] = []
  for (const match of line.matchAll(/(?:"[^"]*"|'[^']*'|[^\s"'])+/g)) {
    if (match[0].startsWith('#')) {
      if (comments) break
      throw problem(`Invalid option: ${match[0]}`)
    }
    words.push(match[0].replaceAll(/"([^"]*)"|'([^']*)'/g, '$1$2'))
  }
  return words
}

function read(argv: readonly string[]): { readonly options: readonly GivenOption[]; readonly rest: readonly string[] } {
  try {
    return parseOptions(OPTIONS, argv, false)
  } catch (error) {
    if (error instanceof OptionError) throw problem(error.message)
    throw error
  }
}

/** `12`, `2x3x2:torus`, as a number of nodes and as pjstat prints it. */
function parseNodes(text: string): { readonly nodes: number; readonly nodeText: string } {
  const [, shape, policy] = /^(\d+(?:x\d+){0,2})((?::[a-z-]+)*)$/.exec(text) ?? []
  if (shape === undefined) throw problem(`Invalid value: node=${text}`)
  if (/:(?!torus|mesh|noncont|strict|strict-io)/.test(policy ?? '')) throw problem(`Invalid value: node=${text}`)
  const nodes = shape.split('x').reduce((product, each) => product * Number(each), 1)
  return { nodes, nodeText: shape.includes('x') ? `${nodes}:${shape}` : shape }
}

function pairs(values: readonly string[]): Readonly<Record<string, string>> {
  const found: Record<string, string> = {}
  for (const pair of values.flatMap((value) => value.split(','))) {
    const [, name, value] = /^\s*([a-z_-]+)(?:=(\S*))?$/.exec(pair) ?? []
    if (name === undefined) throw problem(`Invalid value: ${pair}`)
    found[name] = value ?? ''
  }
  return found
}

function parseStep(text: string): { readonly jid?: number; readonly sn?: number; readonly skip?: StepDependency } {
  const given = Object.fromEntries(
    text.split(/,(?=\s*(?:jid|sn|sd|jnam)=)/).map((pair) => {
      const at = pair.indexOf('=')
      return [pair.slice(0, at).trim(), pair.slice(at + 1).trim()]
    }),
  )
  const [, form, operator, values, remove, steps] =
    /^(ec|pc)(==|!=|<=|>=|<|>)([\d,]+)(?::(one|after|all)((?::\d+)*))?$/.exec(given['sd'] ?? '') ?? []
  if (given['sd'] !== undefined && form === undefined) throw problem(`Invalid value: sd=${given['sd']}`)
  const numbers = (steps ?? '')
    .split(':')
    .filter((each) => each !== '')
    .map(Number)
  return {
    ...(given['jid'] === undefined ? {} : { jid: Number(given['jid']) }),
    ...(given['sn'] === undefined ? {} : { sn: Number(given['sn']) }),
    ...(form === undefined
      ? {}
      : {
          skip: {
            form: form === 'pc' ? ('pc' as const) : ('ec' as const),
            operator: operator ?? '==',
            values: (values ?? '').split(',').map(Number),
            remove: (remove ?? 'one') as StepDependency['remove'],
            steps: numbers,
          },
        }),
  }
}

/** pjsub. Directives of the script, over them the command line [R]. */
export async function pjsub(state: PjmState, call: CommandCall): Promise<number> {
  const { settings } = state
  const line = read(call.argv)
  const [path, ...args] = line.rest
  const script = path === undefined ? (await call.readStdin()).toString('latin1') : readScript(call.cwd, path)
  const directives = script
    .split('\n')
    .filter((each) => /^#PJM\s/.test(each))
    .flatMap((each) => splitWords(Buffer.from(each.slice(4), 'latin1').toString(), settings.trailingComments))
  const own = read(directives)
  if (own.rest.length > 0) throw problem(`Invalid option: ${own.rest[0]}`)
  const options = [...own.options, ...line.options]
  const last = (name: string): string | undefined => options.findLast((each) => each.name === name)?.value
  const has = (name: string): boolean => options.some((each) => each.name === name)
  const all = (name: string): readonly string[] => options.filter((each) => each.name === name).map(({ value }) => value)

  const resources = { ...pairs(all('mpi')), ...pairs(all('rsc-list')) }
  const { nodes, nodeText } = parseNodes(resources['node'] ?? resources['vnode'] ?? '1')
  const rscgrp = resources['rscgrp'] ?? settings.rscgrps[0] ?? ''
  const elapseMs = resources['elapse'] === undefined ? settings.defaultElapseMs : parseElapse(resources['elapse'])
  const name = last('name') ?? path?.split('/').at(-1) ?? 'STDIN'
  const group = last('gname') ?? settings.user.group
  const sparam = last('sparam') ?? ''
  if (elapseMs === undefined) throw problem(`Invalid value: elapse=${resources['elapse']}`)
  if (Buffer.byteLength(name) > 63) throw problem('Job name is too long.')
  if (settings.groups && !settings.groups.includes(group))
    throw new PjmFailure('0071', `Group not authorized to submit a job: group(${group})`)
  if (!settings.rscgrps.includes(rscgrp)) throw new PjmFailure('0054', `rscgrp=${rscgrp} does not exist.`)
  if (nodes > settings.maxNodes) throw new PjmFailure('0057', `node=${nodes} is greater than the upper limit (${settings.maxNodes}).`)
  if (has('bulk') && !settings.bulkAllowed) throw new PjmFailure('0070', 'No execute permission: pjsub-bulk.')
  const live = [...state.jobs.values()].filter((job) => !job.isParent && !PJM_ENDED.has(job.word)).length
  if (live >= settings.acceptLimit) throw new PjmFailure('0072', `Job exceeded the accept limit (${settings.acceptLimit}).`)

  const exported = all('export').flatMap((text) => text.split(','))
  const request: PjmRequest = {
    name,
    script,
    args,
    cwd: call.cwd,
    env: {
      ...(has('export-all') ? call.env : {}),
      ...Object.fromEntries(exported.map((pair) => [pair.slice(0, pair.indexOf('=')), pair.slice(pair.indexOf('=') + 1)])),
    },
    nodes,
    nodeText,
    rscgrp,
    group,
    elapseMs,
    priority: last('priority') ?? '127',
    output: last('output'),
    error: last('error'),
    merged: has('join'),
    resources,
  }
  const id = has('step')
    ? submitStep(state, request, sparam)
    : has('bulk')
      ? submitBulk(state, request, sparam)
      : submitPlain(state, request)
  for (const text of settings.banner) call.out(`${text}\n`)
  call.out(last('only') === 'jid' ? `${id}\n` : `${settings.infoDot ? '[INFO.]' : '[INFO]'} PJM 0000 pjsub Job ${id} submitted.\n`)
  setImmediate(() => state.life.look())
  return 0
}

function readScript(cwd: string, path: string): string {
  const full = path.startsWith('/') ? path : `${cwd}/${path}`
  try {
    accessSync(full, constants.R_OK)
    return readFileSync(full, 'latin1')
  } catch {
    throw new PjmFailure('0021', `${path}: No such file or directory`)
  }
}

function add(state: PjmState, job: Pick<PjmJob, 'id' | 'publicId' | 'model' | 'number' | 'isParent' | 'request' | 'skip'>): void {
  const now = state.now()
  state.jobs.set(job.publicId, {
    ...job,
    word: !job.isParent && state.settings.holdRscgrps.includes(job.request.rscgrp) ? 'HLD' : 'QUE',
    last: 'ACC',
    ec: 0,
    pc: 0,
    sn: 0,
    reason: '-',
    acceptMs: now,
    startMs: undefined,
    endMs: undefined,
  })
}

function submitPlain(state: PjmState, request: PjmRequest): string {
  const id = state.nextId++
  add(state, { id, publicId: String(id), model: 'NM', number: undefined, isParent: false, request, skip: undefined })
  return String(id)
}

function submitBulk(state: PjmState, request: PjmRequest, sparam: string): string {
  const [, first, last] = /^(\d+)-(\d+)$/.exec(sparam) ?? []
  if (first === undefined || last === undefined || Number(last) < Number(first) || Number(last) > 999_999)
    throw problem(`Invalid value: sparam=${sparam}`)
  const id = state.nextId++
  add(state, { id, publicId: String(id), model: 'BU', number: undefined, isParent: true, request, skip: undefined })
  for (let number = Number(first); number <= Number(last); number++)
    add(state, { id, publicId: `${id}[${number}]`, model: 'BU', number, isParent: false, request, skip: undefined })
  return String(id)
}

function submitStep(state: PjmState, request: PjmRequest, sparam: string): string {
  const { jid, sn, skip } = parseStep(sparam)
  let id = jid
  if (id === undefined) {
    id = state.nextId++
    add(state, { id, publicId: String(id), model: 'ST', number: undefined, isParent: true, request, skip: undefined })
  } else {
    const parent = state.jobs.get(String(id))
    if (parent?.model !== 'ST' || viewOf(state, parent) !== 'active') throw problem(`Job ${id} does not exist.`)
  }
  const number = sn ?? [...state.jobs.values()].filter((job) => job.id === id && !job.isParent).length
  const publicId = `${id}_${number}`
  add(state, { id, publicId, model: 'ST', number, isParent: false, request, skip })
  return publicId
}
