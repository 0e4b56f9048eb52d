import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { beforeAll, expect, test } from 'vitest'
import { BUILDER_GRAPHS } from '../workflow/builder-graphs.ts'

// Graphs of the TypeScript builder, loaded and run by real Tierkreis. DROVER_TIERKREIS_ENV names its environment, as
// test/engines/tierkreis-env.sh makes it. With DROVER_WRITE_FIXTURES=1 what comes out is written down for test/workflow/.

const environment = process.env['DROVER_TIERKREIS_ENV'] ?? '/var/tmp/tkr-2.1.1'
const python = join(environment, 'bin/python')
const script = fileURLToPath(new URL('./tierkreis-builder.py', import.meta.url))
const fixture = new URL('../fixtures/tierkreis/builder/outputs.json', import.meta.url)

type Outputs = Readonly<Record<string, Readonly<Record<string, string>>>>
let outcomes: Readonly<Record<string, { readonly outputs?: Readonly<Record<string, string>>; readonly error?: string }>> = {}
let version = ''

function rank(text: string): number {
  return text.split('.').reduce((sum, part) => sum * 1000 + Number(part), 0)
}

beforeAll(() => {
  if (!existsSync(python)) {
    throw new Error(`there is no ${python}: run test/engines/tierkreis-env.sh, or name its directory in DROVER_TIERKREIS_ENV`)
  }
  version = execFileSync(python, ['-c', 'from importlib.metadata import version; print(version("tierkreis"))'], { encoding: 'utf8' }).trim()
  const graphs = BUILDER_GRAPHS.map(({ name, workflow, inputs }) => ({ name, graph: workflow.toText(), inputs }))
  outcomes = JSON.parse(
    execFileSync(python, [script], { input: JSON.stringify(graphs), encoding: 'utf8', maxBuffer: 1 << 26, stdio: 'pipe' }),
  )
  if (process.env['DROVER_WRITE_FIXTURES']) {
    const outputs = Object.fromEntries(Object.entries(outcomes).map(([name, outcome]) => [name, outcome.outputs]))
    writeFileSync(fixture, `${JSON.stringify(outputs, undefined, 2)}\n`)
  }
}, 300_000)

test.each(BUILDER_GRAPHS.map(({ name, since = '2.0.12' }) => [name, since] as const))('Tierkreis runs the graph "%s"', (name, since) => {
  // An older release that is asked for must not pass for having been asked.
  if (rank(version) < rank(since)) return expect(outcomes[name]?.error).toBeDefined()
  const recorded: Outputs = JSON.parse(readFileSync(fixture, 'utf8'))
  expect(outcomes[name]).toEqual({ outputs: recorded[name] })
})
