/**
 * `npm run bench [-- --hq PYTHON_OR_VENV] [--rounds N] [--ssh] [--slurm] [--workflow] [--only WORD]`: prints the figures and
 * writes docs/benchmarks.md. `--ssh` adds those over four machines with sshd, `--slurm` those on a Slurm of four nodes; it brings
 * both up and takes them down itself (Debian, root; DROVER_BENCH_INSTANCE names the rig, 0 to 9). `--workflow` adds those beside
 * real Tierkreis (test/engines/tierkreis-env.sh makes its environment; 10 minutes). `--only` takes the name of a figure or of a
 * part (`machine`, `ssh`, `slurm`, `workflow`); the page's part is rewritten when all of it was measured.
 */
import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { LocalHome } from '../conformance/local-home.ts'
import { type BenchRig, type BenchRigKind, openBenchRig, whyNoRig } from './bench-rig.ts'
import { type Section, writePage } from './benchmark-page.ts'
import { measureList } from './figures/cli.ts'
import { measureChain, measureElements } from './figures/elements.ts'
import { measureFollowing } from './figures/logs.ts'
import { measureQueue } from './figures/queue.ts'
import { measureSlurmArray } from './figures/slurm-array.ts'
import { measureSlurmEnd } from './figures/slurm-end.ts'
import { measureSlurmPacked } from './figures/slurm-packed.ts'
import { measureSlurmPolls, measureSlurmQueries } from './figures/slurm-polls.ts'
import { measureSlurmBurst, measureSlurmSubmit } from './figures/slurm-submit.ts'
import { measureSshCommands } from './figures/ssh.ts'
import { measureSshElements } from './figures/ssh-elements.ts'
import { measureSshStart } from './figures/ssh-start.ts'
import { measureSshWorkdir } from './figures/ssh-workdir.ts'
import { measureWorkflowBuiltins, measureWorkflowEngine, measureWorkflowSizes } from './figures/workflow-builtins.ts'
import { measureWorkflowCalls, measureWorkflowIdle } from './figures/workflow-calls.ts'
import type { Figure } from './measure.ts'
import { openHyperQueue, versionOf } from './peers.ts'
import { WorkflowBench } from './workflow-peers.ts'

const { values } = parseArgs({
  options: {
    hq: { type: 'string' },
    rounds: { type: 'string', default: '5' },
    ssh: { type: 'boolean', default: false },
    slurm: { type: 'boolean', default: false },
    workflow: { type: 'boolean', default: false },
    only: { type: 'string' },
  },
})
const rounds = Number(values.rounds)
/** For rounds that take long. */
const fewRounds = Math.min(rounds, 3)
const root = fileURLToPath(new URL('../..', import.meta.url))
if (spawnSync(process.execPath, ['scripts/build.mjs'], { cwd: root, stdio: 'inherit' }).status !== 0) process.exit(1)

type Measurements = Readonly<Record<string, () => Promise<readonly Figure[]>>>
const missed: string[] = []

/** The figures of one part, and whether they are all of it. */
async function measure(
  section: Section,
  measurements: Measurements,
): Promise<{ readonly figures: readonly Figure[]; readonly whole: boolean }> {
  const figures: Figure[] = []
  const names = Object.keys(measurements).filter((name) => values.only === undefined || values.only === section || values.only === name)
  for (const name of names) {
    for (const figure of (await measurements[name]?.()) ?? []) {
      figures.push(figure)
      if (figure.ok === false) missed.push(figure.what)
      console.log(`${figure.ok === undefined ? ' ' : figure.ok ? '+' : '-'} ${figure.what}: ${figure.measured} [${figure.target}]`)
    }
  }
  return { figures, whole: names.length === Object.keys(measurements).length }
}

async function withHome(run: (home: LocalHome) => Promise<readonly Figure[]>): Promise<readonly Figure[]> {
  const home = await new LocalHome().start()
  try {
    return await run(home)
  } finally {
    await home.close()
  }
}

async function measureMachine(): Promise<void> {
  const hq = await openHyperQueue(values.hq, console.log)
  const { figures, whole } = await measure('machine', {
    list: () => measureList(rounds),
    elements: () => withHome((home) => measureElements(home, hq, rounds)),
    chain: () => withHome((home) => measureChain(home, hq, rounds)),
    queue: measureQueue,
    logs: measureFollowing,
  })
  await hq?.[Symbol.asyncDispose]()
  const notes = [
    `Medians of ${rounds} rounds or more`,
    `Node ${process.version}, ${versionOf('xargs') ?? 'no xargs'}, ${versionOf('parallel') ?? 'GNU parallel is absent'}, ${hq ? `HyperQueue ${hq.version}` : 'HyperQueue is absent'}`,
  ]
  if (whole) writePage(page, { machine: { notes, figures } })
}

/** Four machines; undefined, with the reason printed, where they cannot be had. */
function openRig(kind: BenchRigKind, where: string): BenchRig | undefined {
  let why = whyNoRig(kind)
  try {
    if (why === undefined) return openBenchRig(kind)
  } catch (error) {
    why = error instanceof Error ? error.message : String(error)
  }
  console.log(`  the figures ${where} are not measured: ${why}`)
  process.exitCode = 1
  return undefined
}

async function measureOverSsh(): Promise<void> {
  const opened = openRig('private', 'over SSH')
  if (opened === undefined) return
  const { rig, close } = opened
  try {
    const { figures, whole } = await measure('ssh', {
      'ssh-commands': () => measureSshCommands(rig, rounds),
      'ssh-start': () => measureSshStart(rig, rounds),
      'ssh-workdir': () => measureSshWorkdir(rig, fewRounds, rounds),
      'ssh-elements': () => measureSshElements(rig, fewRounds),
    })
    const notes = [
      'Four hosts with sshd and a disk each, in namespaces of this machine: its cores serve both ends',
      `Medians of ${rounds} rounds, of the first send and the elements ${fewRounds}`,
      `Node ${process.version}, ${versionOf('rsync')?.replace(/ +/g, ' ')}, ${versionOf('tar')}, ${versionOf('parallel') ?? 'GNU parallel is absent'}`,
    ]
    if (whole) writePage(page, { ssh: { notes, figures } })
  } finally {
    close()
  }
}

async function measureOnSlurm(): Promise<void> {
  const opened = openRig('slurm', 'on Slurm')
  if (opened === undefined) return
  const { rig, close } = opened
  try {
    const { figures, whole } = await measure('slurm', {
      'slurm-submit': () => measureSlurmSubmit(rig, rounds),
      'slurm-burst': () => measureSlurmBurst(rig, rounds),
      'slurm-array': () => measureSlurmArray(rig, rounds),
      'slurm-polls': () => measureSlurmPolls(rounds),
      'slurm-queries': () => measureSlurmQueries(rounds),
      'slurm-end': () => measureSlurmEnd(rig, rounds * 2),
      'slurm-packed': () => measureSlurmPacked(rig, fewRounds),
    })
    const notes = [
      'Slurm with accounting on a login machine and four nodes, in namespaces of this machine: its cores serve all ends',
      `Medians of ${rounds} rounds or more`,
      `Node ${process.version}, ${rig.as('login', 'sbatch', '--version').trim()}, ${versionOf('sshfs')?.toLowerCase() ?? 'no sshfs'}`,
    ]
    if (whole) writePage(page, { slurm: { notes, figures } })
  } finally {
    close()
  }
}

async function measureWorkflows(): Promise<void> {
  using bench = new WorkflowBench()
  const { figures, whole } = await measure('workflow', {
    'workflow-engine': () => measureWorkflowEngine(bench, rounds),
    'workflow-builtins': () => measureWorkflowBuiltins(bench, rounds),
    'workflow-sizes': () => measureWorkflowSizes(bench, fewRounds),
    'workflow-calls': () => measureWorkflowCalls(bench, rounds, 1),
    'workflow-idle': () => measureWorkflowIdle(bench),
  })
  const { version } = bench
  const notes = [
    `Drover's times: medians of ${rounds} rounds, of the sizes ${fewRounds}, the cold calls once; a library's rounds run in one process, the first of them with nothing compiled yet`,
    'Other programs are measured once in the same run, on the same graphs: their runs take minutes. Beside the library their time is without their start, beside the command that of their whole process',
    `Node ${process.version}, ${version === undefined ? 'Tierkreis is absent' : `Tierkreis ${version}`}`,
  ]
  if (whole) writePage(page, { workflow: { notes, figures } })
}

const page = new URL('../../docs/benchmarks.md', import.meta.url)
/** Parts that need machines or programs of their own. */
const extraParts = { ssh: measureOverSsh, slurm: measureOnSlurm, workflow: measureWorkflows } as const
const isOf = (part: keyof typeof extraParts): boolean => values.only?.startsWith(part) === true
if (!isOf('ssh') && !isOf('slurm') && !isOf('workflow')) await measureMachine()
for (const part of ['ssh', 'slurm', 'workflow'] as const) {
  if (values[part] && (values.only === undefined || isOf(part))) await extraParts[part]()
  else if (isOf(part)) console.log(`the figures of ${part} need --${part}`)
}
if (missed.length > 0) process.exitCode = 1
