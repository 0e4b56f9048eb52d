/** Locations: which node, of which iteration or element, of which graph (`controller/data/location.py`, 2.0.9 to 2.1.1). */
import { InputError } from '../../errors.ts'

/** One step: `-` the root graph, `N3` node 3 (`N-1`: the inputs of a graph), `L2` iteration 2 of a loop, `M7` element `7` of a map. */
export type LocStep =
  | { readonly kind: '-' }
  | { readonly kind: 'N' | 'L'; readonly index: number }
  | { readonly kind: 'M'; readonly label: string }

/** Node indices and iterations as Tierkreis writes them: no sign but that of -1, no leading zero. */
const STEP = /^(?:N(-1|0|[1-9]\d{0,9})|L(0|[1-9]\d{0,9})|M([^./\0]+))$/

function steps(loc: string): LocStep[] | undefined {
  if (loc === '') return []
  const found: LocStep[] = []
  for (const [k, part] of loc.split('.').entries()) {
    if (k === 0) {
      // Without the root: `.N-1`, where the inputs of the root graph lie.
      if (part !== '' && part !== '-') return undefined
      if (part === '-') found.push({ kind: '-' })
      continue
    }
    const match = STEP.exec(part)
    if (match === null) return undefined
    const [, node, iteration, label] = match
    if (label !== undefined) found.push({ kind: 'M', label })
    else if (node !== undefined) found.push({ kind: 'N', index: Number(node) })
    else found.push({ kind: 'L', index: Number(iteration) })
  }
  return found
}

/** Whether the text is a location: `-`, `-.N1.L0.M7`, `.N-1`, or empty (above the root). */
export function isLoc(text: string): boolean {
  return steps(text) !== undefined
}

/** The steps of a location, the root's `-` among them. Throws `InputError` for a text that is none. */
export function parseLoc(loc: string): readonly LocStep[] {
  const found = steps(loc)
  if (found !== undefined) return found
  throw new InputError('invalid_argument', `${JSON.stringify(loc.slice(0, 200))} is not the location of a node`, {
    hint: 'A location is - followed by steps: .N<node>, .L<iteration>, .M<element>; for example -.N3.L0.N7.',
  })
}

/** The text of a location; the way back from `parseLoc`. */
export function formatLoc(found: readonly LocStep[]): string {
  return found.map((step) => (step.kind === '-' ? '-' : `.${step.kind}${step.kind === 'M' ? step.label : step.index}`)).join('')
}

/**
 * The location above. Of `L0` it is the loop's node, of a later iteration the one before it; of the root it is the empty location,
 * and of that undefined. Throws `InputError` for a text that is no location.
 */
export function parentLoc(loc: string): string | undefined {
  const found = parseLoc(loc)
  const last = found.at(-1)
  if (last === undefined) return undefined
  const above = formatLoc(found.slice(0, -1))
  return last.kind === 'L' && last.index > 0 ? `${above}.L${last.index - 1}` : above
}
