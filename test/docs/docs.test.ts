import { spawnSync } from 'node:child_process'
import { chmodSync, cpSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { outdatedPages } from '../../scripts/executor-table.ts'
import { DROVER_BIN, LocalHome } from '../conformance/local-home.ts'
import { runDrover } from '../conformance/run-drover.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
const pages = ['README.md', 'CONTRIBUTING.md', ...readdirSync(join(root, 'docs')).map((name) => `docs/${name}`)].filter((name) =>
  name.endsWith('.md'),
)

interface Block {
  readonly language: string
  /** `run`, `file=NAME` or `output`. */
  readonly use: string
  readonly text: string
  readonly line: number
}

/** Fenced blocks with a use: `run` is run, `file=NAME` becomes that file, `output` is what the block before it prints. */
function usedBlocks(markdown: string): readonly Block[] {
  return [...markdown.matchAll(/^```(yaml|sh|ts|json|text) (run|output|file=\S+)\n([\s\S]*?)^```$/gm)].map((match) => ({
    language: match[1] ?? '',
    use: match[2] ?? '',
    text: match[3] ?? '',
    line: markdown.slice(0, match.index).split('\n').length,
  }))
}

/** Text in which `…` stands for anything on one line. */
function patternOf(text: string): RegExp {
  const parts = text.trim().split('…')
  return new RegExp(`^${parts.map((part) => part.replaceAll(/[\\^$.*+?()[\]{}|/]/g, '\\$&')).join('.*')}$`)
}

/** A directory as a reader would have it: `drover` on the PATH and as a package, the examples, a home. */
function prepare(home: LocalHome): { readonly cwd: string; readonly environment: Record<string, string> } {
  const bin = join(home.base, 'bin')
  mkdirSync(bin)
  writeFileSync(join(bin, 'drover'), `#!/bin/sh\nexec '${process.execPath}' '${DROVER_BIN}' "$@"\n`)
  chmodSync(join(bin, 'drover'), 0o755)
  cpSync(join(root, 'examples'), join(home.directory, 'examples'), { recursive: true })
  mkdirSync(join(home.directory, 'node_modules'))
  symlinkSync(root, join(home.directory, 'node_modules', 'drover'))
  const path = `${bin}:${dirname(process.execPath)}:${home.environment.PATH}`
  return { cwd: home.directory, environment: { ...home.environment, PATH: path } }
}

function runBlock(block: Block, cwd: string, environment: Record<string, string>) {
  if (block.language === 'yaml') writeFileSync(join(cwd, 'task.yaml'), block.text)
  if (block.language === 'ts') writeFileSync(join(cwd, 'example.ts'), block.text)
  const script = { yaml: 'drover run task.yaml', ts: 'node example.ts', sh: block.text }[block.language] ?? 'false'
  return spawnSync('sh', ['-e', '-c', script], { cwd, env: environment, encoding: 'utf8', timeout: 60_000 })
}

describe.concurrent('documentation', { timeout: 300_000 }, () => {
  for (const page of pages) {
    const blocks = usedBlocks(readFileSync(join(root, page), 'utf8'))
    if (!blocks.some(({ use }) => use === 'run')) continue
    test(`the examples of ${page} run`, async () => {
      const home = new LocalHome()
      try {
        const { cwd, environment } = prepare(home)
        let printed = ''
        for (const block of blocks) {
          if (block.use.startsWith('file=')) {
            writeFileSync(join(cwd, block.use.slice('file='.length)), block.text)
            continue
          }
          if (block.use === 'output') {
            expect(printed.trim(), `${page}:${block.line}`).toMatch(patternOf(block.text))
            continue
          }
          const { status, stdout, stderr } = runBlock(block, cwd, environment)
          expect(status, `${page}:${block.line}\n${stdout}${stderr}`).toBe(0)
          printed = stdout
        }
      } finally {
        await runDrover(home.environment, ['supervisor', 'stop'])
        await home.close()
      }
    })
  }

  test('examples/pi.yaml prints pi', async () => {
    const home = new LocalHome()
    try {
      const outcome = await runDrover(home.environment, ['run', join(root, 'examples/pi.yaml')])
      expect(outcome.code, outcome.stderr).toBe(0)
      expect(outcome.stdout).toMatch(/pi is about 3\.1[34]\d\d, from 40000000 samples in 20 tasks/)
    } finally {
      await runDrover(home.environment, ['supervisor', 'stop'])
      await home.close()
    }
  })

  test('examples/hello.ts runs', async () => {
    const home = new LocalHome()
    try {
      const { cwd, environment } = prepare(home)
      const outcome = spawnSync('node', ['examples/hello.ts'], { cwd, env: environment, encoding: 'utf8', timeout: 60_000 })
      expect(outcome.stdout, outcome.stderr).toMatch(/hello from \S+\nhello: succeeded, exit code 0\n/)
    } finally {
      await home.close()
    }
  })

  test('the workflows in examples/ run', async () => {
    const home = new LocalHome()
    try {
      const { cwd, environment } = prepare(home)
      const run = (...words: readonly string[]) =>
        spawnSync('drover', ['workflow', 'run', ...words], { cwd, env: environment, encoding: 'utf8', timeout: 60_000 })
      const factorial = run('examples/factorial.json', '-i', 'n=30')
      expect(factorial.stdout, factorial.stderr).toBe('factorial: 265252859812191058636308480000000\n')
      const collatz = run('examples/workflow.ts', '-i', 'numbers=[6, 7, 27]')
      expect(collatz.stdout, collatz.stderr).toBe('steps: [8, 16, 111]\nmost: 111\n')
    } finally {
      await home.close()
    }
  })

  test('the table of executors is the one of the code', () => {
    expect(outdatedPages(false), 'node scripts/executor-table.ts writes it').toEqual([])
  })

  test('links between pages lead somewhere', () => {
    const broken = pages.flatMap((page) =>
      [...readFileSync(join(root, page), 'utf8').matchAll(/\]\((?!https?:|#)([^)#]+)/g)]
        .map((match) => join(dirname(join(root, page)), match[1] ?? ''))
        .filter((path) => {
          try {
            readdirSync(dirname(path))
            return !readdirSync(dirname(path)).includes(path.split('/').at(-1) ?? '')
          } catch {
            return true
          }
        })
        .map((path) => `${page}: ${path}`),
    )
    expect(broken).toEqual([])
  })
})
