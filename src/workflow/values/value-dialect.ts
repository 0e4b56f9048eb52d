/** How a release of Tierkreis writes values; reading accepts what that release accepts. */
export interface ValueDialect {
  /** The first release that writes this way. */
  readonly since: string
  /** `pair`: `[re, im]`; `tagged`: `{"__tkr_complex__": [re, im]}`; `none`: complex numbers are refused. */
  readonly complex: 'pair' | 'tagged' | 'none'
  /** Spaces per level; 0 is one line with `, ` and `: ` between parts. */
  readonly indent: 0 | 2
  /** Exit code of a worker whose task failed. */
  readonly failureExitCode: 0 | 1
}

/** The dialects by the release that introduced them; measured on the released packages 2.0.9 to 2.1.1. */
export const VALUE_DIALECTS = {
  '2.0.9': { since: '2.0.9', complex: 'none', indent: 0, failureExitCode: 0 },
  '2.0.10': { since: '2.0.10', complex: 'tagged', indent: 0, failureExitCode: 1 },
  '2.0.12': { since: '2.0.12', complex: 'tagged', indent: 2, failureExitCode: 1 },
  '2.1.0': { since: '2.1.0', complex: 'pair', indent: 2, failureExitCode: 1 },
} as const satisfies Record<string, ValueDialect>

/** What is written where nothing else is asked for: the newest. */
export const NEWEST_DIALECT: ValueDialect = VALUE_DIALECTS['2.1.0']

/**
 * The dialect of a release: that of the newest one not above it. `2.0.11` is read as `2.0.10`. A version below 2.0.9
 * or without digits gets the oldest and the newest dialect respectively.
 */
export function dialectOf(version: string): ValueDialect {
  const numbers = version.match(/^(\d+)\.(\d+)(?:\.(\d+))?/)
  if (!numbers) return NEWEST_DIALECT
  const rank = (text: string): number => text.split('.').reduce((sum, part) => sum * 1000 + Number(part), 0)
  const wanted = rank(`${numbers[1]}.${numbers[2]}.${numbers[3] ?? 0}`)
  let found: ValueDialect = VALUE_DIALECTS['2.0.9']
  for (const dialect of Object.values(VALUE_DIALECTS)) if (rank(dialect.since) <= wanted) found = dialect
  return found
}
