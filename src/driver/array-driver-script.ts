import type { ElementSource } from './array-elements.ts'
import type { DriverOptions } from './driver-options.ts'

/**
 * The part of driver.sh that keeps an array's slots running instead of ranks. A slot that dies has its group ended, gets the
 * result line of the element it was at (its own status, normally 137) and is started anew, unless it had come to no element.
 * Where there is a time limit, a tick compares it with each slot's element; without, nothing wakes but ends and signals.
 */
export function compileArrayDriver({ slots, allocation }: DriverOptions): string {
  if (slots === undefined) return ''
  const { elements } = slots
  const task = allocation?.task
  const width = Math.max(1, Math.min(slots.width, task?.chunk ?? elements.count, elements.count))
  return `
_d_slots='${Array.from({ length: width }, (_, slot) => slot).join(' ')}'
${task ? compileShare(task.chunk, elements) : `_d_count=${elements.count}\n_d_deal() { :; }\n`}${ARRAY}`
}

/** Which of the attempt's elements task t runs: `_d_count` of them from `_d_from` on. Lines are cut out once, not read past by every slot. */
function compileShare(chunk: number, elements: ElementSource): string {
  return `
_d_from=$((_d_task * ${chunk}))
_d_count=$((${elements.count} - _d_from))
[ "$_d_count" -le ${chunk} ] || _d_count=${chunk}
[ "$_d_count" -gt 0 ] || _d_count=0
_d_deal() { ${elements.kind === 'file' ? 'sed -n "$((_d_from + 1)),$((_d_from + _d_count))p" "$_d_dir/elements" >"$_d_own/elements"' : ':'}; }
`
}

const ARRAY = `
_d_results=0 _d_died=' ' _d_last_status=0

_d_who() { if [ "$_d_phase" = slot ]; then _d_find_line job slot "k=$1"; else _d_find_line "$1" runner; fi; }

# Child $1 has ended with status $2: setup's runner, or a slot.
_d_child_ended() {
  if [ "$_d_phase" = setup ]; then
    if _d_read_record "$1"; then
      [ "$_d_r_code" != 0 ] || _d_r_code=1
      _d_note_failure "$_d_r_code" "$_d_r_end" "$_d_r_told"
    elif [ "$2" != 0 ]; then
      _d_lost=1
      if _d_find_line "$1" setup; then _d_kill "$_d_found_pid" "$_d_found_start"; fi
      _d_clock
      _d_event job "rank_lost rank=$1 code=$2"
      _d_note_failure "$2" "$_d_now" 0
    fi
    return
  fi
  _d_slot_pid=''
  if _d_who "$1"; then _d_slot_pid=$_d_found_pid _d_slot_start=$_d_found_start; fi
  if [ "$2" = 0 ]; then
    [ -z "$_d_slot_pid" ] || _d_end_group "$_d_slot_pid" "$_d_slot_start" "$_d_grace_cs"
    case $_d_died in
      *" $1 "*) _d_read_journal "$1" ;;
      *) read -r _d_j_results _d_j_failed _d_j_code _d_j_cs <"$_d_claim/tally-$1" ;;
    esac
    _d_add_results
    return
  fi
  [ -z "$_d_slot_pid" ] || _d_kill "$_d_slot_pid" "$_d_slot_start"
  _d_read_journal "$1"
  _d_last_status=$2
  if [ -n "$_d_j_open" ]; then
    if [ "$_d_told" != 0 ] || _d_lists "$_d_dir/cancel_elements" "$_d_j_open"; then
      _d_why=term
    elif _d_lists "$_d_claim/timeouts" "$_d_j_open"; then
      _d_why=timeout
    else
      _d_why=0
    fi
    _d_clock
    if [ -n "$_d_proc" ]; then _d_until=$_d_cs; else _d_until=0; fi
    # The blank line ends whatever a full disk has left there.
    printf '\\nr %s %s %s %s %s\\n' "$_d_j_open" "$2" "$_d_why" "$_d_j_begun" "$_d_until" >>"$_d_own/slots/$1"
    _d_ring element
    _d_died="$_d_died$1 "
    [ "$_d_told" != 0 ] || _d_replace=1
  fi
  if [ -z "$_d_replace" ]; then
    _d_read_journal "$1"
    _d_add_results
  fi
}

_d_add_results() {
  _d_results=$((_d_results + _d_j_results))
  [ "$_d_j_failed" = 0 ] || _d_note_failure "$_d_j_code" "$_d_j_cs" 0
}

# Journal of slot $1: results, failures, code and time of the first, and the element that has no result yet: _d_j_open.
_d_read_journal() {
  _d_j_results=0 _d_j_failed=0 _d_j_code=0 _d_j_cs=0 _d_j_open='' _d_j_begun=0
  while read -r _d_key _d_position _d_second _d_third _d_begun _d_until _d_rest; do
    case $_d_key in
      c) _d_j_open=$_d_position _d_j_begun=$_d_second ;;
      r)
        _d_j_open=''
        _d_j_results=$((_d_j_results + 1))
        if [ "$_d_second" != 0 ]; then
          [ "$_d_j_failed" != 0 ] || _d_j_code=$_d_second _d_j_cs=$_d_until
          _d_j_failed=$((_d_j_failed + 1))
        fi
        ;;
    esac
  done <"$_d_own/slots/$1"
}

# Which elements are over their time limit: named in claim/<n>/timeouts, then TERM to their slots.
_d_on_tick() {
  _d_clock
  for _d_each in $_d_live; do
    { read -r _d_position _d_begun <"$_d_claim/now-$_d_each"; } 2>/dev/null || continue
    [ $((_d_cs - _d_begun)) -gt "$_d_limit_cs" ] || continue
    _d_lists "$_d_claim/timeouts" "$_d_position" && continue
    printf '%s\\n' "$_d_position" >>"$_d_claim/timeouts"
    if _d_who "$_d_each" && _d_is_same "$_d_found_pid" "$_d_found_start"; then kill -TERM "$_d_found_pid"; fi
  done
}

_d_close_ranks() {
  _d_read_record "$_d_ranks" && return
  [ -z "$_d_lost" ] || return
  if [ "$_d_told" != 0 ]; then
    _d_clock
    _d_record "$_d_ranks" "$_d_ranks" 143 15 "$_d_began" "$_d_now" "$_d_told" "$_d_phase"
    _d_note_failure 143 "$_d_now" "$_d_told"
  fi
}

_d_run_all() {
  _d_deal
  # A twentieth of the limit, within a tenth of a second and a second.
  if [ -n "$_d_limit_cs" ]; then
    _d_tick_cs=$((_d_limit_cs / 20))
    [ "$_d_tick_cs" -ge 10 ] || _d_tick_cs=10
    [ "$_d_tick_cs" -le 100 ] || _d_tick_cs=100
    _d_format "$_d_tick_cs"
    _d_tick=$_d_duration
  fi
  # shellcheck disable=SC2086
  _d_run_children slot $_d_slots
  _d_phase=run
  [ "$_d_results" = "$_d_count" ] && return
  if [ "$_d_told" = 0 ]; then
    _d_lost=1
    _d_clock
    _d_event job "rank_lost rank=$_d_ranks code=$_d_last_status"
  elif [ -z "$_d_first_code" ]; then
    _d_note_failure 143 0 "$_d_told"
  fi
}
`
