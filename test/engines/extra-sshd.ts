import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { SshRig } from './ssh-rig.ts'

/** One more sshd on a machine of a rig, with addresses and settings of its own. */
export class ExtraSshd {
  readonly #rig: SshRig
  readonly #machine: string
  readonly #directory: string

  /** @param lines of sshd_config; what the machine's own sshd is told holds where they say nothing */
  constructor(rig: SshRig, machine: string, lines: readonly string[]) {
    this.#rig = rig
    this.#machine = machine
    this.#directory = join(rig.directory, `extra-sshd.${machine}`)
    mkdirSync(this.#directory, { recursive: true })
    writeFileSync(join(this.#directory, 'extra'), `${lines.join('\n')}\n`)
    const script = `grep -v '^ListenAddress' "$1" | cat "$2/extra" - >"$2/sshd_config" && exec /usr/sbin/sshd -f "$2/sshd_config" -E "$2/log"`
    rig.on(machine, 'sh', '-c', script, 'sh', join(rig.directory, 'ssh', `sshd_config.${machine}`), this.#directory)
  }

  stop(): void {
    this.#rig.on(this.#machine, 'sh', '-c', 'pkill -f "^sshd: .*$1/sshd_config" || true', 'sh', this.#directory)
    rmSync(this.#directory, { recursive: true })
  }
}
