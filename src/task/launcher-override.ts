import { LAUNCHER_KINDS, LAUNCHER_OPTIONS } from './launcher.ts'
import { get, type Located, type LocatedMap, nodeText, refusal, set, textNode, without } from './located.ts'
import { resolvePlainScalar } from './python-scalars.ts'

const FLAG = { flag: '--launcher-option' }

/** A value as the option takes it: a list from words joined by commas, a mapping from `a=1,b=2`, else as YAML reads it. */
function valueNode(kind: string, name: string, text: string): Located {
  const known = LAUNCHER_KINDS.find((each) => each === kind)
  const shape = known === undefined ? undefined : LAUNCHER_OPTIONS[known][name]
  if (shape?.is === 'list') return { kind: 'list', items: text.split(',').map((each) => textNode(each, FLAG)), origin: FLAG }
  if (shape?.is === 'dict') {
    const entries = text.split(',').map((pair) => {
      const equals = pair.indexOf('=')
      if (equals < 1) throw refusal('', FLAG, `${JSON.stringify(pair.slice(0, 60))} in ${name} is not NAME=VALUE`)
      return { key: pair.slice(0, equals), keyOrigin: FLAG, value: resolvePlainScalar(pair.slice(equals + 1), FLAG) }
    })
    return { kind: 'map', entries, origin: FLAG }
  }
  const takesText = shape?.is === 'scalar' && shape.types.includes('string')
  return takesText ? textNode(text, FLAG) : resolvePlainScalar(text, FLAG)
}

/**
 * `--launcher` and `--launcher-option` over the file's key. Another kind than the file's leaves the file's options behind.
 * Throws InputError `invalid_argument` on an option without `=`, and on options without a launcher.
 */
export function launcherOverride(
  written: Located | undefined,
  overrides: { readonly launcher?: string; readonly launcherOptions?: readonly string[] },
): Located | undefined {
  const { launcher, launcherOptions = [] } = overrides
  if (launcher === undefined && launcherOptions.length === 0) return undefined
  const before = nodeText(written?.kind === 'map' ? get(written, 'kind') : written)
  const kind = launcher ?? before
  if (kind === undefined) {
    throw refusal(
      '',
      FLAG,
      'the task has no launcher',
      `Name one: --launcher ${LAUNCHER_KINDS.filter((each) => each !== 'single').join(', ')}.`,
    )
  }
  const origin = launcher === undefined ? (written?.origin ?? FLAG) : { flag: '--launcher' }
  const empty: LocatedMap = { kind: 'map', entries: [], origin }
  let result = set(written?.kind === 'map' && kind === before ? without(written, ['kind']) : empty, 'kind', textNode(kind, origin))
  for (const option of launcherOptions) {
    const equals = option.indexOf('=')
    if (equals < 1) throw refusal('', FLAG, `${JSON.stringify(option.slice(0, 60))} is not NAME=VALUE`)
    const name = option.slice(0, equals)
    result = set(result, name, valueNode(kind, name, option.slice(equals + 1)))
  }
  return result
}
