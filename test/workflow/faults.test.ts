import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { createMemoryExecutor } from '../../src/workers/memory/memory-executor.ts'
import { singleExecutor } from '../../src/workers/multiple/executor-set.ts'
import { builtins } from '../../src/workflow/builder/builtin-tasks.ts'
import { graph } from '../../src/workflow/builder/graph.ts'
import { int, type PortShape, str } from '../../src/workflow/builder/port-type.ts'
import { task } from '../../src/workflow/builder/task.ts'
import { callOf, homeWith, intTask, nothingLives } from './call-home.ts'
import { endOf, RunHome, textOutputs } from './run-fixture.ts'

function homeWithFaults(): RunHome {
  return homeWith({
    half: 'printf 12 >"$output_value_file"; kill -9 $$',
    nothing: 'echo "I am done"; exit 0',
    loud: 'head -c 1073741824 /dev/zero; printf 1 >"$output_value_file"',
    away: 'rm -rf "${output_dir%/outputs}"; exit 0',
    text: "printf '%s' 'no number' >\"$output_value_file\"",
    big: 'truncate -s 3221225472 "$output_value_file"',
    size: 'stat -c %s "$input_x_file" >"$output_value_file"',
  })
}

describe.each(['drover', 'tierkreis'] as const)('layout %s', (layout) => {
  test.each([
    ['half', 'lost|signal', /killed|signal 9/],
    ['nothing', 'missing_output', /wrote no output "value"/],
    ['away', 'missing_output', /wrote no output "value"/],
  ])('a worker that leaves %s', async (name, cause, message) => {
    using home = homeWithFaults()
    const end = await (await home.start(callOf(`w.${name}`), { id: 'r', layout })).ended
    expect(end.state).toBe('failed')
    expect(end.failed.map((each) => each.name)).toEqual([`w.${name}`])
    expect(end.failed[0]?.cause).toMatch(new RegExp(`^(${cause})$`))
    expect(end.failed[0]?.message).toMatch(message)
    await nothingLives(home)
  })

  test('a value of the wrong type: the builtin that reads it fails, with what it says', async () => {
    using home = homeWithFaults()
    const g = graph({})
    const text = g.call(intTask('w.text'), { x: 1 })
    const end = await (await home.start(g.output({ value: g.call(builtins.iadd, { a: text, b: 1 }) }), { layout })).ended
    expect(end.failed.map((each) => [each.name, each.cause])).toEqual([['builtins.iadd', 'task']])
    expect(end.failed[0]?.message).not.toBe('')
  })

  test.each(['../x', 'a/b', '..', 'a b', '*', 'ä', "'; rm -rf x"])('a port named %s stays in its directory', async (port) => {
    using home = homeWithFaults()
    const before = readdirSync(home.base).sort()
    const shape = { [port]: int } as PortShape
    const g = graph({})
    const outputs = g.call(task('w.inc', { x: int }, shape), { x: 1 }) as unknown as Record<string, never>
    let ended: unknown
    try {
      const value = outputs[port] ?? outputs
      ended = await (await home.start(g.output({ value: value as never }), { id: 'r', layout })).ended
    } catch (error) {
      ended = error
    }
    // Refused before it runs, or a node that failed; never a file elsewhere, never a defect.
    if (ended instanceof Error) expect(ended).toMatchObject({ level: 'input' })
    else expect(ended).toMatchObject({ state: 'failed' })
    expect(readdirSync(home.base).sort()).toEqual(before)
    expect(existsSync(join(home.workflows.runs, 'x'))).toBe(false)
  })

  test('a node as deep as its location is longer than a file name may be', async () => {
    using home = homeWithFaults()
    const g = graph({ n: int }, { value: int })
    const rest = g.eval(g.self, { n: g.call(builtins.isubtract, { a: g.inputs.n, b: 1 }) })
    const down = g.ifElse(g.call(builtins.igt, { a: g.inputs.n, b: 0 }), rest, g.call(intTask('w.inc'), { x: g.inputs.n }))
    const workflow = g.output({ value: down })
    for (const depth of layout === 'drover' ? [82, 83, 84, 85, 2_000] : [84, 85]) {
      const end = await (await home.start(workflow, { id: `r${depth}`, layout, inputs: { n: String(depth) } })).ended
      expect([end.failed, textOutputs(end)]).toEqual([[], { value: '1' }])
    }
    expect(Math.max(...home.calls().map((loc) => loc.length))).toBeGreaterThan(200)
    const { functions } = home.workflows.inspect(layout === 'drover' ? 'r2000' : 'r85')
    expect([...functions.keys()].some((loc) => loc.length > 255)).toBe(true)
  })
})

test('a deep recursion that fails at its end: the node is named, and all around it', async () => {
  using home = homeWithFaults()
  home.worker('v', { fail: 'exit 4' })
  const g = graph({ n: int }, { value: int })
  const rest = g.eval(g.self, { n: g.call(builtins.isubtract, { a: g.inputs.n, b: 1 }) })
  const down = g.ifElse(g.call(builtins.igt, { a: g.inputs.n, b: 0 }), rest, g.call(intTask('v.fail'), { x: g.inputs.n }))
  const end = await (await home.start(g.output({ value: down }), { id: 'r', inputs: { n: '10000' } })).ended
  expect(end.failed.map(({ cause, exit_code }) => [cause, exit_code])).toEqual([['exit', 4]])
  expect(end.failed[0]?.node.length).toBeGreaterThan(30_000)
})

test('a worker that is not there: refused before anything is done', async () => {
  using home = homeWithFaults()
  await expect(home.start(callOf('nowhere.task'), { id: 'r' })).rejects.toThrow(/worker "nowhere" has no program/)
  expect(await home.workflows.list()).toEqual([])
})

test('a worker that prints 1 GB, and a value of 3 GB from one worker to the next: neither comes into memory', {
  timeout: 120_000,
}, async () => {
  using home = homeWithFaults()
  const g = graph({})
  const big = g.call(intTask('w.big'), { x: 1 })
  const loud = g.call(intTask('w.loud'), { x: 1 })
  const path = join(home.base, 'graph.json')
  writeFileSync(path, g.output({ size: g.call(intTask('w.size'), { x: big }), loud }).toText())
  const child = home.spawn('workflow', 'run', path, '--registry', home.registry, '--id', 'r', '-o', 'json')
  let peak = 0
  const look = setInterval(() => {
    peak = Math.max(peak, Number(/VmHWM:\s+(\d+)/.exec(statusOf(child.pid))?.[1] ?? 0))
  }, 50)
  const { stdout } = await endOf(child)
  clearInterval(look)
  expect(JSON.parse(stdout)).toMatchObject({ state: 'succeeded', outputs: { size: 3221225472, loud: 1 } })
  expect(peak).toBeGreaterThan(10_000)
  expect(peak).toBeLessThan(400_000)
  // Linked, not copied.
  const producer = home.ledger().find((line) => line.task === 'big')?.loc ?? ''
  expect(statSync(join(home.workflows.runs, 'r', producer, 'outputs', 'value')).size).toBe(3_221_225_472)
})

function statusOf(pid: number | undefined): string {
  try {
    return readFileSync(`/proc/${pid}/status`, 'utf8')
  } catch {
    return ''
  }
}

describe('a full disk', () => {
  const canMount = process.getuid?.() === 0 && mounts()
  if (!canMount) console.log('skipped: a full disk, because no small file system can be mounted here')

  test.skipIf(!canMount)('the run stops and says so; it goes on once there is room', async () => {
    using home = homeWithFaults()
    const runs = join(home.home, 'workflows')
    mkdirSync(runs, { mode: 0o700 })
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=2m', 'tmpfs', runs])
    try {
      const g = graph({ n: int, text: str })
      const text = g.call(builtins.concat, { lhs: g.inputs.text, rhs: 'x' })
      const n = g.call(intTask('w.inc'), { x: g.inputs.n })
      const body = g.output({ n, text, should_continue: g.call(builtins.igt, { a: 20, b: n }) })
      const outer = graph({})
      const looped = outer.loop(body, { n: 0, text: outer.const('y'.repeat(50_000)) })
      const path = join(home.base, 'graph.json')
      writeFileSync(path, outer.output({ n: looped.n }).toText())
      const filler = join(runs, '.filler')
      writeFileSync(filler, Buffer.alloc(1_400_000))
      const stopped = await home.drover('workflow', 'run', path, '--registry', home.registry, '--id', 'r')
      expect(stopped.code).not.toBe(0)
      expect(stopped.stderr).toMatch(/disk or quota is full|No space left|is the disk full/i)
      const before = home.calls().length
      expect(before).toBeGreaterThan(0)
      rmSync(filler)
      execFileSync('mount', ['-o', 'remount,size=64m', runs])
      const { state } = await home.workflows.summary('r')
      const resumed = await home.drover('workflow', state === 'failed' ? 'retry' : 'resume', 'r', '-o', 'json')
      expect(JSON.parse(resumed.stdout)).toMatchObject({ state: 'succeeded', outputs: { n: 20 } })
      expect(state).toBe('interrupted')
      // Calls that had ended are not run again, also the last, whose end could not be written any more.
      expect(home.calls().length).toBe(20)
    } finally {
      execFileSync('umount', ['-l', runs])
    }
  })
})

/** Whether this process may mount. */
function mounts(): boolean {
  using probe = new RunHome()
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', probe.registry], { stdio: 'ignore' })
    execFileSync('umount', [probe.registry], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}

test('an output in memory that no file can be named after: a node that failed, or an output; never the end of the run', async () => {
  using home = new RunHome()
  for (const layout of ['drover', 'tierkreis'] as const) {
    const executor = createMemoryExecutor({
      workers: [
        {
          name: 'm',
          tasks: new Map([
            [
              'make',
              {
                inputs: [],
                outputs: undefined,
                run: async () =>
                  new Map([
                    ['value', 1n],
                    ['../x', 2n],
                  ]),
              },
            ],
          ]),
        },
      ],
    })
    const g = graph({})
    const made = g.call(task('m.make', {}, { value: int }), {})
    const end = await (await home.start(g.output({ value: made }), { layout, executors: singleExecutor(executor) })).ended
    expect(['succeeded', 'failed']).toContain(end.state)
    expect(existsSync(join(home.workflows.runs, 'x'))).toBe(false)
  }
})
