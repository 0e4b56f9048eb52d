import { parseAccelerator, parseCpus, parseMemory } from './amounts.ts'
import { parseDuration } from './durations.ts'
import { get, type Located, type LocatedMap, refusal, set, toPlain, without } from './located.ts'
import { memoryFactor } from './resource-shapes.ts'
import { parseSize } from './sizes.ts'
import type { AcceleratorChoice, Amount, AutostopSpec, ResourceCandidate, ResourcesSpec } from './task-spec.ts'

/** SkyPilot's idle time where `autostop` names none: 5 minutes. */
const AUTOSTOP_DEFAULT_MS = 5 * 60_000
const MINUTE_MS = 60_000

const scalarValue = (node: Located | undefined): string | number | undefined =>
  node?.kind === 'scalar' && (typeof node.value === 'string' || typeof node.value === 'number') ? node.value : undefined

/**
 * Reads checked `resources`. Keys outside `any_of`/`ordered` are defaults of every candidate; labels are merged. `gpus`
 * is another name of `accelerators`.
 *
 * @throws InputError `invalid_task` where keys exclude each other
 */
export function readResources(node: LocatedMap | undefined): ResourcesSpec {
  if (!node) return { ordered: false, candidates: [{ accelerators: [], acceleratorsOrdered: false, raw: {} }] }
  const anyOf = get(node, 'any_of')
  const ordered = get(node, 'ordered')
  if (anyOf && ordered) throw refusal('resources', ordered.origin, 'has any_of and ordered; they exclude each other')
  const base = withoutAlias(without(node, ['any_of', 'ordered']), 'resources')
  const alternatives = anyOf ?? ordered
  if (alternatives?.kind !== 'list') return { ordered: false, candidates: [readCandidate(base, 'resources')] }
  const kind = ordered ? 'ordered' : 'any_of'
  const candidates = alternatives.items.map((item, index) => {
    const path = `resources.${kind}[${index}]`
    return readCandidate(merge(base, withoutAlias(item as LocatedMap, path)), path)
  })
  return { ordered: ordered !== undefined, candidates }
}

function withoutAlias(node: LocatedMap, path: string): LocatedMap {
  const gpus = get(node, 'gpus')
  if (!gpus) return node
  if (get(node, 'accelerators')) throw refusal(path, gpus.origin, 'has gpus and accelerators; they are the same', 'Keep one of them.')
  return set(without(node, ['gpus']), 'accelerators', gpus)
}

function merge(base: LocatedMap, own: LocatedMap): LocatedMap {
  let result: LocatedMap = { ...base, origin: own.origin }
  for (const { key, value } of own.entries) {
    const common = get(base, key)
    if (key !== 'labels' || common?.kind !== 'map' || value.kind !== 'map') result = set(result, key, value)
    else
      result = set(
        result,
        key,
        value.entries.reduce((labels, label) => set(labels, label.key, label.value), common),
      )
  }
  return result
}

function readCandidate(node: LocatedMap, path: string): ResourceCandidate {
  if (get(node, 'infra')) {
    const legacy = ['cloud', 'region', 'zone'].filter((key) => get(node, key))
    if (legacy.length > 0) throw refusal(path, node.origin, `has infra and ${legacy.join(', ')}; they exclude each other`, 'Keep infra.')
  }
  const acceleratorsNode = get(node, 'accelerators')
  const cpus = scalarValue(get(node, 'cpus'))
  const cpuAmount = cpus === undefined ? undefined : parseCpus(cpus)
  const memoryBytes = readMemory(get(node, 'memory'), cpuAmount, path)
  const disk = scalarValue(get(node, 'disk_size') ?? get(node, 'ephemeral_storage'))
  const diskSizeBytes = disk === undefined ? undefined : parseSize(disk)
  const priority = scalarValue(get(node, 'priority'))
  const autostopNode = get(node, 'autostop')
  return {
    ...(cpuAmount === undefined ? {} : { cpus: cpuAmount }),
    ...(memoryBytes === undefined ? {} : { memoryBytes }),
    accelerators: readAccelerators(acceleratorsNode),
    acceleratorsOrdered: acceleratorsNode?.kind === 'list',
    ...(diskSizeBytes === undefined ? {} : { diskSizeBytes }),
    ...(priority === undefined ? {} : { priority: Number(priority) }),
    ...(autostopNode === undefined ? {} : { autostop: readAutostop(autostopNode) }),
    raw: toPlain(node) as Record<string, unknown>,
  }
}

function readMemory(node: Located | undefined, cpus: Amount | undefined, path: string): Amount | undefined {
  const value = scalarValue(node)
  if (node === undefined || value === undefined) return undefined
  const factor = memoryFactor(value)
  if (!factor) return parseMemory(value)
  if (!cpus)
    throw refusal(
      `${path}.memory`,
      node.origin,
      `"${value}" is GB per CPU, but the task names no cpus`,
      'Add cpus, or give the memory in GB.',
    )
  return { value: Math.round(factor.perCpu * cpus.value * 1024 ** 3), atLeast: factor.atLeast || cpus.atLeast }
}

function readAccelerators(node: Located | undefined): readonly AcceleratorChoice[] {
  const choices: (AcceleratorChoice | undefined)[] = []
  // A number alone is Drover's own form: so many of whatever there is.
  if (node?.kind === 'scalar' && /^\d+$/.test(node.text)) return node.text.match(/[1-9]/) ? [{ type: '*', count: Number(node.text) }] : []
  if (node?.kind === 'scalar') choices.push(parseAccelerator(node.text))
  if (node?.kind === 'list') for (const item of node.items) choices.push(item.kind === 'scalar' ? parseAccelerator(item.text) : undefined)
  if (node?.kind === 'map') {
    for (const { key, value } of node.entries) {
      const count = scalarValue(value)
      const choice = count === undefined ? parseAccelerator(key) : parseAccelerator(key, Number(count))
      if (!choice) throw refusal(`resources.accelerators.${key}`, value.origin, 'has two counts', 'Write H100: 8 or H100:8.')
      choices.push(choice)
    }
  }
  return choices.filter((choice) => choice !== undefined)
}

/** SkyPilot: `true` and a mapping without time mean 5 minutes, a negative number means never. */
function readAutostop(node: Located): AutostopSpec {
  const plain = { down: false, waitFor: 'jobs_and_ssh' } as const
  if (node.kind === 'map') {
    const minutes = scalarValue(get(node, 'idle_minutes'))
    const down = get(node, 'down')
    const waitFor = scalarValue(get(node, 'wait_for'))
    return {
      enabled: true,
      idleMs: minutes === undefined ? AUTOSTOP_DEFAULT_MS : Number(minutes) * MINUTE_MS,
      down: down?.kind === 'scalar' && down.value === true,
      waitFor: waitFor === undefined ? plain.waitFor : (String(waitFor).toLowerCase() as AutostopSpec['waitFor']),
    }
  }
  const value = node.kind === 'scalar' ? node.value : null
  if (value === true) return { ...plain, enabled: true, idleMs: AUTOSTOP_DEFAULT_MS }
  if (value === false || value === null || (typeof value === 'number' && value < 0)) return { ...plain, enabled: false }
  return { ...plain, enabled: true, idleMs: parseDuration(value, MINUTE_MS) ?? AUTOSTOP_DEFAULT_MS }
}
