type Secrets = Readonly<Record<string, string>>

const mark = (name: string): string => `<secret ${name}>`

/** A copy in which every text has its name in place of a secret's value: paths with a secret in them are stored so. */
export function hideSecrets<T>(value: T, secrets: Secrets): T {
  return replaceTexts(value, new Map(Object.entries(secrets).map(([name, text]) => [text, mark(name)])))
}

/** The inverse of `hideSecrets`. */
export function showSecrets<T>(value: T, secrets: Secrets): T {
  return replaceTexts(value, new Map(Object.entries(secrets).map(([name, text]) => [mark(name), text])))
}

/** Replaces in one pass, so that what was put in is never taken for something to replace. */
function replaceTexts<T>(value: T, texts: ReadonlyMap<string, string>): T {
  // Longer ones first: one may be part of another.
  const words = [...texts.keys()].filter((text) => text !== '').sort((a, b) => b.length - a.length)
  if (words.length === 0) return value
  const pattern = new RegExp(words.map((text) => text.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&')).join('|'), 'g')
  return mapTexts(value, (text) => text.replace(pattern, (found) => texts.get(found) ?? found))
}

function mapTexts<T>(value: T, change: (text: string) => string): T
function mapTexts(value: unknown, change: (text: string) => string): unknown {
  if (typeof value === 'string') return change(value)
  if (Array.isArray(value)) return value.map((item: unknown) => mapTexts(item, change))
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [change(key), mapTexts(item, change)]))
}
