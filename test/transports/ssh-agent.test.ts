import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import {
  agentCall,
  agentCommand,
  agentScript,
  encodeProgram,
  encodeRequest,
  parseAgentHello,
} from '../../src/transports/ssh-agent-script.ts'
import { compileRead, compileWrite, parseRead } from '../../src/transports/ssh-files.ts'
import { type AgentFrame, FrameReader } from '../../src/transports/ssh-frames.ts'

const M = 'marker0123'
const options = { host: 'h' }
const installed = (name: string): boolean => spawnSync('sh', ['-c', `command -v ${name}`]).status === 0
let at = ''
beforeEach(() => {
  at = mkdtempSync(join(tmpdir(), 'drover-agent-'))
})
afterEach(() => rmSync(at, { recursive: true, force: true }))

/** Runs the agent in a shell with all requests in its stdin at once, as one write of a client would bring them. */
function talk(shell: readonly string[], requests: readonly Uint8Array[], environment: Record<string, string> = {}): readonly AgentFrame[] {
  const frames: AgentFrame[] = []
  const [program = 'sh', ...rest] = shell
  const { stdout } = spawnSync(program, [...rest, '-c', agentCommand('sh').replace(/^exec \/bin\/sh -c '(.*)'$/, '$1')], {
    input: Buffer.concat([Buffer.from(encodeProgram(agentScript(M, { monitor: false }))), ...requests]),
    env: { ...process.env, ...environment },
    maxBuffer: 1e8,
  })
  new FrameReader(M, (frame) => frames.push(frame)).push(stdout)
  return frames
}
const contentOf = (frame: AgentFrame | undefined): Buffer => (frame?.kind === 'answer' ? frame.content : Buffer.from('no answer'))

const SHELLS = { dash: ['dash'], bash: ['bash'], busybox: ['busybox', 'ash'] } as const
for (const [name, shell] of Object.entries(SHELLS)) {
  describe.skipIf(!installed(name))(`agent in ${name}${installed(name) ? '' : ' (not installed)'}`, () => {
    test('hello, content and requests in one stream are never mixed up', () => {
      const bytes = Buffer.from(Array.from({ length: 70_000 }, (_, index) => (index * 7) % 256))
      const hostile = "it's $(x) `y` \\n %s !\n-n\n"
      const { text, payload } = compileWrite(
        [`${at}/d`],
        [
          { path: `${at}/d/bytes`, mode: 0o640, content: bytes },
          { path: `${at}/d/text`, mode: 0o600, content: hostile },
        ],
      )
      const pieces = [
        { path: `${at}/d/bytes`, offset: 10, maxBytes: 5 },
        { path: `${at}/d/text`, offset: 0, maxBytes: 1000 },
        { path: `${at}/none`, offset: 0, maxBytes: 1 },
        { path: `${at}/d/bytes`, offset: 0, maxBytes: 100_000 },
      ]
      const frames = talk(shell, [
        encodeRequest(1, text, payload),
        encodeRequest(2, compileRead(pieces, false)),
        encodeRequest(3, compileRead(pieces, true)),
        encodeRequest(4, agentCall('u', ['4', 'cat; echo err >&2; exit 3', '6']), [Buffer.from('a\0b\nc\n')]),
        encodeRequest(5, agentCall('R', [`${at}/d/text`])),
      ])
      expect(frames).toHaveLength(6)
      const hello = frames[0]?.kind === 'hello' ? parseAgentHello(frames[0].before, frames[0].line) : undefined
      expect(hello).toMatchObject({ missing: [], noisy: false })
      expect(readFileSync(`${at}/d/bytes`).equals(bytes)).toBe(true)
      expect(statSync(`${at}/d/bytes`).mode & 0o777).toBe(0o640)
      for (const frame of [2, 3]) {
        const found = parseRead(options, pieces, contentOf(frames[frame]), frame === 3 ? M : undefined)
        expect(found?.map((piece) => [piece.size, piece.missing])).toEqual([
          [70_000, false],
          [hostile.length, false],
          [0, true],
          [70_000, false],
        ])
        expect(
          found?.map((piece) =>
            Buffer.from(piece.bytes).equals([bytes.subarray(10, 15), Buffer.from(hostile), Buffer.alloc(0), bytes][found.indexOf(piece)]!),
          ),
        ).toEqual(new Array(4).fill(true))
      }
      expect(contentOf(frames[4]).toString()).toBe(`3\na\0b\nc\n\n${M} S\nerr\n`)
      expect(() => statSync(`${at}/d/text`)).toThrow()
    })

    test('a write that fails swallows its content, not the next request', () => {
      const { text, payload } = compileWrite([], [{ path: '/dev/null/x', mode: 0o600, content: Buffer.alloc(300_000, 1) }])
      const frames = talk(shell, [encodeRequest(1, text, payload), encodeRequest(2, 'echo next')])
      expect(contentOf(frames[1]).toString()).toContain(`${M} F write /dev/null/x`)
      expect(contentOf(frames[2]).toString()).toBe('next\n')
    })

    test('half a request is not carried out', () => {
      writeFileSync(join(at, 'kept'), 'x')
      const request = encodeRequest(1, `${agentCall('R', [join(at, 'kept')])}\n${'#'.repeat(3000)}\n`)
      talk(shell, [request.subarray(0, request.length - 4)])
      expect(readFileSync(join(at, 'kept'), 'utf8')).toBe('x')
    })
  })
}

test('a host without its tools names them', () => {
  const frames = talk(['/bin/sh'], [], { PATH: at })
  const hello = frames[0]?.kind === 'hello' ? parseAgentHello(frames[0].before, frames[0].line) : undefined
  expect(hello?.missing).toEqual(['mkdir', 'rm', 'chmod', 'cat', 'head', 'tail', 'ls', 'stat', 'sleep'])
})

test('a file that changes between the looks is told from one that does not', () => {
  const pieces = [
    { path: '/a', offset: 0, maxBytes: 9 },
    { path: '/b', offset: 1, maxBytes: 9 },
  ]
  const answer = (text: string): ReturnType<typeof parseRead> => parseRead(options, pieces, Buffer.from(text), undefined)
  expect(answer(' ? ?\n3 3\nefabc\n3 3')?.map(({ bytes }) => Buffer.from(bytes).toString())).toEqual(['abc', 'ef'])
  for (const changed of [' ? ?\n3 3\nefabcd\n3 4', ' ? ?\n3 3\nefabcd\n3 3', ' ? ?\n3\nabc\n3', ' ? ?\n3 3\nefab\n3 3'])
    expect(answer(changed)).toBeUndefined()
  expect(() => answer(' D ?\n3\nef\n3')).toThrow(/cannot read \/a: permission denied/)
})
