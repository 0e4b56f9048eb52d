import { describe, expect, test } from 'vitest'
import { parseEventLines } from '../driver/protocol-reader.ts'
import { containerTrouble } from './container-trouble.ts'

const events = (...lines: string[]) => parseEventLines(Buffer.from(lines.map((line) => `1 ${line}\n`).join(''))).lines

describe('what a wrapper says of its container', () => {
  const image = 'container kind=image element=- text=no%20such%20image%20ü%20100%25'
  test.each([
    ["explains the wrapper's own code", [image], 125, undefined, { kind: 'image', message: 'no such image ü 100%' }],
    ['makes no failure of another code', [image], 3, undefined, undefined],
    ['makes no failure of a success', [image], 0, undefined, undefined],
    [
      'memory needs a KILL',
      ['container kind=out_of_memory element=- text=full'],
      137,
      undefined,
      { kind: 'out_of_memory', message: 'full' },
    ],
    ['memory and an exit of the script', ['container kind=out_of_memory element=- text=full'], 1, undefined, undefined],
    ["an element's own line", ['container kind=driver element=4 text=gone'], 125, 4, { kind: 'driver', message: 'gone' }],
    ["another element's line", ['container kind=driver element=4 text=gone'], 125, 5, undefined],
    ['an unknown kind', ['container kind=pull element=- text=x'], 125, undefined, undefined],
    ['no line', ['script pid=1'], 125, undefined, undefined],
  ] as const)('%s', (_, lines, code, element, expected) => {
    expect(containerTrouble(events(...lines), code, element)).toEqual(expected)
  })
})
