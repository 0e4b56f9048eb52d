import { isLaunched } from './allocation-script.ts'
import type { DriverAllocation, DriverOptions } from './driver-options.ts'
import { shellAssignments } from './quote.ts'

/** Words of node.sh and of the forked runner: what USR2 means there. */
export const CATCH_WARNINGS = 'trap _d_on_warned USR2'

/** The case of node.sh in which a launcher has started it: `sh node.sh @ setup|run - - <restart> <task>`. */
export function compileLaunchedCase({ rankVariable }: DriverAllocation): string {
  return `  @:setup | @:run)
    trap _d_on_told TERM INT
    trap _d_on_alarm ALRM
    trap '_d_woken=1' HUP
    trap : PIPE
    ${CATCH_WARNINGS}
    case \${${rankVariable}:-} in
      '' | *[!0-9]*)
        echo 'drover: the launch has not set ${rankVariable}: which rank this is, is not known' >&2
        exit 125
        ;;
    esac
    _d_begin '' ''
    _d_start_poll
    _d_run_phase "$${rankVariable}" "$2"
    kill -VTALRM "$_d_poller" 2>/dev/null
    exit "$_d_unrecorded"
    ;;
`
}

/**
 * The parts of the node runner that are other inside an allocation: variables of nodes that only the driver's list names, stops
 * and warnings that come as marks, and a scheduler's TERM that meets script and runner at once.
 */
export function compileNodeVariables(options: DriverOptions, allocation: DriverAllocation): string {
  const { nodes, warning } = allocation
  const gpus = options.gpusPerNode ?? 0
  return `
_d_early=1${allocation.task ? ' _d_log=$_d_task' : ''}
# Reads the nodes: _d_node and _d_address of rank $1, _d_names, _d_addresses and _d_head of all. The list may need a while to
# be seen on every node.
_d_node_of() {
  _d_tries=0
  while :; do
    _d_at=0 _d_node='' _d_names='' _d_addresses='' _d_head=''
    {
      while read -r _d_line _d_value; do
        _d_names=$_d_names,$_d_line _d_addresses="$_d_addresses
$_d_value"
        [ "$_d_at" != 0 ] || _d_head=$_d_value
        [ "$_d_at" != "$1" ] || _d_node=$_d_line
        _d_at=$((_d_at + 1))
      done <"$_d_claim/nodes"
    } 2>/dev/null
    [ "$_d_at" -lt ${nodes} ] || break
    # Told to stop before there was a list.
    if _d_read_stop; then
      _d_node=-
      return
    fi
    _d_tries=$((_d_tries + 1))
    if [ "$_d_tries" -gt 90 ]; then
      echo "drover: the list of nodes cannot be read here: $_d_claim/nodes" >&2
      exit 125
    fi
    sleep 1
  done
  _d_names=\${_d_names#,}
  _d_addresses=\${_d_addresses#?}
  [ -n "$_d_node" ] && return
  echo "drover: rank $1 is none of ${nodes}" >&2
  exit 125
}

# What only the allocation knows, exported after the job's own environment. $1 is the rank, $2 the phase.
_d_export() {
  export DROVER_NUM_NODES=${nodes} SKYPILOT_NUM_NODES=${nodes}
  export DROVER_NODE_IPS="$_d_addresses" DROVER_NODELIST="$_d_names" DROVER_HEAD_IP="$_d_head"
  export DROVER_NODE_RANK="$1" DROVER_NODE_NAME="$_d_node" DROVER_ATTEMPT_DIR="$_d_dir"${
    allocation.requeue
      ? `
  export DROVER_ATTEMPT=$((${options.attempt} + _d_restart))`
      : ''
  }
  ${shellAssignments({ DROVER_WORK_DIR: allocation.workDir }).trimEnd()}
  case $2 in
    setup) export SKYPILOT_SETUP_NODE_IPS="$_d_addresses" SKYPILOT_SETUP_NODE_RANK="$1" SKYPILOT_SETUP_NUM_GPUS_PER_NODE=${gpus} ;;
    run) export SKYPILOT_NODE_IPS="$_d_addresses" SKYPILOT_NODE_RANK="$1" SKYPILOT_NUM_GPUS_PER_NODE=${gpus} ;;
  esac
  cd "$DROVER_WORK_DIR" || exit 125
}

# The scheduler sends TERM to all processes at once, also to the script, whose end may be seen here before this shell's own.
_d_linger() {
  _d_tries=0
  while [ "$_d_told" = 0 ] && [ "$_d_tries" -lt 10 ]; do
    if _d_read_stop; then
      _d_on_told
      return
    fi
    case $_d_status in 0) return ;; 143) ;; *) [ "$_d_tries" = 0 ] || return 0 ;; esac
    _d_nap
    _d_tries=$((_d_tries + 1))
  done
}

# The driver has passed on that the limit comes near.
_d_on_warned() {
  _d_woken=1
${
  warning
    ? `  [ -n "$_d_forked" ] && [ "$_d_phase:$_d_told:$_d_ended" = run:0: ] || return 0
  _d_is_same "$_d_pid" "$_d_script_start" && kill -${warning.sent} "$_d_pid" 2>/dev/null
`
    : ''
}}

# A warning that came before the script did is passed on once the script has had the time to prepare itself for signals.
_d_catch_up() {
  ${
    warning && !isLaunched(allocation)
      ? `[ -s "$_d_claim/warn" ] && [ "$_d_told" = 0 ] || return 0
  _d_before=$_d_timer
  _d_start_timer 2 ${warning.sent} "$_d_pid" "$_d_script_start"
  _d_timer=$_d_before`
      : ':'
  }
}
${isLaunched(allocation) ? POLL.replaceAll('SECONDS', String(Math.max(1, Math.round(nodes / 100)))) : ''}`
}

/** What the driver writes for all nodes is looked for: no launcher can be trusted to pass signals on. */
const POLL = `
_d_start_poll() {
  (
    _d_before=$! _d_said='' _d_warnings=0
    trap '' TERM INT HUP USR1 USR2
    trap '[ "$!" = "$_d_before" ] || kill -KILL "$!" 2>/dev/null; exit 0' VTALRM
    while _d_is_same "$_d_self" "$_d_own_start"; do
      PATH=$_d_tools sleep SECONDS &
      wait "$!"
      if [ -z "$_d_said" ] && _d_read_stop; then
        _d_said=1
        _d_is_same "$_d_self" "$_d_own_start" && kill -TERM "$_d_self"
      fi
      _d_at=0
      while read -r _d_line; do _d_at=$((_d_at + 1)); done <"$_d_claim/warn"
      if [ "$_d_at" != "$_d_warnings" ]; then
        _d_warnings=$_d_at
        _d_is_same "$_d_self" "$_d_own_start" && kill -USR2 "$_d_self"
      fi
    done
  ) </dev/null >/dev/null 2>&1 &
  _d_poller=$!
}
`
