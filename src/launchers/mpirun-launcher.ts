import { quoteArgv } from '../driver/quote.ts'
import type { LauncherSpec } from '../task/launcher.ts'
import type { RunSpec } from '../task/task-spec.ts'
import { compilePrelude, THREADS } from './launch-prelude.ts'
import { compileUserCommand } from './user-command.ts'

/**
 * `mpirun`: one on the head, over all nodes; the other nodes end at once with 0. Over several nodes it needs what mpirun
 * itself needs: ssh without a password from the head to the names in DROVER_NODELIST, the same MPI and the same path of the
 * work directory on each. Open MPI, and Hydra (MPICH, Intel MPI), whose flags differ. Names of the variables that go along are
 * on the command line, values are not; those of a single node (DROVER_NODE_RANK, …) stay behind.
 */
export function compileMpirun({ options }: LauncherSpec, run: RunSpec, envNames: readonly string[]): string {
  const program = typeof options['program'] === 'string' ? options['program'] : 'mpirun'
  const extra = Array.isArray(options['args']) ? options['args'].map(String) : []
  return `${compilePrelude('mpirun')}${THREADS}
${compileUserCommand(run, { shared: true })}
# One mpirun, on the head, starts the processes of all nodes.
[ "$_d_rank" = 0 ] || exit 0
command -v ${quoteArgv([program])} >/dev/null 2>&1 || { _d_say ${quoteArgv([`there is no ${program} on PATH of the head node; install Open MPI or MPICH, or load its module in the target's prologue`])} && exit 127; }
_d_hosts='' _d_rest=\${DROVER_NODELIST:-localhost},
while [ -n "$_d_rest" ]; do
  _d_hosts=$_d_hosts\${_d_hosts:+,}\${_d_rest%%,*}:$_d_processes _d_rest=\${_d_rest#*,}
done
_d_total=$((_d_nodes * _d_processes))
_d_names='${['PATH', 'LD_LIBRARY_PATH', 'PYTHONPATH', 'VIRTUAL_ENV', 'OMP_NUM_THREADS', 'PYTHONUNBUFFERED', ...FORWARDED, ...envNames].join(' ')}'
case $(${quoteArgv([program])} --version 2>&1) in
  *'Open MPI'* | *OpenRTE*)
    # shellcheck disable=SC2016
    [ "$(id -u)" != 0 ] || export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
    for _d_each in $_d_names; do
      eval "[ -z \\"\\\${$_d_each+x}\\" ]" || set -- -x "$_d_each" "$@"
    done
    [ "$_d_nodes" = 1 ] && set -- --oversubscribe "$@" || set -- --host "$_d_hosts" "$@"
    set -- -np "$_d_total" --wdir "$PWD" "$@"
    ;;
  *)
    _d_list=''
    for _d_each in $_d_names; do
      eval "[ -z \\"\\\${$_d_each+x}\\" ]" || _d_list=$_d_list\${_d_list:+,}$_d_each
    done
    [ "$_d_nodes" = 1 ] || set -- -hosts "$_d_hosts" -genvlist "$_d_list" "$@"
    set -- -np "$_d_total" -wdir "$PWD" "$@"
    ;;
esac
${quoteArgv([program, ...extra])} "$@" &
${AWAIT}`
}

/**
 * Waits for mpirun and ends with its code. Open MPI gives each process of the head a group of its own, so that a killed mpirun
 * leaves them behind, where no signal to the job's group reaches them: they are known by their environment. Those of other
 * nodes end with their connection to mpirun.
 */
const AWAIT = `_d_child=$!
# A TERM to the group has reached mpirun itself, and a second one would make it leave its processes.
_d_forward() {
  { read -r _d_stat <"/proc/$$/stat"; } 2>/dev/null || return 0
  # shellcheck disable=SC2086
  set -- \${_d_stat##*) }
  [ "\${3:-$$}" = "$$" ] || kill -TERM "$_d_child" 2>/dev/null
}
trap _d_forward TERM INT
while :; do
  wait "$_d_child"
  _d_code=$?
  kill -0 "$_d_child" 2>/dev/null || break
done
[ "$_d_code" != 0 ] || exit 0
trap '' TERM INT
# Files among "$@" that hold the variable: all of $1, or its name.
_d_holding() {
  _d_how=$1 _d_what=$2
  shift 2
  [ "$#" = 0 ] || grep -lz "$_d_how" -e "$_d_what" -- "$@" 2>/dev/null
}
_d_found=$(_d_holding -Fx "DROVER_ATTEMPT_DIR=$DROVER_ATTEMPT_DIR" /proc/[0-9]*/environ)
# shellcheck disable=SC2086
_d_found=$(_d_holding -E '^(OMPI_COMM_WORLD_RANK|PMI_RANK)=' $_d_found)
# shellcheck disable=SC2086
[ -z "\${DROVER_ARRAY_INDEX:-}" ] || _d_found=$(_d_holding -Fx "DROVER_ARRAY_INDEX=$DROVER_ARRAY_INDEX" $_d_found)
for _d_each in $_d_found; do
  _d_each=\${_d_each#/proc/}
  kill -KILL "\${_d_each%/environ}" 2>/dev/null
done
exit "$_d_code"
`

/** Of the job, the same on every node. */
const FORWARDED = [
  ...['JOB_ID', 'JOB_NAME', 'ATTEMPT', 'TARGET', 'NUM_NODES', 'NODE_IPS', 'NODELIST', 'HEAD_IP', 'NUM_GPUS_PER_NODE'],
  ...['CPUS_PER_NODE', 'PROCESSES_PER_NODE', 'CPUS_PER_PROCESS', 'MASTER_PORT'],
].map((name) => `DROVER_${name}`)
