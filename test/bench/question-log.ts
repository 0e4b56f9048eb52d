import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { SshRig } from '../engines/ssh-rig.ts'

const COMMANDS = ['sbatch', 'squeue', 'sacct'] as const

/** One call of a command of the scheduler. */
export interface Question {
  readonly command: (typeof COMMANDS)[number]
  /** Epoch ms. */
  readonly at: number
}

/** Notes every call of Slurm's commands that the account of a rig makes, by ssh or on the login machine. */
export interface QuestionLog extends Disposable {
  /** To be put first on PATH where no start-up file is read. */
  readonly path: string
  calls(): readonly Question[]
}

/** Puts commands that note their call before the real ones. Start-up files bring them to commands that come by ssh. */
export function openQuestionLog(rig: SshRig): QuestionLog {
  const path = join(rig.directory, 'bench-bin')
  const log = join(path, 'log')
  mkdirSync(path)
  writeFileSync(log, '')
  for (const command of COMMANDS)
    writeFileSync(join(path, command), `#!/bin/sh\necho "$(date +%s%N) ${command}" >>'${log}'\nexec /usr/bin/${command} "$@"\n`)
  rig.on('login', 'sh', '-c', 'chmod 755 "$1" "$1"/s*; chmod 666 "$1/log"', 'sh', path)
  rig.startup('login', `PATH=${path}:$PATH\n`)
  return {
    path,
    calls: () =>
      readFileSync(log, 'utf8')
        .split('\n')
        .flatMap((line) => {
          const [at, command] = line.split(' ')
          const known = COMMANDS.find((each) => each === command)
          return known === undefined ? [] : [{ command: known, at: Number(at) / 1e6 }]
        }),
    [Symbol.dispose]() {
      rig.startup('login', undefined)
      rmSync(path, { recursive: true, force: true })
    },
  }
}
