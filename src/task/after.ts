import { get, type Located, type LocatedMap, nodeText, type Origin, quote, refusal } from './located.ts'
import { nearestName } from './nearest-name.ts'
import type { AfterSpec } from './task-spec.ts'

/** An `after` entry with its origin, for messages about the whole file. */
export interface LocatedAfter extends AfterSpec {
  readonly origin: Origin
}

const CONDITIONS: readonly string[] = ['ok', 'any', 'failed']
const JOB_ID = /^job:[A-Za-z0-9][A-Za-z0-9._-]*$/

/** Reads a checked `after`: a name, a list of names, `{task, condition}` or `{name: condition}`, or one such mapping. */
export function readAfter(node: Located): readonly LocatedAfter[] {
  if (node.kind === 'list') return node.items.flatMap(readAfter)
  if (node.kind === 'scalar') return [{ task: node.text, condition: 'ok', origin: node.origin }]
  const task = get(node, 'task')
  if (task?.kind === 'scalar' && node.entries.every(({ key }) => key === 'task' || key === 'condition')) {
    if (node.entries.length > 1 || !CONDITIONS.includes(task.text)) {
      const condition = get(node, 'condition')
      return [{ task: task.text, condition: readCondition(condition, node), origin: task.origin }]
    }
  }
  return node.entries.map(({ key, keyOrigin, value }) => ({ task: key, condition: readCondition(value, node), origin: keyOrigin }))
}

function readCondition(node: Located | undefined, owner: LocatedMap): AfterSpec['condition'] {
  const text = nodeText(node) ?? 'ok'
  if (text === 'ok' || text === 'any' || text === 'failed') return text
  throw refusal('after', node?.origin ?? owner.origin, `the condition ${quote(text)} is not allowed`, `Allowed: ${CONDITIONS.join(', ')}.`)
}

/** Reads `--after`: `NAME` or `NAME=CONDITION`. What no task of the file is called is a job's id. */
export function readAfterFlags(flags: readonly string[], names: ReadonlySet<string>): readonly LocatedAfter[] {
  const origin = { flag: '--after' }
  return flags.map((flag) => {
    const [name = '', condition = 'ok', ...rest] = flag.split('=')
    if (!CONDITIONS.includes(condition) || rest.length > 0 || name === '') {
      throw refusal('', origin, `${quote(flag)} is not allowed`, 'Allowed: NAME, NAME=ok, NAME=any, NAME=failed.')
    }
    const task = names.has(name) || name.startsWith('job:') ? name : `job:${name}`
    return { task, condition: condition as AfterSpec['condition'], origin }
  })
}

/**
 * Checks every upstream of a file: it exists (or is `job:<id>`), is named once, is not the task itself, and no chain
 * leads back to its start.
 *
 * @throws InputError `invalid_task` that shows the chain: `a after b after a`
 */
export function checkGraph(tasks: ReadonlyMap<string, readonly LocatedAfter[]>): void {
  for (const [name, upstreams] of tasks) {
    const seen = new Set<string>()
    for (const { task, origin } of upstreams) {
      if (seen.has(task)) throw refusal('after', origin, `${quote(task)} is named twice`)
      seen.add(task)
      if (task === name) throw refusal('after', origin, `the task ${quote(name)} waits for itself`)
      if (tasks.has(task)) continue
      if (!task.startsWith('job:')) {
        const names = [...tasks.keys()].filter((one) => one !== '')
        const near = nearestName(task, names)
        const all = names.length === 0 ? 'No task of this file has a name.' : `Tasks of this file: ${names.join(', ')}.`
        const hint = near === undefined ? `${all} An earlier job is named job:ID.` : `Did you mean "${near}"?`
        throw refusal('after', origin, `no task of this file is called ${quote(task)}`, hint)
      }
      if (!JOB_ID.test(task)) throw refusal('after', origin, `${quote(task)} is not a job`, 'Write job:ID.')
    }
  }
  const done = new Set<string>()
  for (const start of tasks.keys()) {
    // An explicit stack: a file may chain more tasks than calls fit on the real one.
    const chain: { name: string; next: number }[] = [{ name: start, next: 0 }]
    const onChain = new Set([start])
    while (chain.length > 0) {
      const top = chain[chain.length - 1] as { name: string; next: number }
      const upstream = done.has(top.name) ? undefined : tasks.get(top.name)?.[top.next++]
      if (upstream === undefined) {
        done.add(top.name)
        onChain.delete(top.name)
        chain.pop()
      } else if (onChain.has(upstream.task)) {
        const names = chain.map((link) => link.name)
        const circle = [...names.slice(names.indexOf(upstream.task)), upstream.task]
        throw refusal('after', upstream.origin, `the tasks wait for each other: ${circle.join(' after ')}`)
      } else if (tasks.has(upstream.task)) {
        chain.push({ name: upstream.task, next: 0 })
        onChain.add(upstream.task)
      }
    }
  }
}
