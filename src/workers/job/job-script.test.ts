import { expect, test } from 'vitest'
import { compileCallScript } from './job-script.ts'

const PLAIN = { root: '/data/my runs', command: ['uv', 'run', 'main.py'], argsPath: 'W/-.N1/definition', writing: 'all' } as const

test('one call in its own folder', () => {
  expect(compileCallScript({ ...PLAIN, directory: '/workers/sim' })).toBe(`export TKR_DIR='/data/my runs' VIRTUAL_ENVIRONMENT=
cd /workers/sim || exit 126
drover_call=W/-.N1/definition
exec uv run main.py "$drover_call"
`)
})

test('an element: its value is the path, shell text is not taken apart', () => {
  const { argsPath: _, ...array } = PLAIN
  const script = compileCallScript({ ...array, root: { inWorkDir: 'checkpoints' }, directory: '~/a b', command: 'module load x && sim ' })
  expect(script).toBe(`export TKR_DIR="$PWD"/checkpoints VIRTUAL_ENVIRONMENT=
cd "$HOME"/'a b' || exit 126
drover_call=$DROVER_ARRAY_VALUE
module load x && sim "$drover_call"
`)
})

test('only the first node runs a worker without launcher', () => {
  expect(compileCallScript({ ...PLAIN, writing: 'first_node' })).toMatch(/^\[ "\$\{DROVER_NODE_RANK:-0\}" = 0 \] \|\| exit 0\n/)
})

test('variables that the user sets are left alone', () => {
  const script = compileCallScript({ ...PLAIN, given: { TKR_DIR: '/mnt/runs', VIRTUAL_ENVIRONMENT: 'x' } })
  expect(script).not.toContain('export')
})

test('words that a shell would read are quoted', () => {
  expect(compileCallScript({ ...PLAIN, command: ['./it s', "$(id)'"] })).toContain(`exec './it s' '$(id)'\\''' "$drover_call"\n`)
})
