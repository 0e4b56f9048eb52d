import { quoteShell } from '../driver/quote.ts'
import { InputError } from '../errors.ts'
import type { LauncherSpec } from '../task/launcher.ts'
import type { RunSpec } from '../task/task-spec.ts'
import { DISTRIBUTED_VARIABLES } from './distributed-launcher.ts'
import type { LaunchContext } from './launch-context.ts'
import { compilePort, compilePrelude, INTERFACE_CHOICE } from './launch-prelude.ts'
import { CONCLUDE, RUN_ONCE } from './node-processes.ts'
import { OPTUNA_TOOL } from './optuna-tool.ts'
import { PEER_COUNT, POSTGRES } from './postgres-service.ts'
import { compileFile, compileUserCommand } from './user-command.ts'

/** Where the study is kept, in the order of what decides it. */
type Storage = 'option' | 'database' | 'file' | 'postgres'

function storageOf({ options }: LauncherSpec, context: LaunchContext): Storage {
  if (options['database'] !== undefined) return 'database'
  if (options['storage'] !== undefined) return 'option'
  return context.numNodes === 1 || context.sharedHome ? 'file' : 'postgres'
}

function refuseBadOptions({ options }: LauncherSpec): void {
  const { storage, database, direction, directions } = options
  if (storage !== undefined && database !== undefined) {
    throw new InputError('invalid_task', 'launcher: storage and database exclude each other', { hint: 'Keep one of them.' })
  }
  if (direction !== undefined && directions !== undefined) {
    throw new InputError('invalid_task', 'launcher: direction and directions exclude each other', { hint: 'Keep one of them.' })
  }
  if (typeof storage === 'string' && /^[^/]*:\/\/[^/@]*:[^/@]+@/.test(storage)) {
    throw new InputError('invalid_task', 'launcher: storage holds a password, and plans are printed', {
      hint: 'Register it (drover db add NAME, then the option database: NAME), or give it as a secret: secrets: {OPTUNA_STORAGE: …}.',
    })
  }
}

const STORAGE_LINES: Readonly<Record<Storage, (value: string) => string>> = {
  option: (value) => `_d_uri=${quoteShell(value)}\n`,
  database: (value) => `_d_uri=\${DROVER_DATABASE_URI:-}
[ -n "$_d_uri" ] || _d_fail ${quoteShell(`the URI of database "${value}" did not reach this node; register it: drover db add ${value}`)}
`,
  file: () => `_d_uri=\${OPTUNA_STORAGE:-\${DATABASE_URI:-}}
if [ -z "$_d_uri" ]; then
  # Beside the attempts, so that a retry goes on with the study.
  _d_data=\${DROVER_ATTEMPT_DIR%/*}
  [ -w "$_d_data" ] || _d_data=$_d_launch
  _d_uri=sqlite:///$_d_data/optuna.db
fi
`,
  postgres: () => `_d_uri=\${OPTUNA_STORAGE:-\${DATABASE_URI:-}}
_d_service=''
[ -n "$_d_uri" ] || _d_service=postgres
`,
}

/**
 * `optuna`: the command once per node, with the variables of `distributed` and STUDY_NAME, DATABASE_URI (torch-submit's
 * documentation), OPTUNA_STUDY_NAME, OPTUNA_STORAGE (its code). The study is made before any node's command starts. Storage:
 * the options `database` or `storage`; OPTUNA_STORAGE or DATABASE_URI of the task's own variables; a SQLite file of the job
 * where all nodes see it; else a PostgreSQL that the head node runs for the length of the job. Optuna 2.0 and later.
 * Throws InputError `invalid_task` on a password in `storage` and on options that exclude each other.
 */
export function compileOptuna(launcher: LauncherSpec, run: RunSpec, context: LaunchContext): string {
  refuseBadOptions(launcher)
  const { options } = launcher
  const storage = storageOf(launcher, context)
  const directions = Array.isArray(options['directions']) ? options['directions'] : [options['direction'] ?? 'minimize']
  const study = typeof options['study'] === 'string' ? quoteShell(options['study']) : '"${STUDY_NAME:-${DROVER_JOB_NAME:-study}}"'
  const dashboard = options['dashboard']
  const named = typeof options['python'] === 'string' ? quoteShell(options['python']) : "''"
  const source = options['database'] ?? options['storage']
  return `${compilePrelude('optuna')}${INTERFACE_CHOICE}${compilePort(options['port'])}${DISTRIBUTED_VARIABLES}${CONCLUDE}
# The Python that has Optuna.
_d_python=${named}
for _d_each in python3 python; do
  [ -z "$_d_python" ] && command -v "$_d_each" >/dev/null 2>&1 || continue
  "$_d_each" -c 'import importlib.util as u, sys; sys.exit(u.find_spec("optuna") is None)' && _d_python=$_d_each
done
if [ -z "$_d_python" ]; then
  _d_say "there is no Python with optuna on PATH of node $_d_rank; install optuna in setup, or name the interpreter by the launcher's option python"
  exit 127
fi
${compileFile('"$_d_launch/optuna-$_d_id.py"', OPTUNA_TOOL)}_d_tool() { "$_d_python" "$_d_launch/optuna-$_d_id.py" "$@"; }
# What was started beside the command ends with it.
_d_dashboard='' _d_sql_pid='' _d_sql_data=''
_d_clean() {
  [ -z "$_d_dashboard" ] || kill "$_d_dashboard" 2>/dev/null
  [ -z "$_d_sql_pid" ] || { kill -INT "$_d_sql_pid" && wait "$_d_sql_pid"; } 2>/dev/null
  [ -z "$_d_sql_data" ] || rm -rf "$_d_sql_data"
}

${STORAGE_LINES[storage](typeof source === 'string' ? source : '')}${storage === 'postgres' ? POSTGRES : ''}_d_study=${study}
export STUDY_NAME="$_d_study" OPTUNA_STUDY_NAME="$_d_study" DATABASE_URI="$_d_uri" OPTUNA_STORAGE="$_d_uri"
# The head makes the study, once; the others wait for it.
if [ "$_d_rank" = 0 ]; then
${storage === 'postgres' ? '  [ -z "$_d_service" ] || _d_tool table || exit\n' : ''}  _d_tool create ${directions.map((each) => quoteShell(String(each))).join(' ')} || exit
else
  _d_tool await 300 || exit
fi
${dashboard === undefined || dashboard === false ? '' : dashboardLines(dashboard)}
${compileUserCommand(run)}${storage === 'postgres' ? PEER_COUNT : storage === 'file' && dashboard === undefined ? '[ "$_d_nodes" != 1 ] || exec "$@"\n' : ''}${RUN_ONCE}`
}

function dashboardLines(dashboard: unknown): string {
  return `
# The dashboard, on the head: in the job's group, so that it ends with the job.
if [ "$_d_rank" = 0 ]; then
  _d_find_port ${typeof dashboard === 'number' ? dashboard : 8080}
  _d_tool dashboard "$_d_free" </dev/null >"$_d_launch/dashboard.log" 2>&1 &
  _d_dashboard=$!
  trap _d_clean EXIT
  _d_say "optuna-dashboard at http://127.0.0.1:$_d_free on the head node"
fi
`
}
