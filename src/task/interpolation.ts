import { get, type Located, type LocatedMap, set } from './located.ts'

/** The keys whose values know `$NAME` and `${NAME}`; setup and run use real shell variables. */
const INTERPOLATED_KEYS = ['workdir', 'file_mounts', 'volumes', 'service'] as const
// SkyPilot (sky/task.py, _fill_in_env_vars) makes brace marks optional one by one, so `${X:-d}` with X=v gives `v:-d}`.
const REFERENCE = /\$\{?([a-zA-Z_][a-zA-Z0-9_]*)(?![\p{L}\p{N}_])\}?/gu

/** Replaces `$NAME` and `${NAME}`; an unknown name stays as it is. A backslash or a second `$` is no escape. */
export function interpolate(text: string, variables: Readonly<Record<string, string>>): string {
  return text.replace(REFERENCE, (whole, name: string) => (Object.hasOwn(variables, name) ? (variables[name] ?? whole) : whole))
}

function interpolateNode(node: Located, variables: Readonly<Record<string, string>>, contentDepth: number): Located {
  if (node.kind === 'list') return { ...node, items: node.items.map((item) => interpolateNode(item, variables, -1)) }
  if (node.kind === 'map') {
    const entries = node.entries.map((entry) => ({
      ...entry,
      key: interpolate(entry.key, variables),
      shownKey: entry.shownKey ?? entry.key,
      // The content of a file stays as it was written: a secret in it would lie open on the target.
      value: contentDepth === 0 && entry.key === 'text' ? entry.value : interpolateNode(entry.value, variables, contentDepth - 1),
    }))
    return { ...node, entries }
  }
  if (node.type !== 'string') return node
  const text = interpolate(node.text, variables)
  return { ...node, text, value: text }
}

/** The task with variables put into workdir, file_mounts (keys too), volumes and service. */
export function interpolateTask(task: LocatedMap, variables: Readonly<Record<string, string>>): LocatedMap {
  let result = task
  for (const key of INTERPOLATED_KEYS) {
    const value = get(task, key)
    if (value) result = set(result, key, interpolateNode(value, variables, key === 'file_mounts' ? 1 : -1))
  }
  return result
}
