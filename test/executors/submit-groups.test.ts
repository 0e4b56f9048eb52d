import { spawnSync } from 'node:child_process'
import { expect, test } from 'vitest'
import { groupResults, groupScript, SubmitGroups } from '../../src/executors/batch/submit-groups.ts'
import type { CommandResult, Transport } from '../../src/transports/transport.ts'

const MARK = 'drover-group-0123456789abcdef'
const SHELLS = ['dash', 'bash', 'busybox sh'].filter((shell) => spawnSync('sh', ['-c', `command -v ${shell}`]).status === 0)

function sh(script: string, shell = 'sh'): string {
  const [program = 'sh', ...args] = shell.split(' ')
  return spawnSync(program, args, { input: script, encoding: 'utf8' }).stdout
}

test.each(SHELLS)('%s: each script has its own directory, variables, code and end', (shell) => {
  const scripts = ['x=1; cd /; pwd; exit 3', 'printf "no line end$x"', 'echo out; echo err >&2; false']
  const [first, second, third] = groupResults(sh(groupScript(scripts, MARK), shell), 3, MARK)
  expect(first).toEqual({ code: 3, stdout: '/\n', stderr: '' })
  expect(second).toEqual({ code: 0, stdout: 'no line end', stderr: '' })
  expect(third).toMatchObject({ code: 1, stdout: 'out\nerr\n' })
})

test('a group that was cut off: what came before it stands, of the rest nothing is known', () => {
  const whole = sh(groupScript(['echo a', 'echo b', 'echo c'], MARK))
  for (let length = 0; length < whole.length; length++) {
    const results = groupResults(whole.slice(0, length), 3, MARK)
    for (const [index, { code, stdout }] of results.entries()) {
      if (code !== undefined) expect([code, stdout]).toEqual([0, `${'abc'[index]}\n`])
    }
  }
  expect(groupResults(whole, 3, MARK).map(({ code }) => code)).toEqual([0, 0, 0])
})

test('what comes together goes together, at most twenty at a time, and each gets its own answer', async () => {
  const sizes: number[] = []
  let open = 0
  let most = 0
  const transport = {
    async run(_: string, { stdin = '' } = {}): Promise<CommandResult> {
      open += 1
      most = Math.max(most, open)
      sizes.push(String(stdin).split('2>&1').length - 1)
      await new Promise((resolve) => setTimeout(resolve, 5))
      open -= 1
      return { code: 0, stdout: sh(String(stdin)), stderr: '' }
    },
  } as unknown as Transport
  const groups = new SubmitGroups()
  const answers = await Promise.all(Array.from({ length: 50 }, (_, index) => groups.run(`echo ${index}`, transport)))
  expect(answers.map(({ stdout }) => stdout)).toEqual(Array.from({ length: 50 }, (_, index) => `${index}\n`))
  expect(sizes).toEqual([20, 20, 10])
  expect(most).toBe(2)
})

test('a group that could not be sent is an error for each', async () => {
  const transport = { run: () => Promise.reject(new Error('no route')) } as unknown as Transport
  const groups = new SubmitGroups()
  const outcomes = await Promise.allSettled(['a', 'b'].map((script) => groups.run(script, transport)))
  expect(outcomes.map(({ status }) => status)).toEqual(['rejected', 'rejected'])
})
