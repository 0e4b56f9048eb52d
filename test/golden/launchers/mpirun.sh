# Launcher mpirun, made by Drover.
{ set +eux; } 2>/dev/null
_d_say() { echo "drover: launcher mpirun: $1" >&2; }
_d_fail() { _d_say "$1" && exit 125; }
_d_rank=${DROVER_NODE_RANK:-0} _d_nodes=${DROVER_NUM_NODES:-1} _d_processes=${DROVER_PROCESSES_PER_NODE:-1}
_d_id=$_d_rank${DROVER_ARRAY_INDEX:+.$DROVER_ARRAY_INDEX}
# This node's own address: the line of its rank.
_d_ip='' _d_at=0
while IFS= read -r _d_line; do
  [ "$_d_at" != "$_d_rank" ] || _d_ip=$_d_line
  _d_at=$((_d_at + 1))
done <<_D_IPS
${DROVER_NODE_IPS:-127.0.0.1}
_D_IPS
_d_launch=${DROVER_ATTEMPT_DIR:-.}/launch
mkdir -p "$_d_launch" 2>/dev/null && [ -w "$_d_launch" ] || _d_launch=$(mktemp -d) || _d_fail 'there is no directory to write to'
export OMP_NUM_THREADS="${OMP_NUM_THREADS:-${DROVER_CPUS_PER_PROCESS:-1}}"

set -- ./solve 'a b'

# One mpirun, on the head, starts the processes of all nodes.
[ "$_d_rank" = 0 ] || exit 0
command -v mpirun >/dev/null 2>&1 || { _d_say 'there is no mpirun on PATH of the head node; install Open MPI or MPICH, or load its module in the target'\''s prologue' && exit 127; }
_d_hosts='' _d_rest=${DROVER_NODELIST:-localhost},
while [ -n "$_d_rest" ]; do
  _d_hosts=$_d_hosts${_d_hosts:+,}${_d_rest%%,*}:$_d_processes _d_rest=${_d_rest#*,}
done
_d_total=$((_d_nodes * _d_processes))
_d_names='PATH LD_LIBRARY_PATH PYTHONPATH VIRTUAL_ENV OMP_NUM_THREADS PYTHONUNBUFFERED DROVER_JOB_ID DROVER_JOB_NAME DROVER_ATTEMPT DROVER_TARGET DROVER_NUM_NODES DROVER_NODE_IPS DROVER_NODELIST DROVER_HEAD_IP DROVER_NUM_GPUS_PER_NODE DROVER_CPUS_PER_NODE DROVER_PROCESSES_PER_NODE DROVER_CPUS_PER_PROCESS DROVER_MASTER_PORT LR TOKEN'
case $(mpirun --version 2>&1) in
  *'Open MPI'* | *OpenRTE*)
    # shellcheck disable=SC2016
    [ "$(id -u)" != 0 ] || export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
    for _d_each in $_d_names; do
      eval "[ -z \"\${$_d_each+x}\" ]" || set -- -x "$_d_each" "$@"
    done
    [ "$_d_nodes" = 1 ] && set -- --oversubscribe "$@" || set -- --host "$_d_hosts" "$@"
    set -- -np "$_d_total" --wdir "$PWD" "$@"
    ;;
  *)
    _d_list=''
    for _d_each in $_d_names; do
      eval "[ -z \"\${$_d_each+x}\" ]" || _d_list=$_d_list${_d_list:+,}$_d_each
    done
    [ "$_d_nodes" = 1 ] || set -- -hosts "$_d_hosts" -genvlist "$_d_list" "$@"
    set -- -np "$_d_total" -wdir "$PWD" "$@"
    ;;
esac
mpirun --bind-to core "$@" &
_d_child=$!
# A TERM to the group has reached mpirun itself, and a second one would make it leave its processes.
_d_forward() {
  { read -r _d_stat <"/proc/$$/stat"; } 2>/dev/null || return 0
  # shellcheck disable=SC2086
  set -- ${_d_stat##*) }
  [ "${3:-$$}" = "$$" ] || kill -TERM "$_d_child" 2>/dev/null
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
[ -z "${DROVER_ARRAY_INDEX:-}" ] || _d_found=$(_d_holding -Fx "DROVER_ARRAY_INDEX=$DROVER_ARRAY_INDEX" $_d_found)
for _d_each in $_d_found; do
  _d_each=${_d_each#/proc/}
  kill -KILL "${_d_each%/environ}" 2>/dev/null
done
exit "$_d_code"
