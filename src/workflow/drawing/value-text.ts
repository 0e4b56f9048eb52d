import { encodeJson } from '../values/json-encoder.ts'
import { isDict, isGraphDocument, isList, type Value } from '../values/value.ts'
import { NEWEST_DIALECT } from '../values/value-dialect.ts'

/** Characters of a value that are shown. */
const SHOWN = 28

/** One short line for a value: `5`, `"text…`, `list of 40`, `graph of 8 nodes`. */
export function valueText(value: Value): string {
  if (isGraphDocument(value)) {
    const nodes = value.get('nodes')
    return `graph of ${count(nodes !== undefined && isList(nodes) ? nodes.length : 0, 'node')}`
  }
  if (value instanceof Uint8Array) return count(value.length, 'byte')
  // Whole text is only made of what is short: a constant may hold megabytes.
  if (typeof value === 'string') return clip(JSON.stringify(value.slice(0, SHOWN)).slice(0, -1) + (value.length > SHOWN ? '…' : '"'))
  if (typeof value === 'bigint' && (value > 10n ** 30n || value < -(10n ** 30n))) return 'a big integer'
  if (isList(value) && !isSmall(value)) return `list of ${value.length}`
  if (isDict(value) && !isSmall([...value.values()])) return `object of ${count(value.size, 'key')}`
  const text = encodeJson(value, { ...NEWEST_DIALECT, indent: 0 })
  if (text.length <= SHOWN) return text
  if (isList(value)) return `list of ${value.length}`
  return isDict(value) ? `object of ${count(value.size, 'key')}` : clip(text)
}

/** At most `length` characters (default 28), the last one `…` where the text was longer. */
export function clip(text: string, length = SHOWN): string {
  const characters = Array.from(text.slice(0, 2 * length + 2))
  return characters.length > length ? `${characters.slice(0, length - 1).join('')}…` : text
}

function isSmall(items: readonly Value[]): boolean {
  return items.length <= 6 && items.every((item) => item === null || (typeof item !== 'object' && String(item).length <= SHOWN))
}

function count(n: number, what: string): string {
  return `${n} ${what}${n === 1 ? '' : 's'}`
}
