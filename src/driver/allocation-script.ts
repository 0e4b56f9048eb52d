import type { DriverAllocation, DriverOptions } from './driver-options.ts'
import { ALLOCATION_EXIT_CODE, DRIVER_UNUSABLE_EXIT_CODE, REQUEUED_EXIT_CODE } from './protocol.ts'
import { quoteShell } from './quote.ts'

/** True when the phases are started by the scheduler's own launcher, also on the driver's node. */
export function isLaunched(allocation: DriverAllocation | undefined): allocation is DriverAllocation {
  return allocation !== undefined && (allocation.nodes > 1 || allocation.always === true)
}

/** The numbers of the ranks that the driver looks after. */
export function ranksOf({ allocation, ranks }: DriverOptions): readonly number[] {
  return allocation ? Array.from({ length: allocation.nodes }, (_, rank) => rank) : ranks.map(({ rank }) => rank)
}

/**
 * Where the attempt's files are: `_d_dir`, and `_d_own` for what the driver and its runners write. Elsewhere than in an
 * allocation both are the attempt directory. A requeued instance has `<attempt>r<n>`; a task of a native array writes in
 * `tasks/<t>`. node.sh is told both numbers by its driver, as words 5 and 6. Where nothing may be requeued, a restart stands in
 * for the first instance: schedulers start a job again whose node went down before its script began, whatever they were told,
 * and the claim tells whether it had.
 */
export function compileAttemptPlace({ attemptDir, allocation }: DriverOptions, program: 'driver' | 'node'): string {
  const directory = quoteShell(attemptDir)
  if (allocation === undefined) return `_d_restart=0 _d_dir=${directory}\n_d_own=$_d_dir\n`
  const { requeue, restartVariable, task } = allocation
  const numbers =
    program === 'node'
      ? `_d_restart=\${5:-0} _d_task=\${6:--}\n`
      : `${restartVariable === undefined ? '_d_restart=0' : `_d_restart=\${${restartVariable}:-0}`} _d_task=-
case $_d_restart in *[!0-9]*) _d_restart=0 ;; esac
${requeue ? '' : '_d_again=$_d_restart _d_restart=0\n'}${
  task === undefined
    ? ''
    : `case \${${task.variable}:-} in
  '' | *[!0-9]*)
    echo 'drover: ${task.variable} holds no index of an array task; nothing is run' >&2
    exit ${DRIVER_UNUSABLE_EXIT_CODE}
    ;;
esac
_d_task=$((${task.variable} - ${task.offset}))
if [ "$_d_task" -lt 0 ] || [ "$_d_task" -ge ${task.count} ]; then
  echo "drover: ${task.variable}=$${task.variable} is none of the ${task.count} tasks from ${task.offset} on; nothing is run" >&2
  exit ${DRIVER_UNUSABLE_EXIT_CODE}
fi
`
}`
  return `${numbers}_d_base=${directory}
_d_dir=$_d_base
[ "$_d_restart" = 0 ] || _d_dir=$_d_base'r'$_d_restart
_d_own=$_d_dir${task === undefined ? '' : '/tasks/$_d_task'}
`
}

/**
 * Who finds the claim taken and is a restart: the scheduler has started the attempt again, which it was told not to, and what
 * the first instance began may still run on a node that was cut off.
 */
const STARTED_AGAIN = `
_d_started_again() {
  [ "$_d_again" != 0 ] || return 0
  echo "drover: this attempt had begun when the scheduler started it again (restart $_d_again); nothing is run" >&2
  exit ${REQUEUED_EXIT_CODE}
}
`

/** What driver.sh does first inside an allocation: before the claim (`_d_enter`), after it (`_d_settle_in`), then the nodes. */
export function compileAllocation(options: DriverOptions, allocation: DriverAllocation): string {
  const { limitSignal, warning, requeue } = allocation
  return `
_d_lease='' _d_refused_code=${ALLOCATION_EXIT_CODE} _d_no_room=''
_d_enter() {
${limitSignal === undefined ? '' : `  trap _d_on_limit ${limitSignal}\n`}${warning === undefined ? '' : `  trap _d_on_warning ${warning.received}\n`}${
  requeue
    ? `  if [ "$_d_restart" != 0 ] && [ ! -e "$_d_base/env" ]; then
    echo 'drover: this attempt had come to its end when the scheduler started it again; nothing is run' >&2
    exit ${REQUEUED_EXIT_CODE}
  fi
`
    : ''
}  :
}
${requeue ? '' : STARTED_AGAIN}

# After the claim: the marks that other nodes await, and the files of a requeued instance.
_d_settle_in() {
  printf '' >>"$_d_claim/stop"
  printf '' >>"$_d_claim/warn"
${requeue ? '  [ "$_d_restart" = 0 ] || _d_begin_again\n' : ''}  :
}
${requeue ? copyOf(options) : ''}
# Which nodes there are: <name> <address> a line, in order of rank. Written at once and whole, because other nodes wait for it.
_d_take_lease() {
  _d_nodes='' _d_found=0
  sh -c ${quoteShell(allocation.nodeList)} </dev/null >"$_d_claim/found" 2>"$_d_claim/not-found" &
  _d_lister=$!
  wait "$_d_lister"
  _d_status=$?
  if [ -n "$_d_woken" ]; then
    [ "$_d_told$_d_peer" = 0 ] || kill -TERM "$_d_lister" 2>/dev/null
    _d_await_more "$_d_lister"
  fi
  while read -r _d_line _d_value _d_rest; do
    [ -n "$_d_line" ] && [ -n "$_d_value" ] || continue
    _d_found=$((_d_found + 1))
    _d_nodes="$_d_nodes$_d_line $_d_value
"
  done <"$_d_claim/found"
  if [ "$_d_status:$_d_found" = 0:${allocation.nodes} ]; then
    printf '%s' "$_d_nodes" >"$_d_claim/nodes" && return 0
  fi
  [ "$_d_told$_d_peer" = 0 ] || return 1
  _d_last_line "$_d_claim/not-found"
  _d_no_room="nodes_failed wanted=${allocation.nodes} found=$_d_found code=$_d_status text=$_d_text"
  echo "drover: the nodes of this allocation could not be found out: $_d_found of ${allocation.nodes} (exit $_d_status)" >&2
  cat "$_d_claim/not-found" >&2
  return 1
}
_d_release_lease() { :; }

# The last line of file $1 that says anything, as one word of an event: _d_text.
_d_last_line() {
  _d_text=''
  [ -r "$1" ] || return 0
  while IFS= read -r _d_line; do case $_d_line in *[![:space:]]*) _d_text=$_d_line ;; esac; done <"$1"
  _d_line=$_d_text _d_text='' _d_part=0
  while [ -n "$_d_line" ] && [ "$_d_part" -lt 200 ]; do
    _d_rest=\${_d_line#?}
    _d_value=\${_d_line%"$_d_rest"} _d_line=$_d_rest _d_part=$((_d_part + 1))
    case $_d_value in
      %) _d_text=$_d_text%25 ;;
      [[:space:]]) _d_text=$_d_text%20 ;;
      *) _d_text=$_d_text$_d_value ;;
    esac
  done
}

# A record for each rank: nothing is run.
_d_refuse() {
  _d_clock
  _d_event job "$_d_no_room"
  for _d_child in $_d_ranks; do
    _d_record "$_d_child" "$_d_child" "$_d_refused_code" 0 "$_d_began" "$_d_now" 0 setup
  done
  _d_note_failure "$_d_refused_code" "$_d_now" 0
}

_d_on_limit() { _d_stop_all timeout; }

# The scheduler's word that its time limit comes near: passed on to the scripts, by way of their runners.
_d_on_warning() {
  _d_woken=1
  [ "$_d_told" = 0 ] || return 0
  printf 'w\\n' >>"$_d_claim/warn"
  _d_clock
  _d_event job warning
  case $_d_phase in run | slot) _d_signal_live USR2 ;; esac
}
`
}

/**
 * The files of a requeued instance: generated ones copied, awaited ones empty. Several tasks of an array may do so at one
 * time, hence the link, which only one can make.
 */
function copyOf({ slots, allocation }: DriverOptions): string {
  const awaited = allocation?.task
    ? '"$_d_base"/cancel_element*'
    : `"$_d_base"/exit/* "$_d_base"/events/* ${slots ? '"$_d_base"/slots/* "$_d_base"/cancel_elements' : '"$_d_base"/logs/*'}`
  return `
# The first instance's events say where this one is to be found; it writes no more.
_d_begin_again() {
  _d_copy_attempt
  _d_clock
  { printf '%s requeued restart=%s\\n' "$_d_now" "$_d_restart" >>"$_d_base\${_d_own#"$_d_dir"}/events/job"; } 2>/dev/null
  _d_ring requeued
}

_d_copy_attempt() {
  for _d_each in driver.sh node.sh setup.sh run.sh env elements; do
    [ -e "$_d_base/$_d_each" ] && [ ! -e "$_d_dir/$_d_each" ] || continue
    _d_part=$_d_dir/$_d_each.$$.\${_d_boot%%-*}
    cp -p "$_d_base/$_d_each" "$_d_part" && { ln "$_d_part" "$_d_dir/$_d_each" 2>/dev/null || [ -e "$_d_dir/$_d_each" ] || mv "$_d_part" "$_d_dir/$_d_each"; }
    rm -f "$_d_part"
  done
  for _d_each in ${awaited}; do
    [ -f "$_d_each" ] || continue
    printf '' >>"$_d_dir\${_d_each#"$_d_base"}"
  done
}
`
}

/**
 * What becomes of the secrets in `env` before the driver's record. All tasks of a native array need it: it stays until the
 * attempt is cleaned up. While the scheduler may start the attempt again, it goes only at an end that is the script's own.
 */
export function compileEnvironmentEnd({ allocation }: DriverOptions): string {
  if (allocation?.task !== undefined) return '_d_clear_env() { :; }\n_d_remove_env() { :; }\n'
  if (!allocation?.requeue) {
    return `_d_clear_env() { { printf '' >"$_d_dir/env"; } 2>/dev/null; }
_d_remove_env() { rm -f "$_d_dir/env" \${_d_lease:+"$_d_lease"}; }
`
  }
  return `_d_clear_env() {
  case $_d_lost$_d_said in 0 | timeout) ;; *) return 0 ;; esac
  printf '' >"$_d_dir/env"
  printf '' >"$_d_base/env"
}
_d_remove_env() { case $_d_lost$_d_said in 0 | timeout) rm -f "$_d_dir/env" "$_d_base/env" ;; esac; }
`
}
