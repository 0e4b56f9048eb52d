import { ranksOf } from './allocation-script.ts'
import type { DriverOptions } from './driver-options.ts'
import { shellAssignments } from './quote.ts'
import { elementCommand, isDirectElement } from './run-script.ts'

/**
 * The part of node.sh that runs array elements one after another: `sh node.sh slot <k>`, leader of its own group, of which
 * the elements are members. Per element: one noclobber file creation claims it (logs/<position>.out), a claim line, one fork
 * and exec, a result line; builtins only. Each element begins with DROVER_ARRAY_INDEX, _VALUE or the matrix's parameters,
 * SKYPILOT_JOB_RANK.
 *
 * An element that is a script begins with INT and QUIT at their defaults, at the price of an exec. One command executed
 * without a shell of its own keeps them ignored, as a shell's background process has them: that exec would take longer than
 * all else that such an element costs.
 *
 * To end one element: append its position to `cancel_elements`, then send TERM to the slot's process (`slot k=… pid=…` in
 * events/job). The slot ends the element only if it is that one, so a TERM that comes late meets nobody. A TERM to the whole
 * group works too, but hits whatever runs then, twice. An element that outlives the grace is KILLed with its slot; the driver
 * then writes the result line and starts the slot anew. What an element leaves behind gets TERM at its end, KILL with the slot's.
 */
export function compileSlot(options: DriverOptions, slots: NonNullable<DriverOptions['slots']>): string {
  const { elements } = slots
  const { task, warning } = options.allocation ?? {}
  const names = elements.kind === 'file' ? elements.names : ['DROVER_ARRAY_VALUE']
  const env = (slots.env ?? []).flatMap((variables, slot) => (Object.keys(variables).length === 0 ? [] : [{ variables, slot }]))
  return `
_d_from=${task ? `$((_d_task * ${task.chunk}))` : 0}
_d_to=${task ? `$((_d_from + ${task.chunk}))` : elements.count}${task ? `\n[ "$_d_to" -le ${elements.count} ] || _d_to=${elements.count}` : ''}
_d_slot_rank=${ranksOf(options)[0] ?? 0}
# What differs by slot, exported after the environment of job and rank.
_d_export_slot() {
  case $1 in
${env.map(({ variables, slot }) => `    ${slot}) ${shellAssignments(variables).trimEnd()} ;;\n`).join('')}    *) ;;
  esac
}
_d_export_element() { export DROVER_ARRAY_INDEX SKYPILOT_JOB_RANK ${names.join(' ')}; }
${
  elements.kind === 'file'
    ? `_d_open_elements() { exec 4<"$${task ? '_d_own' : '_d_dir'}/elements"; }
# Values may hold newlines, written as $_d_nl.
_d_nl='
'
_d_next() {
  IFS=' ' read -r _d_position _d_values <&4
}
_d_set_values() {
  eval "$_d_values"
}`
    : `_d_open_elements() { _d_index=$_d_from; }
_d_next() {
  [ "$_d_index" -lt "$_d_to" ] || return 1
  _d_position=$_d_index _d_index=$((_d_index + 1))
}
_d_set_values() { DROVER_ARRAY_VALUE=$(($1 * ${elements.step} + ${elements.start})); }`
}
_d_start_element() {
  {
    [ ! -e "$_d_told_mark" ] || _d_leave_if_told
    ${isDirectElement(options.run) ? 'exec' : '_d_exec_reset'} ${elementCommand(options.run, options.shell)}
  } >>"$_d_dir/logs/$_d_position.out" 2>|"$_d_dir/logs/$_d_position.err" 4<&- 5>&- &
}
_d_array_size=${slots.size ?? elements.count}
${
  options.allocation
    ? `# The driver has passed on that the scheduler's limit comes near.
_d_catch_warnings() { trap _d_on_slot_warned USR2; }
_d_on_slot_warned() {
  _d_woken=1
  ${warning ? `[ -z "$_d_running" ] || [ "$!" = "$_d_before" ] || kill -${warning.sent} "\${_d_pid:-$!}" 2>/dev/null` : ':'}
}`
    : '_d_catch_warnings() { :; }'
}
${SLOT}`
}

const SLOT = `
_d_running='' _d_heard='' _d_before='' _d_results=0 _d_failed=0 _d_first_code=0 _d_first_cs=0

# TERM: the whole attempt is to stop, or an element is to be ended, maybe this one.
_d_on_slot_stop() {
  _d_woken=1
  _d_heard=1
  [ -n "$_d_running" ] && [ "$_d_told" = 0 ] || return 0
  _d_find_reason || return 0
  # As long as $! is the element before, the fork is still to come, and who forks looks again.
  [ "$!" = "$_d_before" ] || _d_stop_element
}

# Sets _d_told when there is a reason to end the element at _d_position.
_d_find_reason() {
  if _d_read_stop; then
    _d_told=$_d_stop
  elif _d_lists "$_d_dir/cancel_elements" "$_d_position"; then
    _d_told=term
  elif [ -n "$_d_limit_cs" ] && _d_lists "$_d_claim/timeouts" "$_d_position"; then
    _d_told=timeout
  else
    return 1
  fi
}

_d_stop_element() {
  _d_pid=\${_d_pid:-$!}
  [ -z "$_d_termed" ] || return 0
  _d_termed=1
  printf '%s\\n' "$_d_position" >|"$_d_told_mark"
  if [ -n "$_d_groups" ]; then
    kill -TERM "-$$" 2>/dev/null
    _d_start_timer "$_d_grace" KILL $$ "$_d_own_start" "-$$"
  else
    kill -TERM "$_d_pid" 2>/dev/null
    _d_start_timer "$_d_grace" KILL $$ "$_d_own_start" "$_d_pid"
  fi
}

# A signal that meets the child before it has put off this shell's traps is lost; it looks for this mark afterwards.
_d_leave_if_told() {
  read -r _d_line <"$_d_told_mark" && [ "$_d_line" != "$_d_position" ] || exit 143
}

# Appends a line to the journal. A full disk is tried again; a slot that can't keep its journal must not go on.
_d_journal() {
  _d_tries=0
  until printf '%s\\n' "$1" >&5; do
    _d_tries=$((_d_tries + 1))
    [ "$_d_tries" -lt 10 ] || exit 1
    PATH=$_d_tools sleep 1
    printf '\\n' >&5
  done
}

# Sets _d_cs. Without /proc it costs a process, so only where the time limit needs it.
_d_stamp() {
  if [ -n "$_d_proc" ]; then
    read -r _d_up _d_rest </proc/uptime
    _d_cs=$((\${_d_up%%.*} * 100 + 1\${_d_up#*.} - 100))
  elif [ -n "$_d_limit_cs" ]; then
    _d_clock
  fi
}

_d_slot() {
  _d_k=$1 _d_told=0 _d_told_mark=$_d_claim/told-slot-$1
  trap _d_on_slot_stop TERM INT
  trap '_d_woken=1' HUP
  trap : PIPE
  _d_catch_warnings
  _d_begin "$2" "$3"
  printf '%s slot k=%s pid=%s start=%s boot=%s\\n' "$_d_now" "$_d_k" $$ "$_d_own_start" "$_d_boot" >>"$_d_own/events/job"
  exec </dev/null 5>>"$_d_own/slots/$_d_k"
  _d_open_elements
  # shellcheck source=/dev/null
  [ -r "$_d_dir/env" ] && . "$_d_dir/env"
  _d_export "$_d_slot_rank" run
  _d_export_slot "$_d_k"
  unset IFS
  DROVER_ARRAY_COUNT=$_d_array_size SKYPILOT_NUM_JOBS=$_d_array_size
  export DROVER_ARRAY_COUNT SKYPILOT_NUM_JOBS
  _d_export_element
  set -C
  [ -n "$_d_proc" ] || _d_cs=0
  _d_rung=0
  while _d_next; do
    [ -e "$_d_dir/logs/$_d_position.out" ] && continue
    # Forget the TERMs of the element before, then look for the mark: in the other order one could go unheard.
    _d_woken='' _d_heard='' _d_told=0 _d_pid='' _d_termed=''
    [ -s "$_d_claim/stop" ] && break
    { printf '' >"$_d_dir/logs/$_d_position.out"; } 2>/dev/null || continue
    _d_begun=$_d_cs
    printf 'c %s %s\\n' "$_d_position" "$_d_begun" >&5 || _d_journal "c $_d_position $_d_begun"
    _d_set_values "$_d_position"
    DROVER_ARRAY_INDEX=$_d_position SKYPILOT_JOB_RANK=$_d_position
    if [ -s "$_d_dir/cancel_elements" ] && _d_lists "$_d_dir/cancel_elements" "$_d_position"; then
      _d_told=term _d_status=143
    else
      [ -z "$_d_limit_cs" ] || printf '%s %s\\n' "$_d_position" "$_d_begun" >|"$_d_claim/now-$_d_k"
      _d_before=$!
      _d_running=1
      # A TERM before this line found nobody to end: its mark is seen here or above.
      [ -z "$_d_woken" ] || _d_find_reason
      _d_start_element
      _d_pid=\${_d_pid:-$!}
      [ "$_d_told" = 0 ] || _d_stop_element
      wait "$_d_pid"
      _d_status=$?
      [ -z "$_d_woken" ] || _d_await_more "$_d_pid"
      _d_running=
      [ -z "$_d_timer" ] || _d_stop_timer
      # Somebody sent TERM to the whole group.
      [ -z "$_d_heard" ] || [ "$_d_told:$_d_status" != 0:143 ] || _d_told=term
    fi
    _d_stamp
    printf 'r %s %s %s %s %s\\n' "$_d_position" "$_d_status" "$_d_told" "$_d_begun" "$_d_cs" >&5 ||
      _d_journal "r $_d_position $_d_status $_d_told $_d_begun $_d_cs"
    _d_results=$((_d_results + 1))
    if [ "$_d_status" != 0 ]; then
      [ "$_d_failed" != 0 ] || _d_first_code=$_d_status _d_first_cs=$_d_cs
      _d_failed=$((_d_failed + 1))
    fi
    # What the element left behind is ended; this shell has a trap.
    [ -z "$_d_groups" ] || kill -TERM "-$$" 2>/dev/null
    if [ -z "$_d_proc" ] || [ $((_d_cs - _d_rung)) -ge 20 ]; then
      _d_rung=$_d_cs
      _d_ring element
    fi
  done
  printf '%s %s %s %s\\n' "$_d_results" "$_d_failed" "$_d_first_code" "$_d_first_cs" >|"$_d_claim/tally-$_d_k"
  exit 0
}
`
