import type { JobEventLine } from '../driver/protocol.ts'
import type { FailureKind } from '../task/states.ts'

/** What the wrapper of a container said of it: the container, not the script, is to blame. */
export interface ContainerTrouble {
  readonly kind: Extract<FailureKind, 'image' | 'driver' | 'out_of_memory' | 'staging'>
  /** The runtime's words and what to do; a sentence without a full stop. */
  readonly message: string
}

/** The wrapper's own exit code where it could not run the script; docker's and podman's as well. */
const WRAPPER_CODE = 125
const KILLED_CODE = 137

/**
 * Why a script in a container ended with `code`, by the lines `container kind=… element=… text=…` of its rank; undefined where
 * the code is the script's own. A line never makes a failure, it only explains the record of one: `image`, `driver` and `staging` (files that
 * were to be brought before setup) need the wrapper's 125, `out_of_memory` a 137. `element`: the array element that ended; else undefined.
 */
export function containerTrouble(events: readonly JobEventLine[], code: number, element?: number): ContainerTrouble | undefined {
  const who = element === undefined ? '-' : String(element)
  for (const { word, detail } of events.toReversed()) {
    if (word !== 'container' || (detail['element'] ?? '-') !== who) continue
    const kind = (['image', 'driver', 'out_of_memory', 'staging'] as const).find((one) => one === detail['kind'])
    if (kind === undefined || code !== (kind === 'out_of_memory' ? KILLED_CODE : WRAPPER_CODE)) continue
    return { kind, message: decodeText(detail['text'] ?? '') }
  }
  return undefined
}

/** Event lines are read as Latin-1 (a character per byte); what a program says is UTF-8. */
function decodeText(text: string): string {
  const bytes = Buffer.from(
    text.replace(/%(20|25)/g, (_, code) => (code === '20' ? ' ' : '%')),
    'latin1',
  )
  return bytes.toString('utf8')
}
