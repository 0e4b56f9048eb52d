import type { DrawnState } from './outline.ts'

/** What stands before a state's text, so that colour is not all that tells states apart. */
export const STATE_MARKS: Readonly<Record<DrawnState, string>> = {
  waiting: '\u2026',
  running: '\u25b6',
  succeeded: '\u2713',
  failed: '\u2717',
  cancelled: '\u2298',
  skipped: '\u2013',
}

interface Colours {
  readonly back: string
  readonly inner: string
  readonly box: string
  readonly line: string
  readonly text: string
  readonly faint: string
  readonly edge: string
  readonly states: Readonly<Record<DrawnState, string>>
}

const LIGHT: Colours = {
  back: '#ffffff',
  inner: '#f6f7f9',
  box: '#ffffff',
  line: '#4b5563',
  text: '#111827',
  faint: '#5b6472',
  edge: '#6b7280',
  states: { waiting: '#6b7280', running: '#1d4ed8', succeeded: '#15803d', failed: '#b91c1c', cancelled: '#a16207', skipped: '#6b7280' },
}
const DARK: Colours = {
  back: '#11151c',
  inner: '#171c25',
  box: '#1d2430',
  line: '#9aa5b5',
  text: '#e8ebf0',
  faint: '#a9b2c0',
  edge: '#8490a3',
  states: { waiting: '#9aa5b5', running: '#7aa7ff', succeeded: '#5ccb83', failed: '#ff8078', cancelled: '#e0b25a', skipped: '#9aa5b5' },
}

type Rule = readonly [selectors: string, declarations: string]

function colours(c: Colours): Rule[] {
  return [
    ['.bk', `fill:${c.back}`],
    ['.in', `fill:${c.inner};stroke:${c.faint}`],
    ['.sh', `fill:${c.box};stroke:${c.line}`],
    ['.mk', `stroke:${c.line}`],
    ['text', `fill:${c.text}`],
    ['.kd,.pt,.nt', `fill:${c.faint}`],
    ['.ed', `stroke:${c.edge}`],
    ['.ah,.dt', `fill:${c.edge}`],
    // Children only: inside a failed map there may be nodes that succeeded.
    ...Object.entries(c.states).flatMap(([state, colour]): Rule[] => [
      [`.${state}>.st`, `fill:${colour}`],
      [`.${state}>.sh`, `stroke:${colour};stroke-width:2`],
    ]),
  ]
}

const SHAPES: readonly Rule[] = [
  ['text', "font:12px ui-monospace,'DejaVu Sans Mono',Menlo,Consolas,monospace"],
  ['.kd,.pt', 'font-size:10.5px'],
  ['.nt', 'font-style:italic'],
  ['.tt', 'font-weight:600'],
  ['.mk,.ed', 'fill:none'],
  ['.in', 'stroke-dasharray:2 3'],
  ['.ed.graph', 'stroke-dasharray:7 4'],
  ['.ed.branch', 'stroke-dasharray:2 3'],
  ['.ed.condition', 'stroke-width:2'],
]

/** Only inside a drawing: the picture may stand in a page that has styles of its own. */
function written(rules: readonly Rule[]): string {
  return rules.map(([selectors, text]) => `${selectors.split(',').map((one) => `.drover-graph ${one}`)}{${text}}`).join('')
}

/** The style sheet of a drawing. `auto`: as the reader's system has it; programs that know no media queries draw it light. */
export function styleSheet(theme: 'auto' | 'light' | 'dark'): string {
  if (theme !== 'auto') return written([...SHAPES, ...colours(theme === 'dark' ? DARK : LIGHT)])
  return `${written([...SHAPES, ...colours(LIGHT)])}@media(prefers-color-scheme:dark){${written(colours(DARK))}}`
}
