import type { CommandCall } from '../fake-commands/command-call.ts'
import { PBS_VERSION, SERVER } from './pbs-options.ts'

/** Ways in which PBS is broken. `stopped`: no server; `hung`: it takes connections and does not answer. */
export type PbsOutage = 'stopped' | 'hung'

/** What a command says while the server is stopped, as captured (OpenPBS 23.06.06). Resolves to the exit code. */
export function answerStopped(call: CommandCall, now: number): number {
  const { command, argv } = call
  call.err('Connection refused\n')
  switch (command) {
    case 'qstat':
      if (argv.includes('json'))
        call.out(`{\n\t"timestamp":\t${Math.floor(now / 1000)},\n\t"pbs_version":\t"${PBS_VERSION}",\n\t"pbs_server":\t"${SERVER}"\n}\n`)
      call.err(`qstat: cannot connect to server ${SERVER} (errno=15010)\n`)
      return 255
    case 'qdel':
      call.err(`Couldn't connect to cluster: ${SERVER}\n`)
      return 162
    case 'pbsnodes':
      call.err(`pbsnodes: cannot connect to server ${SERVER}, error=15010\n`)
      return 1
    default:
      call.err(`${command}: cannot connect to server ${SERVER} (errno=15010)\n`)
      return 162
  }
}
