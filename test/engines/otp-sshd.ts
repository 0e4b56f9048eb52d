import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { until } from '../../src/testing/index.ts'
import { DROVER_BIN } from '../conformance/local-home.ts'
import type { SshRig } from './ssh-rig.ts'

/** Port of the second sshd. */
export const OTP_PORT = 2200

/** A second sshd on machines of a rig that wants the key and a one-time password: each password opens one connection and is gone. */
export class OtpSshd {
  readonly #rig: SshRig
  readonly #machines: readonly string[]
  readonly #directory: string
  #made = 0

  constructor(rig: SshRig, machines: readonly string[]) {
    this.#rig = rig
    this.#machines = machines
    this.#directory = join(rig.directory, 'otp')
  }

  /** PAM has a configuration of its own inside the machine only: a bind mount in its namespace. */
  start(): this {
    for (const machine of this.#machines) {
      this.#rig.on(
        machine,
        'sh',
        '-euc',
        `rig=$1 machine=$2 d=$3
mkdir -p "$d/codes.$machine"
cat >"$d/check" <<'X'
#!/bin/sh
code=$(tr -d '\\000')
case $code in '' | *[!0-9]*) exit 1 ;; esac
rm "\${0%/*}/codes.$(uname -n)/$code" 2>/dev/null
X
chmod 755 "$d/check"
printf '%s\\n' "auth required pam_exec.so quiet expose_authtok $d/check" 'auth required pam_permit.so' 'account required pam_permit.so' 'session required pam_permit.so' >"$d/pam"
mount --bind "$d/pam" /etc/pam.d/sshd
sed -e '/^ListenAddress/s/:22$/:${OTP_PORT}/' -e '/^UsePAM/d' -e '/^KbdInteractiveAuthentication/d' "$rig/ssh/sshd_config.$machine" >"$d/sshd_config.$machine"
printf '%s\\n' 'UsePAM yes' 'KbdInteractiveAuthentication yes' 'AuthenticationMethods publickey,keyboard-interactive' >>"$d/sshd_config.$machine"
exec /usr/sbin/sshd -f "$d/sshd_config.$machine" -E "$d/log.$machine"`,
        'sh',
        this.#rig.directory,
        machine,
        this.#directory,
      )
    }
    return this
  }

  /** A password that opens one connection to a machine. */
  code(machine: string): string {
    const code = String(100_000 + ++this.#made)
    this.#rig.on(machine, 'sh', '-c', ': >"$1"', 'sh', join(this.#directory, `codes.${machine}`, code))
    return code
  }

  /** How many connections an sshd has let in. */
  accepted(): number {
    return this.#machines
      .map((machine) =>
        this.#rig.on(machine, 'sh', '-c', 'grep -c "^Accepted" "$1" || true', 'sh', join(this.#directory, `log.${machine}`)),
      )
      .reduce((sum, count) => sum + Number(count), 0)
  }

  stop(): void {
    for (const machine of this.#machines) {
      // Its own configuration file tells it from the machine's other sshd.
      const script = 'pkill -f "^sshd: .*$1/sshd_config" || true; umount /etc/pam.d/sshd'
      this.#rig.on(machine, 'sh', '-c', script, 'sh', this.#directory)
    }
    rmSync(this.#directory, { recursive: true })
  }
}

/** Runs the built command at a terminal of its own, and types each answer when the text it belongs to is asked. */
export async function typeAtTerminal(
  environment: Readonly<Record<string, string>>,
  args: readonly string[],
  answers: readonly (readonly [asked: RegExp, answer: string])[],
): Promise<{ readonly code: number | null; readonly screen: string }> {
  const command = [process.execPath, DROVER_BIN, ...args].map((word) => `'${word}'`).join(' ')
  const child = spawn('script', ['-qec', command, '/dev/null'], { env: environment, stdio: ['pipe', 'pipe', 'inherit'] })
  let screen = ''
  let read = 0
  child.stdout.on('data', (piece: Buffer) => {
    screen += piece.toString()
  })
  const closed = once(child, 'close') as Promise<[number | null]>
  try {
    for (const [asked, answer] of answers) {
      await until(`the terminal to ask ${asked}`, 30_000, () => asked.test(screen.slice(read)) || child.exitCode !== null)
      read = screen.length
      child.stdin.write(`${answer}\n`)
    }
    const [code] = await closed
    return { code, screen }
  } finally {
    child.kill('SIGKILL')
  }
}
