import type { LauncherSpec } from '../task/launcher.ts'
import type { RunSpec } from '../task/task-spec.ts'
import { compilePort, compilePrelude, DEBUG_VARIABLES, INTERFACE_CHOICE, THREADS } from './launch-prelude.ts'
import { CONCLUDE, RUN_ONCE, SPAWN } from './node-processes.ts'
import { compileUserCommand } from './user-command.ts'

/**
 * Variables of torch.distributed's `env://` for a whole node, as torch-submit 0.1 names them: WORLD_SIZE counts the processes
 * of all nodes, LOCAL_WORLD_SIZE those of this one. RANK and LOCAL_RANK belong to a process.
 */
export const DISTRIBUTED_VARIABLES = `
export MASTER_ADDR="\${DROVER_HEAD_IP:-127.0.0.1}" MASTER_PORT="$_d_port" WORLD_SIZE=$((_d_nodes * _d_processes))
export NODE_RANK="$_d_rank" LOCAL_WORLD_SIZE="$_d_processes"
`

/**
 * `distributed`: the command once per node; with \`spawn: true\` once per process. On one node \`python train.py\` becomes
 * \`exec python train.py\` behind the lines that export MASTER_ADDR and its kin.
 */
export function compileDistributed({ options }: LauncherSpec, run: RunSpec): string {
  const start = options['spawn'] === true ? `${CONCLUDE}${SPAWN}` : `[ "$_d_nodes" != 1 ] || exec "$@"\n${CONCLUDE}${RUN_ONCE}`
  return `${compilePrelude('distributed')}${INTERFACE_CHOICE}${options['spawn'] === true ? THREADS : ''}${options['debug'] === true ? DEBUG_VARIABLES : ''}${compilePort(options['port'])}${DISTRIBUTED_VARIABLES}
${compileUserCommand(run)}${start}`
}
