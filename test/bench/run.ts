/** `npm run bench [-- --hq PYTHON_OR_VENV] [--rounds N] [--only WORD]`: prints the figures and writes docs/benchmarks.md. */
import { spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { availableParallelism, cpus, release, totalmem } from 'node:os'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { LocalHome } from '../conformance/local-home.ts'
import { measureList } from './figures/cli.ts'
import { measureChain, measureElements } from './figures/elements.ts'
import { measureFollowing } from './figures/logs.ts'
import { measureQueue } from './figures/queue.ts'
import { measureSsh } from './figures/ssh.ts'
import type { Figure } from './measure.ts'
import { openHyperQueue, versionOf } from './peers.ts'

const { values } = parseArgs({ options: { hq: { type: 'string' }, rounds: { type: 'string', default: '5' }, only: { type: 'string' } } })
const rounds = Number(values.rounds)
const root = fileURLToPath(new URL('../..', import.meta.url))
if (spawnSync(process.execPath, ['scripts/build.mjs'], { cwd: root, stdio: 'inherit' }).status !== 0) process.exit(1)

const figures: Figure[] = []
const hq = await openHyperQueue(values.hq, console.log)

async function measure(name: string, run: () => Promise<readonly Figure[]>): Promise<void> {
  if (values.only && values.only !== name) return
  for (const figure of await run()) {
    figures.push(figure)
    console.log(`${figure.ok === undefined ? ' ' : figure.ok ? '+' : '-'} ${figure.what}: ${figure.measured} [${figure.target}]`)
  }
}

async function withHome(run: (home: LocalHome) => Promise<readonly Figure[]>): Promise<readonly Figure[]> {
  const home = await new LocalHome().start()
  try {
    return await run(home)
  } finally {
    await home.close()
  }
}

await measure('list', () => measureList(rounds))
await measure('elements', () => withHome((home) => measureElements(home, hq, rounds)))
await measure('chain', () => withHome((home) => measureChain(home, hq, rounds)))
await measure('queue', measureQueue)
await measure('logs', measureFollowing)
await measure('ssh', () => measureSsh(rounds))
await hq?.[Symbol.asyncDispose]()

const cell = (text: string): string => text.replaceAll('|', '\\|')
const page = `# Benchmarks

Written by \`npm run bench\`. Contestants run in turn, round after round; medians of ${rounds} rounds or more, with the spread in
brackets. Differences under 30 % count as equal. Absolute times are those of this machine; the ratios are what counts.

- Machine: ${availableParallelism()} cores (${cpus()[0]?.model.trim() || 'unknown'}), ${(totalmem() / 2 ** 30).toFixed(0)} GiB, Linux ${release()}
- Date: ${new Date().toISOString().slice(0, 10)}
- Node ${process.version}, ${versionOf('xargs') ?? 'no xargs'}, ${versionOf('parallel') ?? 'GNU parallel is absent'}, ${hq ? `HyperQueue ${hq.version}` : 'HyperQueue is absent'}

| figure | measured | target | |
|---|---|---|---|
${figures.map((figure) => `| ${cell(figure.what)} | ${cell(figure.measured)} | ${figure.target} | ${figure.ok === undefined ? '' : figure.ok ? 'met' : 'missed'} |`).join('\n')}
`
if (!values.only) writeFileSync(new URL('../../docs/benchmarks.md', import.meta.url), page)
process.exitCode = figures.every((figure) => figure.ok !== false) ? 0 : 1
