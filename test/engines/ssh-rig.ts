import { execFileSync } from 'node:child_process'
import { join } from 'node:path'

/** Four machines with sshd, `node1` to `node4`, made by rig/cluster.sh; run.sh brings them up and names their directories. */
export class SshRig {
  readonly directory: string

  /** `private`: each machine has a home of its own; `shared`: one home; `slurm`: one home, a `login` machine, and Slurm. */
  constructor(home: 'private' | 'shared' | 'slurm') {
    const name = `DROVER_RIG_${home.toUpperCase()}`
    const directory = process.env[name]
    if (directory === undefined) throw new Error(`${name} names no rig: run npm run test:engines`)
    this.directory = directory
  }

  get configFile(): string {
    return join(this.directory, 'ssh/ssh_config')
  }

  /** Breaks or mends something: `fault('cut-network', '1')`; rig/fault.sh lists them. */
  fault(...args: string[]): string {
    return this.#run('fault.sh', ['--dir', this.directory, ...args])
  }

  /** Runs a command inside a machine as root. */
  on(machine: string, ...command: string[]): string {
    return this.#run('cluster.sh', ['on', '--dir', this.directory, machine, ...command])
  }

  /** The same as the user, in the home there. */
  as(machine: string, ...command: string[]): string {
    return this.#run('cluster.sh', ['as', '--dir', this.directory, machine, 'sh', '-c', 'cd && exec "$@"', 'sh', ...command])
  }

  /** Start-up files of the account on a machine whose home is its own; undefined: none. */
  startup(machine: string, text: string | undefined): void {
    const script = text === undefined ? 'cd && rm -f .bashrc' : 'cd && cat >.bashrc'
    this.#run('cluster.sh', ['as', '--dir', this.directory, machine, 'sh', '-c', script], text ?? '')
  }

  /** Makes the account on a machine find no such program: a directory of links to all others is its PATH. */
  hideTool(machine: string, tool: string): void {
    this.as(machine, 'sh', '-c', `mkdir -p "no-$1" && cd "no-$1" && ln -sf /usr/bin/* /usr/sbin/* . && rm -f "$1" "$1"[0-9.-]*`, 'sh', tool)
    this.startup(machine, `PATH=$HOME/no-${tool}\n`)
  }

  /** Commands of the user's processes on a machine, without sshd's own. */
  processes(machine: string): readonly string[] {
    return this.on(machine, 'sh', '-c', 'ps -u drover -o pid=,args= || true')
      .split('\n')
      .map((line) => line.trim())
      .filter((line) => line !== '' && !line.includes('sshd: drover'))
  }

  /** The command line of `as`, for a process that lives longer. */
  command(machine: string, ...command: string[]): readonly [string, ...string[]] {
    return ['bash', join(import.meta.dirname, 'rig', 'cluster.sh'), 'as', '--dir', this.directory, machine, ...command]
  }

  #run(script: string, args: readonly string[], input = ''): string {
    return execFileSync('bash', [join(import.meta.dirname, 'rig', script), ...args], {
      encoding: 'utf8',
      input,
    })
  }
}
