// Writes the table of executors into README.md and docs/executors.md from the capabilities in the code.
import { readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import type { Capabilities } from '../src/executors/capabilities.ts'
import { executorKinds, executorOf } from '../src/executors/registry.ts'

const PAGES = ['README.md', 'docs/executors.md']
const BLOCK = /(<!-- executors: [^>]*-->\n)[\s\S]*?(<!-- \/executors -->)/

const COLUMNS: Readonly<Record<string, (capabilities: Capabilities) => string>> = {
  'nodes per job': ({ maxNodes }) => (Number.isFinite(maxNodes) ? `up to ${maxNodes}` : 'as many as there are'),
  arrays: ({ arrays, maxArraySize }) =>
    arrays === 'none' ? 'no' : `${arrays}, up to ${Number.isFinite(maxArraySize) ? maxArraySize.toLocaleString('en') : 'any size'}`,
  dependencies: ({ dependencies }) => dependencies,
  'time limit by': ({ timeLimit }) => timeLimit,
  'room decided by': ({ capacity }) => (capacity === 'slots' ? "Drover's slots" : 'the scheduler'),
  containers: ({ containers }) => (containers ? 'yes' : 'no'),
  GPUs: ({ gpus }) => (gpus ? 'yes' : 'no'),
}

/** The table in Markdown. */
export function compileExecutorTable(): string {
  const rows = executorKinds().map((kind) => {
    const { capabilities } = executorOf(kind)
    return `| \`${kind}\` | ${Object.values(COLUMNS)
      .map((show) => show(capabilities))
      .join(' | ')} |`
  })
  const names = Object.keys(COLUMNS)
  return [`| executor | ${names.join(' | ')} |`, `|---|${names.map(() => '---|').join('')}`, ...rows, ''].join('\n')
}

/** Pages whose table differs from the code's; `write` puts it right. */
export function outdatedPages(write: boolean): readonly string[] {
  return PAGES.filter((page) => {
    const path = fileURLToPath(new URL(`../${page}`, import.meta.url))
    const text = readFileSync(path, 'utf8')
    if (!BLOCK.test(text)) throw new Error(`${page} has no place for the table of executors`)
    const next = text.replace(BLOCK, (_, start: string, end: string) => `${start}\n${compileExecutorTable()}\n${end}`)
    if (write && next !== text) writeFileSync(path, next)
    return next !== text
  })
}

if (process.argv[1] === fileURLToPath(import.meta.url)) console.log(`written: ${outdatedPages(true).join(', ') || 'nothing to do'}`)
