import { chmod, mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { expect } from 'vitest'
import type { ExecutorCase } from '../executor-fixture.ts'
import { readLog } from '../waiting.ts'
import { runToEnd } from './exit.ts'

/** Values that break naive quoting. None holds a NUL, which no environment can carry. */
export const HOSTILE_VALUES: Readonly<Record<string, string>> = {
  empty: '',
  spaces: '  two  spaces  ',
  single_quote: "it's",
  quotes: `"'"'"'`,
  newline: 'first\nsecond',
  newlines_at_end: 'text\n\n',
  command: '$(touch PWNED) `touch PWNED` $HOME ${HOME}',
  backslashes: '\\ \\\\ \\n \\',
  glob: '* ? [a-z] ~ {a,b}',
  operators: '; && || | & > < # !x ()',
  leading_dash: '-rf',
  leading_dashes: '--help',
  equals: '=A=B',
  percent: '%s %d %%',
  tab_and_return: 'a\tb\rc',
  escape: '\u001b[31mred\u0007',
  unicode: 'żółw 日本語 🐢 \u0301',
  dots: '../../etc/passwd',
  long: 'x'.repeat(100_000),
}

const names = Object.keys(HOSTILE_VALUES)
const values = Object.values(HOSTILE_VALUES)

/** Names of directories: no slash, no more than 255 bytes. */
const HOSTILE_DIRECTORIES = ['-rf', ' a  b ', "it's", '"', 'a\nb', '$(touch PWNED)', '`id`', 'żółw 🐢', '*', 'a;b&c', 'back\\slash', '#x']

/** Values that scripts, names and paths must survive unchanged. */
export const hostileCases: readonly ExecutorCase[] = [
  {
    name: 'hostile values in env arrive unchanged',
    run: async (context) => {
      const envs = Object.fromEntries(names.map((name) => [`H_${name}`, HOSTILE_VALUES[name] ?? '']))
      const job = await runToEnd(context, { envs, run: names.map((name) => `printf '%s\\0' "$H_${name}"`).join('\n') })
      expect(job.state).toBe('succeeded')
      expect((await readLog(context.drover, job.id)).toString().split('\0').slice(0, -1)).toEqual(values)
    },
  },
  {
    name: 'hostile values in arguments arrive unchanged',
    run: async (context) => {
      const job = await runToEnd(context, { run: ['printf', '%s\\0', ...values] })
      expect(job.state).toBe('succeeded')
      expect((await readLog(context.drover, job.id)).toString().split('\0').slice(0, -1)).toEqual(values)
    },
  },
  {
    name: 'hostile values in arrays arrive unchanged',
    run: async (context) => {
      const job = await runToEnd(context, {
        array: { elements: { kind: 'values', values }, size: values.length },
        run: 'printf "%s" "$DROVER_ARRAY_VALUE"',
      })
      expect(job).toMatchObject({ state: 'succeeded', elements: { total: values.length, succeeded: values.length } })
      const texts = await Promise.all(
        values.map(async (_, position) =>
          (await readLog(context.drover, job.id, { elements: [position], streams: ['stdout'] })).toString(),
        ),
      )
      expect(texts).toEqual(values)
    },
  },
  {
    name: 'hostile names run',
    run: async (context) => {
      // A name of 100 kB or an empty one is refused before it gets here; the others are only words.
      for (const name of values.filter((value) => value !== '' && value.length < 200)) {
        const job = await runToEnd(context, { name, run: 'exit 0' })
        expect(job).toMatchObject({ name, state: 'succeeded' })
      }
    },
  },
  {
    name: 'hostile work directories run',
    run: async (context) => {
      const base = join(context.directory, crypto.randomUUID())
      for (const name of HOSTILE_DIRECTORIES) {
        const path = join(base, name)
        await mkdir(path, { recursive: true })
        // Jobs may run under another account.
        await chmod(path, 0o777)
        const job = await runToEnd(context, { workdir: { kind: 'link', path }, run: 'printf "%s" "$PWD"; touch PWNED-not' })
        expect(job.state).toBe('succeeded')
        expect((await readLog(context.drover, job.id)).toString()).toBe(path)
      }
    },
  },
  {
    name: 'a hostile home runs',
    fresh: { homeName: '-h $(touch PWNED) \'q" żółw' },
    run: async (context) => {
      const job = await runToEnd(context, { setup: 'echo s', run: 'echo "$DROVER_JOB_ID"' })
      expect(job.state).toBe('succeeded')
      expect((await readLog(context.drover, job.id)).toString()).toBe(`${job.id}\n`)
    },
  },
]
