type Secrets = Readonly<Record<string, string>>

const mark = (name: string): string => `<secret ${name}>`

/** A copy in which every text has its name in place of a secret's value: paths with a secret in them are stored so. */
export function hideSecrets<T>(value: T, secrets: Secrets): T {
  // Longer values first: one may be part of another.
  const pairs = Object.entries(secrets)
    .filter(([, text]) => text !== '')
    .sort(([, a], [, b]) => b.length - a.length)
    .map(([name, text]) => [text, mark(name)] as const)
  return pairs.length === 0 ? value : replaceTexts(value, pairs)
}

/** The inverse of `hideSecrets`. */
export function showSecrets<T>(value: T, secrets: Secrets): T {
  const pairs = Object.entries(secrets).map(([name, text]) => [mark(name), text] as const)
  return pairs.length === 0 ? value : replaceTexts(value, pairs)
}

function replaceTexts<T>(value: T, pairs: readonly (readonly [string, string])[]): T
function replaceTexts(value: unknown, pairs: readonly (readonly [string, string])[]): unknown {
  if (typeof value === 'string') return pairs.reduce((text, [from, to]) => text.replaceAll(from, () => to), value)
  if (Array.isArray(value)) return value.map((item: unknown) => replaceTexts(item, pairs))
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [replaceTexts(key, pairs), replaceTexts(item, pairs)]))
}
