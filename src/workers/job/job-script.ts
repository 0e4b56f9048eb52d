import { quoteArgv, quoteShell } from '../../driver/quote.ts'

/** A worker's command: words that no shell splits, or shell text. The path of the call's arguments is put behind it. */
export type WorkerCommand = string | readonly string[]

/**
 * Who of several processes or nodes gets the call's own arguments.
 * `all`: each one (one node without launcher; or the worker, an MPI program, sees to it that one of its processes writes).
 * `first_node`: only the first node runs the worker, the others end at once.
 * `first_rank`: each process runs it; those after the first get arguments whose outputs and markers lie where nobody reads them.
 */
export type WritingRanks = 'all' | 'first_node' | 'first_rank'

/** What the script of a call, or of an array of calls, is made of. */
export interface CallScript {
  /** Absolute checkpoints directory, or `{inWorkDir}`: below the directory where the job starts. */
  readonly root: string | { readonly inWorkDir: string }
  /** Where the command runs: absolute or from `~/`, or below the directory where the job starts; undefined: there. */
  readonly directory?: string
  readonly command: WorkerCommand
  /** Path of the arguments from `root`; undefined: the element's value. */
  readonly argsPath?: string
  readonly writing: WritingRanks
  /** The call's variables are read, too. */
  readonly variables?: boolean
  /** Variables that the user sets and that the script therefore leaves alone. */
  readonly given?: Readonly<Record<string, unknown>>
}

/** File beside a call's arguments with variables for a script. */
export const CALL_VARIABLES = 'drover-variables'

/** Directory beside a call's arguments with those of the processes that do not write. */
export const OTHER_RANKS = 'drover-ranks'

/**
 * Variables that tell a process its rank, by the launcher's own order: Open MPI, PMIx, MPICH and Intel MPI, MVAPICH2; torchrun and
 * `distributed` (RANK per process, NODE_RANK per node). None of them: the first.
 */
const RANK = '${OMPI_COMM_WORLD_RANK:-${PMIX_RANK:-${PMI_RANK:-${MV2_COMM_WORLD_RANK:-${RANK:-${NODE_RANK:-0}}}}}}'

/**
 * Text of the job's script. `{root: '/data/runs', directory: '/workers/sim', command: ['uv', 'run', 'main.py'], argsPath: 'W/-.N1/definition'}`
 * becomes
 * ```
 * export TKR_DIR=/data/runs VIRTUAL_ENVIRONMENT=
 * cd /workers/sim || exit 126
 * drover_call=W/-.N1/definition
 * exec uv run main.py "$drover_call"
 * ```
 */
export function compileCallScript({ root, directory, command, argsPath, writing, variables, given = {} }: CallScript): string {
  // Where nodes see the run's directory by another name, the user says so in TKR_DIR.
  const exported = [
    ...(Object.hasOwn(given, 'TKR_DIR') && typeof root === 'string'
      ? []
      : [`TKR_DIR=${typeof root === 'string' ? quoteShell(root) : `"$PWD"/${quoteShell(root.inWorkDir)}`}`]),
    ...(Object.hasOwn(given, 'VIRTUAL_ENVIRONMENT') ? [] : ['VIRTUAL_ENVIRONMENT=']),
  ]
  const lines = [
    ...(writing === 'first_node' ? ['[ "${DROVER_NODE_RANK:-0}" = 0 ] || exit 0'] : []),
    ...(exported.length === 0 ? [] : [`export ${exported.join(' ')}`]),
    ...(directory === undefined ? [] : [`cd ${homePath(directory)} || exit 126`]),
    `drover_call=${argsPath === undefined ? '$DROVER_ARRAY_VALUE' : quoteShell(argsPath)}`,
    ...(writing === 'first_rank' ? [`[ "${RANK}" = 0 ] || drover_call=\${drover_call%/*}/${OTHER_RANKS}/definition`] : []),
    ...(variables ? [`. "$TKR_DIR/\${drover_call%/*}/${CALL_VARIABLES}"`] : []),
    // Shell text may be several commands; only one command takes the script's place.
    typeof command === 'string' ? `${command.trimEnd()} "$drover_call"` : `exec ${quoteArgv(command)} "$drover_call"`,
  ]
  return `${lines.join('\n')}\n`
}

function homePath(path: string): string {
  if (path === '~') return '"$HOME"'
  return path.startsWith('~/') ? `"$HOME"/${quoteShell(path.slice(2))}` : quoteShell(path)
}
