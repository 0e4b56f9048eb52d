import type { LauncherKind } from '../task/launcher.ts'

/**
 * What every launch script begins with: POSIX sh that relies on the job's environment alone. Names begin with `_d_`, which no
 * variable of a user may. Sets `_d_rank`, `_d_nodes`, `_d_processes`, `_d_ip` (this node's own address), `_d_launch` (a
 * directory of the attempt) and `_d_id` (what its files are named by: rank, and element of an array).
 */
export function compilePrelude(kind: LauncherKind): string {
  return `# Launcher ${kind}, made by Drover.
{ set +eux; } 2>/dev/null
_d_say() { echo "drover: launcher ${kind}: $1" >&2; }
_d_fail() { _d_say "$1" && exit 125; }
_d_rank=\${DROVER_NODE_RANK:-0} _d_nodes=\${DROVER_NUM_NODES:-1} _d_processes=\${DROVER_PROCESSES_PER_NODE:-1}
_d_id=$_d_rank\${DROVER_ARRAY_INDEX:+.$DROVER_ARRAY_INDEX}
# This node's own address: the line of its rank.
_d_ip='' _d_at=0
while IFS= read -r _d_line; do
  [ "$_d_at" != "$_d_rank" ] || _d_ip=$_d_line
  _d_at=$((_d_at + 1))
done <<_D_IPS
\${DROVER_NODE_IPS:-127.0.0.1}
_D_IPS
_d_launch=\${DROVER_ATTEMPT_DIR:-.}/launch
mkdir -p "$_d_launch" 2>/dev/null && [ -w "$_d_launch" ] || _d_launch=$(mktemp -d) || _d_fail 'there is no directory to write to'
`
}

/**
 * The interface that holds this node's address, for gloo and NCCL: by themselves they take what the host's name resolves to,
 * which on Debian is 127.0.1.1, or the first interface there is. Nothing is set where no interface holds it (an address that a
 * router translates), or where the user has set it. "=" makes NCCL match the whole name.
 */
export const INTERFACE_CHOICE = `
# Sets _d_interface: the network interface that holds address $1.
_d_find_interface() {
  _d_interface=''
  case $1 in
    *%*) _d_interface=\${1#*%} ;;
    '' | *[!0-9A-Fa-f.:]*) return ;;
    127.*) [ -d /sys/class/net/lo ] && _d_interface=lo ;;
  esac
  [ -z "$_d_interface" ] || return 0
  if command -v ip >/dev/null 2>&1; then
    _d_interface=$(ip -o addr show to "$1" 2>/dev/null | { read -r _d_number _d_name _d_rest && echo "\${_d_name%%[@:]*}"; })
  fi
  [ -z "$_d_interface" ] && command -v python3 >/dev/null 2>&1 || return 0
  _d_interface=$(python3 -c 'import fcntl, socket, struct, sys
for _, name in socket.if_nameindex():
    try:
        request = struct.pack("256s", name.encode()[:15])
        held = fcntl.ioctl(socket.socket(socket.AF_INET, socket.SOCK_DGRAM), 0x8915, request)[20:24]
        if socket.inet_ntoa(held) == sys.argv[1]:
            print(name)
    except OSError:
        pass' "$1" 2>/dev/null)
}
_d_find_interface "$_d_ip"
if [ -n "$_d_interface" ]; then
  export GLOO_SOCKET_IFNAME="\${GLOO_SOCKET_IFNAME:-$_d_interface}" NCCL_SOCKET_IFNAME="\${NCCL_SOCKET_IFNAME:-=$_d_interface}"
fi
`

/** Threads per process, unless the user has set them. */
export const THREADS = `export OMP_NUM_THREADS="\${OMP_NUM_THREADS:-\${DROVER_CPUS_PER_PROCESS:-1}}"
`

/** Variables that make torch, NCCL and Python say more, each unless the user has set it. */
export const DEBUG_VARIABLES = `for _d_each in TORCH_DISTRIBUTED_DEBUG=DETAIL TORCH_CPP_LOG_LEVEL=INFO TORCH_SHOW_CPP_STACKTRACES=1 NCCL_DEBUG=INFO \\
  NCCL_DESYNC_DEBUG=1 TORCH_NCCL_DESYNC_DEBUG=1 CUDA_LAUNCH_BLOCKING=1 PYTHONFAULTHANDLER=1; do
  eval "[ -n \\"\\\${\${_d_each%%=*}+x}\\" ] || export $_d_each"
done
`

/**
 * Sets `_d_port`, the port of the rendezvous on the head: the one that the executor chose (a launcher's option `port` stands
 * over it). On one node the next free one is taken instead of a busy one; several nodes have to agree, so there it is refused.
 */
export function compilePort(port: unknown): string {
  return `
# True when nobody listens on port $1 of this machine, as far as /proc tells.
_d_port_is_free() {
  _d_hex=$(printf '%04X' "$1")
  for _d_table in /proc/net/tcp /proc/net/tcp6; do
    [ -r "$_d_table" ] || continue
    while read -r _d_number _d_local _d_remote _d_state _d_rest; do
      [ "\${_d_local##*:}:$_d_state" != "$_d_hex:0A" ] || return 1
    done <"$_d_table"
  done
}
# Sets _d_free: the first free port from $1 on.
_d_find_port() {
  _d_free=$1
  while ! _d_port_is_free "$_d_free" && [ "$_d_free" -lt $(($1 + 200)) ]; do _d_free=$((_d_free + 1)); done
}
_d_port=${typeof port === 'number' ? String(port) : '${DROVER_MASTER_PORT:-29500}'}
if [ "$_d_nodes" = 1 ]; then
  _d_find_port $((_d_port + \${DROVER_ARRAY_INDEX:-0} % 1000))
  _d_port=$_d_free
elif [ "$_d_rank" = 0 ] && ! _d_port_is_free "$_d_port"; then
  _d_fail "port $_d_port, on which the nodes would meet, is in use on the head node; run it again (another attempt takes another port), or set the launcher's option port"
fi
`
}
