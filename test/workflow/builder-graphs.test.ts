import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { parseGraph, readGraph } from '../../src/workflow/model/graph-codec.ts'
import { readValue } from '../../src/workflow/values/codec.ts'
import { BUILDER_GRAPHS } from './builder-graphs.ts'
import { runInEngine } from './run-in-engine.ts'

// The golden texts were loaded and run by real Tierkreis, which gave outputs.json: test/engines/tierkreis-builder.test.ts does it again.
const FIXTURES = new URL('../fixtures/tierkreis/builder/', import.meta.url)
const recorded: unknown = JSON.parse(readFileSync(new URL('outputs.json', FIXTURES), 'utf8'))

/** As the last release writes it: the outputs of a nested graph are not in the order of its file. */
const canonical = (outputs: Readonly<Record<string, string>>): unknown =>
  Object.entries(outputs).map(([port, text]) => [port, port === 'f' ? readGraph(readValue(Buffer.from(text))) : text])

describe.each(BUILDER_GRAPHS)('$name', ({ name, workflow, inputs }) => {
  test('the text is the one that Tierkreis was given', () => {
    const file = new URL(`${name}.json`, FIXTURES)
    if (!existsSync(file) && process.env['DROVER_WRITE_FIXTURES']) writeFileSync(file, `${workflow.toText()}\n`)
    expect(`${workflow.toText()}\n`).toBe(readFileSync(file, 'utf8'))
  })

  test('it gives what it gave there, as text read back too', async () => {
    const outputs = Reflect.get(recorded as object, name)
    expect(outputs).toBeDefined()
    expect(canonical(await runInEngine(workflow.toGraphData(), inputs))).toEqual(canonical(outputs))
    expect(canonical(await runInEngine(parseGraph(workflow.toText()), inputs))).toEqual(canonical(outputs))
  })
})
