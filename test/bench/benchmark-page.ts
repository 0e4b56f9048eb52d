import { readFileSync, writeFileSync } from 'node:fs'
import { availableParallelism, cpus, release, totalmem } from 'node:os'
import type { Figure } from './measure.ts'

/** Parts of the page, each rewritten only by a run that measured all of it. */
export const SECTIONS = { machine: 'On this machine', ssh: 'Over SSH', slurm: 'On Slurm', workflow: 'Workflows' } as const
export type Section = keyof typeof SECTIONS

const HEAD = `# Benchmarks

Written by \`npm run bench\`, the part over SSH by \`npm run bench -- --ssh\`, that on Slurm by \`npm run bench -- --slurm\`,
that of workflows by \`npm run bench -- --workflow\`.
Contestants run in turn, round after round; medians, with the spread in brackets. Differences under 30 % count as equal.
Absolute times are those of the machine named; the ratios are what counts.
`

const cell = (text: string): string => text.replaceAll('|', '\\|')

/** One part: what it was measured with, and its figures. */
function formatSection(section: Section, notes: readonly string[], figures: readonly Figure[]): string {
  const about = [
    `Machine: ${availableParallelism()} cores (${cpus()[0]?.model.trim() || 'unknown'}), ${(totalmem() / 2 ** 30).toFixed(0)} GiB, Linux ${release()}`,
    `Date: ${new Date().toISOString().slice(0, 10)}`,
    ...notes,
  ]
  const rows = figures.map(
    ({ what, measured, target, ok }) =>
      `| ${cell(what)} | ${cell(measured)} | ${target} | ${ok === undefined ? '' : ok ? 'met' : 'missed'} |`,
  )
  return `## ${SECTIONS[section]}

${about.map((line) => `- ${line}`).join('\n')}

| figure | measured | target | |
|---|---|---|---|
${rows.join('\n')}
`
}

/** Replaces the parts that were measured; the others stay as an earlier run wrote them. */
export function writePage(
  file: URL,
  measured: Readonly<Partial<Record<Section, { readonly notes: readonly string[]; readonly figures: readonly Figure[] }>>>,
): void {
  const parts = readFileSync(file, 'utf8').split(/^(?=## )/m)
  const text = (Object.keys(SECTIONS) as Section[]).flatMap((section) => {
    const now = measured[section]
    if (now !== undefined) return [formatSection(section, now.notes, now.figures)]
    const earlier = parts.find((part) => part.startsWith(`## ${SECTIONS[section]}\n`))
    return earlier === undefined ? [] : [`${earlier.trimEnd()}\n`]
  })
  writeFileSync(file, [HEAD, ...text].join('\n'))
}
