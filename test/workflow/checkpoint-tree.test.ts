import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { singleExecutor } from '../../src/workers/multiple/executor-set.ts'
import { createShellExecutor } from '../../src/workers/shell/shell-executor.ts'
import { exportRun } from '../../src/workflow/run/export-run.ts'
import type { Layout } from '../../src/workflow/run/run-directory.ts'
import { Workflows } from '../../src/workflow/run/workflows.ts'
import { type CheckpointTree, linkGroups, readCheckpointTree } from './checkpoint-tree.ts'

/*
 * Whole checkpoint directories of real Tierkreis 2.1.1 (test/engines/tierkreis-checkpoints.py), beside what the same graphs leave
 * here: with `--layout tierkreis`, and exported from a run in the default layout.
 */
interface Recorded extends CheckpointTree {
  readonly name: string
  readonly inputs: Readonly<Record<string, unknown>>
  readonly raised: string | null
}

const WORKERS = {
  double: `#!/bin/sh
# Joins its input to itself.
echo "doubling"
cat "$input_text_file" "$input_text_file" > "$output_value_file"
echo "two lines" > "$output_note_file"
`,
  broken: '#!/bin/sh\necho "no luck" >&2\nexit 3\n',
}

const directory = new URL('../fixtures/tierkreis/checkpoints/', import.meta.url)
const recorded = readdirSync(directory)
  .filter((name) => name.startsWith('2.1.1-'))
  .map((name) => JSON.parse(readFileSync(new URL(name, directory), 'utf8')) as Recorded)

/** Files that differ, by what they are; everything else is the same, byte for byte. */
const DIFFERENT: readonly (readonly [RegExp, string])[] = [
  [/^logs$/, "the run's log has the progress of both controllers in words of their own"],
  [/^\.drover-calls\//, 'what the processes of calls write of their ends, so that a later controller knows them'],
  [/^-\/errors$/, "the failed nodes by the name of 2.0.9, beside `-/_error`, which is 2.1.1's"],
  [/\/errors$/, "a worker's stderr by the name of 2.0.9; `logs` is the same file"],
  [/^-.N2\/(logs|stdout)$/, "a script's stdout has a file of its own, its stderr is the other; Tierkreis puts both into `logs`"],
  [/^debug\/executors\//, 'the command line of a process of theirs; builtins are no processes here'],
]

let home: string
let workflows: Workflows
beforeAll(() => {
  home = mkdtempSync(join(tmpdir(), 'drover-checkpoint-tree-'))
  workflows = new Workflows(join(home, 'home'), 'test')
  for (const [name, text] of Object.entries(WORKERS)) {
    mkdirSync(join(home, 'workers', name), { recursive: true })
    writeFileSync(join(home, 'workers', name, 'main.sh'), text, { mode: 0o755 })
  }
})
afterAll(() => rmSync(home, { recursive: true, force: true }))

async function treeOf({ name, inputs, files, raised }: Recorded, layout: Layout): Promise<CheckpointTree> {
  const root = join(home, `checkpoints-${layout}`)
  const id = `${name}-${layout}`
  const executors = singleExecutor(createShellExecutor({ registries: [join(home, 'workers')] }))
  const run = await workflows.start(Buffer.from(files['.N-1/outputs/body']?.text ?? ''), {
    id,
    name,
    executors,
    layout,
    inputs: new Map(Object.entries(inputs).map(([port]) => [port, Buffer.from(files[`.N-1/outputs/${port}`]?.text ?? '')])),
    ...(layout === 'tierkreis' ? { checkpoints: root } : {}),
  })
  expect((await run.ended).state).toBe(raised === null ? 'succeeded' : 'failed')
  for (const executor of executors.executors.values()) await executor.close()
  if (layout === 'drover') exportRun(workflows.runs, workflows.describe(id), root)
  return readCheckpointTree(root, id)
}

function isDifferent(name: string): boolean {
  return DIFFERENT.some(([pattern]) => pattern.test(name))
}

function contents({ files }: CheckpointTree): Readonly<Record<string, string | undefined>> {
  const kept = Object.entries(files).filter(([name]) => !isDifferent(name))
  return Object.fromEntries(kept.map(([name, { text, base64 }]) => [name, text === undefined ? base64 : withSortedInputs(text)]))
}

/** `graph_inputs` is a set, whose order there changes with every process. */
function withSortedInputs(text: string): string {
  return text.replaceAll(
    /("graph_inputs":\s*)(\[[^\]]*\])/g,
    (_, key: string, list: string) => key + JSON.stringify(JSON.parse(list).sort()),
  )
}

describe.each(['tierkreis', 'drover'] as const)('layout %s', (layout) => {
  test.each(recorded.map((one) => [one.name, one] as const))('%s', async (_name, theirs) => {
    const ours = await treeOf(theirs, layout)
    expect(Object.keys(contents(ours)).sort()).toEqual(Object.keys(contents(theirs)).sort())
    expect(contents(ours)).toEqual(contents(theirs))
    expect(linkGroups(ours, isDifferent)).toEqual(linkGroups(theirs, isDifferent))
    expect(ours.directories).toEqual(theirs.directories)
  })
})

// Files can't be linked to a file system in memory.
const otherDisk = '/dev/shm'
const noOther =
  existsSync(otherDisk) && statSync(otherDisk).dev !== statSync(tmpdir()).dev ? undefined : `${otherDisk} is no other file system`

test.skipIf(noOther !== undefined)(
  `a run exported to another file system lasts when it is removed${noOther ? ` (${noOther})` : ''}`,
  async () => {
    const theirs = recorded.find(({ name }) => name === 'chain-shell-worker') as Recorded
    const root = mkdtempSync(join(otherDisk, 'drover-export-'))
    try {
      await treeOf({ ...theirs, name: 'exported' }, 'drover')
      exportRun(workflows.runs, workflows.describe('exported-drover'), root)
      await workflows.remove('exported-drover')
      const ours = readCheckpointTree(root, 'exported-drover')
      expect(ours.files['-.N2/outputs/value']).toEqual(theirs.files['-.N2/outputs/value'])
      const isUnlinked = (name: string): boolean => isDifferent(name) || name.includes('note')
      expect(linkGroups(ours, isUnlinked)).toEqual(linkGroups(theirs, isUnlinked))
      expect(ours.files['-/outputs/note']).toMatchObject({ text: 'two lines\n', link: expect.any(Number) })
    } finally {
      rmSync(root, { recursive: true })
    }
  },
)

test('there are recorded directories of every kind', () => {
  expect(recorded.map(({ name }) => name)).toEqual(['chain-shell-worker', 'failed-shell-worker', 'loop', 'map'])
})
