import { compileAllocation, compileEnvironmentEnd, isLaunched, ranksOf } from './allocation-script.ts'
import { compileArrayDriver } from './array-driver-script.ts'
import type { DriverOptions } from './driver-options.ts'
import { compileForkedRunner } from './forked-runner-script.ts'
import { compileLaunchDriver } from './launch-driver-script.ts'
import { compileLease } from './lease-script.ts'
import { compileRunner } from './node-runner-script.ts'
import { DRIVER_UNUSABLE_EXIT_CODE, DUPLICATE_EXIT_CODE, LEASE_EXIT_CODE } from './protocol.ts'
import { quoteArgv } from './quote.ts'
import { RANK_DRIVER } from './rank-driver-script.ts'
import { compilePrelude } from './script-prelude.ts'

export type { DriverOptions } from './driver-options.ts'
export { compileNodeRunner } from './node-runner-script.ts'
export { DRIVER_UNUSABLE_EXIT_CODE } from './protocol.ts'

/** Directories an attempt needs, relative to its own; staging makes them, else the driver does. */
export const ATTEMPT_DIRECTORIES = ['claim/0', 'events', 'exit', 'logs', 'slots'] as const

/**
 * Compiles driver.sh, which orchestrates one attempt on one machine: `sh <attemptDir>/driver.sh`, to be started as leader of
 * its own session. It claims the attempt (97 when that is taken, 96 when it cannot, nothing run), launches setup on all ranks,
 * then run on all ranks (or an array's slots), ends the peers of a rank that fails, passes TERM and INT and the `cancel` mark
 * on, and writes exit/job last. It ends with 0 only when every rank's record (every element's result) says 0 and is written;
 * else with the first failing rank's (element's) code, 1 where none can be named.
 *
 * The runner of a single rank is a fork, see `compileForkedRunner`. One child is simply waited for. Several have a watching subshell each, which writes the child's status to
 * claim/<n>/end-<child> and a line to a FIFO: POSIX sh cannot wait for any one of several.
 *
 * Who starts it may spare it a process by variables that it takes out of the environment: `_d_known_boot`, epoch seconds at
 * boot, and `_d_known_reset`, see `SIGNAL_RESET`.
 * Throws InputError `invalid_argument` as `validateDriverOptions` and `quoteShell` do.
 */
export function compileDriver(options: DriverOptions): string {
  const { allocation } = options
  const launched = isLaunched(allocation)
  const ranks = ranksOf(options)
  const single = ranks.length === 1 && !launched && !options.slots && options.processGroups !== 'bash'
  const runner = quoteArgv(options.interpreter ?? [options.processGroups === 'bash' ? 'bash' : 'sh'])
  return `#!/bin/sh
# Functions are called by traps and by the other program, and "a && b || c" is meant:
# shellcheck disable=SC2317,SC2015,SC2009,SC2030,SC2031,SC2034
# Driver of job ${options.jobId}, attempt ${options.attempt}, made by Drover. By hand: sh driver.sh
${compilePrelude(options, 'driver')}
_d_ranks='${ranks.join(' ')}'
_d_has_setup=${options.hasSetup ? 1 : "''"} _d_has_gate=${options.gate ? 1 : "''"} _d_refused_code=${LEASE_EXIT_CODE}
_d_children=$_d_ranks
_d_run_node() { _d_in_group ${runner} "$_d_dir/node.sh" "$@"${allocation ? ' "$_d_restart" "$_d_task"' : ''}; }
${[
  CHILDREN,
  allocation ? compileAllocation(options, allocation) : compileLease(options.lease),
  options.gate ? GATE : NO_GATE,
  options.slots ? compileArrayDriver(options) : RANK_DRIVER,
  ...(single ? [compileRunner(options), compileForkedRunner(allocation !== undefined)] : []),
  ...(launched ? [compileLaunchDriver(options, allocation)] : []),
  compileEnvironmentEnd(options),
  compileMain(allocation !== undefined),
].join('')}`
}

const CHILDREN = `
_d_told=0 _d_peer='' _d_watcher='' _d_live='' _d_sentinel='' _d_fifo='' _d_ticker='' _d_lost='' _d_phase=setup
_d_first_code='' _d_first_end='' _d_first_told=0

# TERM, INT, the cancel mark: told to stop. The mark comes before the signals, see _d_signal_live.
_d_on_stop() {
  _d_woken=1
  [ "$_d_told" = 0 ] || return 0
  # Another node's failure, not a person's wish.
  if [ -e "$_d_dir/peer" ] && [ ! -e "$_d_dir/cancel" ]; then
    if [ -n "$_d_live" ]; then
      _d_stop_peers
    else
      # Nothing runs yet, or not any more: what is started looks at the mark.
      _d_peer=1
      printf 'peer\\n' >>"$_d_claim/stop"
    fi
    return 0
  fi
  _d_stop_all term
}

# All are told to stop: why ($1) is written before the signals, see _d_signal_live. The first line is what counts.
_d_stop_all() {
  _d_woken=1
  [ "$_d_told" = 0 ] || return 0
  _d_told=$1
  printf '%s\\n' "$_d_told" >>"$_d_claim/stop"
  _d_signal_live TERM
}

_d_stop_peers() {
  [ -n "$_d_live" ] && [ -z "$_d_peer" ] && [ "$_d_told" = 0 ] || return 0
  _d_peer=1
  printf 'peer\\n' >>"$_d_claim/stop"
  _d_signal_live TERM
}

# Passes signal $1 on to the living children. One without an identity line has still to look at the marks.
# In a subshell, because a trap must not change variables that the main program is using.
_d_signal_live() {
  (
    for _d_each in $_d_live; do
      _d_who "$_d_each" && _d_is_same "$_d_found_pid" "$_d_found_start" && kill "-$1" "$_d_found_pid"
    done
  )
  [ -z "$_d_fifo" ] || printf 'w\\n' >&9
}

# _d_find_line FILE WORD [KEY]: pid and start of the last such event line, in _d_found_pid and _d_found_start.
_d_find_line() {
  _d_found_pid='' _d_found_start=''
  [ -r "$_d_own/events/$1" ] || return 1
  while read -r _d_line _d_key _d_rest; do
    [ "$_d_key" = "$2" ] || continue
    case "$_d_rest " in *"$3 "*) ;; *) continue ;; esac
    for _d_pair in $_d_rest; do
      case $_d_pair in pid=*) _d_found_pid=\${_d_pair#*=} ;; start=*) _d_found_start=\${_d_pair#*=} ;; esac
    done
  done <"$_d_own/events/$1"
  [ -n "$_d_found_pid" ]
}

# Starts node.sh with these arguments as a background child in a group of its own: $!.
_d_spawn() {
  _d_monitor on
  { _d_run_node "$@"; } </dev/null 9>&- &
  _d_monitor off
}

# The same with somebody who tells of its end. $1 is the child's name.
_d_start_child() {
  printf '' >"$_d_claim/end-$_d_phase-$1"
  (
    _d_woken=
    trap '_d_woken=1' TERM INT HUP
    _d_spawn_child "$1"
    _d_await "$!"
    printf '%s\\n' "$_d_status" >"$_d_claim/end-$_d_phase-$1"
    [ -z "$_d_fifo" ] || printf 'w\\n' >&9
    exit "$_d_status"
  ) &
  eval "_d_watcher_$1=$!"
}

# True while child $1 can still end by itself: its watcher tells of it, or, where that was killed, its process lives.
_d_is_pending() {
  eval "_d_watcher=\\$_d_watcher_$1"
  kill -0 "$_d_watcher" 2>/dev/null && return
  _d_who "$1" && _d_is_same "$_d_found_pid" "$_d_found_start" && [ "$_d_state" != Z ]
}

# Status of child $1 of this phase in _d_code, once its watcher has written it. A watcher that was killed writes none: then
# the child's own record says how it ended, or that it has none.
_d_read_end() {
  { IFS= read -r _d_code <"$_d_claim/end-$_d_phase-$1"; } 2>/dev/null && return
  _d_is_pending "$1" && return 1
  { IFS= read -r _d_code <"$_d_claim/end-$_d_phase-$1"; } 2>/dev/null || _d_code=137
}

# Spawns child $1 of this phase.
_d_spawn_child() { if [ "$_d_phase" = slot ]; then _d_spawn slot "$1" "$_d_boot_epoch" "$_d_reset"; else _d_spawn "$1" "$_d_phase" "$_d_boot_epoch" "$_d_reset"; fi; }

# Runs children of one phase to their ends: setup, run (ranks) or slot.
_d_run_children() {
  _d_phase=$1
  shift
  _d_live=$*
  if [ $# = 1 ] && [ -z "$_d_tick" ]; then
    while [ -n "$_d_live" ]; do
      _d_spawn_child "$1"
      _d_await "$!"
      _d_live='' _d_replace=''
      _d_child_ended "$1" "$_d_status"
      [ -z "$_d_replace" ] || _d_live=$1
    done
    return
  fi
  _d_open_fifo
  # Nobody is told of a watcher's violent end: it is looked for every now and then.
  _d_start_ticker "\${_d_tick:-5}"
  for _d_child; do _d_start_child "$_d_child"; done
  while :; do
    _d_still=
    for _d_child in $_d_live; do
      if _d_read_end "$_d_child"; then
        _d_replace=
        _d_child_ended "$_d_child" "$_d_code"
        [ -n "$_d_replace" ] || continue
        _d_start_child "$_d_child"
      fi
      _d_still="$_d_still $_d_child"
    done
    _d_live=$_d_still
    [ -n "$_d_live" ] || break
    [ -z "$_d_tick" ] || _d_on_tick
    [ ! -e "$_d_dir/cancel" ] || _d_on_stop
    _d_sleep
  done
  [ -z "$_d_ticker" ] || kill -USR1 "$_d_ticker" 2>/dev/null
  [ -z "$_d_sentinel" ] || kill -KILL "$_d_sentinel" 2>/dev/null
  _d_ticker='' _d_sentinel=''
}
_d_tick=

_d_open_fifo() {
  [ -z "$_d_fifo" ] || return 0
  if mkfifo "$_d_claim/wake" && { : >&9; } 2>/dev/null 9<>"$_d_claim/wake"; then
    exec 9<>"$_d_claim/wake"
    _d_fifo=1
  fi
}

# Until a line comes through the FIFO; where the file system has none, for a second. A child waits for it, because \`wait\` is
# what a signal ends in every shell.
_d_sleep() {
  if [ -z "$_d_sentinel" ]; then
    if [ -n "$_d_fifo" ]; then (trap '' TERM INT HUP && read -r _d_line <&9) & else sleep 1 & fi
    _d_sentinel=$!
  fi
  wait "$_d_sentinel"
  if [ -n "$_d_woken" ]; then
    _d_woken=
    kill -0 "$_d_sentinel" 2>/dev/null && return
  fi
  _d_sentinel=
}

# A line through the FIFO every $1 seconds, as long as this driver lives; and a last one for the sentinel, should it be killed.
_d_start_ticker() {
  (
    _d_before=$!
    trap '' TERM INT HUP
    trap '[ "$!" = "$_d_before" ] || kill -KILL "$!" 2>/dev/null; exit 0' USR1
    while _d_is_same $$ "$_d_own_start"; do
      sleep "$1" 9>&- &
      wait "$!"
      printf 'w\\n' >&9
    done
  ) &
  _d_ticker=$!
}

# KILL for the group led by $1, started at $2; where there are no groups for that process.
_d_kill() { _d_signal_group KILL "$1" "$2" || { _d_is_same "$1" "$2" && kill -KILL "$1"; }; }

# Keeps the first failure in time: code, end, told.
_d_note_failure() {
  [ -z "$_d_first_code" ] || [ "$2" -lt "$_d_first_end" ] || return 0
  _d_first_code=$1 _d_first_end=$2 _d_first_told=$3
}
`

const NO_GATE = `
_d_await_gate() { :; }
`

const GATE = `
# What comes before run is done here; run begins when the supervisor has seen it done on every node. False: it is not to begin.
_d_await_gate() {
  _d_clock
  _d_event job ready
  # Parts of a second are no part of POSIX.
  _d_pause=0.2
  sleep 0.01 2>/dev/null || _d_pause=1
  while :; do
    _d_gate=''
    { IFS= read -r _d_gate <"$_d_dir/gate"; } 2>/dev/null
    case $_d_gate in open) return 0 ;; stop) return 1 ;; esac
    [ ! -e "$_d_dir/cancel" ] && [ ! -e "$_d_dir/peer" ] || _d_on_stop
    [ "$_d_told$_d_peer" = 0 ] || return 1
    sleep "$_d_pause" &
    wait "$!"
    kill -KILL "$!" 2>/dev/null
  done
}
`

const compileMain = (inAllocation: boolean): string => `
trap _d_on_stop TERM INT
trap '_d_woken=1' HUP
# Not '': what is started here would inherit that.
trap : PIPE
${inAllocation ? '_d_enter\n' : ''}
[ -d "$_d_claim" ] && [ -d "$_d_own/events" ] && [ -d "$_d_own/exit" ] && [ -d "$_d_dir/logs" ] ||
  (umask 077 && mkdir -p "$_d_claim" "$_d_own/events" "$_d_own/exit" "$_d_dir/logs" "$_d_own/slots")
# The claim: the file is made by one instance only (O_EXCL), whatever made the directory.
set -C
if ! { printf '' >"$_d_claim/id"; } 2>/dev/null; then
  if [ -e "$_d_claim/id" ]; then
    echo 'drover: this attempt has been claimed by another instance; nothing is run' >&2
    exit ${DUPLICATE_EXIT_CODE}
  fi
  echo 'drover: cannot claim this attempt; nothing is run' >&2
  exit ${DRIVER_UNUSABLE_EXIT_CODE}
fi
set +C
_d_begin "\${_d_known_boot:-}" "\${_d_known_reset:-}"
unset _d_known_boot _d_known_reset
printf '%s:%s:%s\\n' $$ "$_d_own_start" "$_d_boot" >"$_d_claim/id"
${inAllocation ? '_d_settle_in' : `printf '%s:%s:%s\\n' $$ "$_d_own_start" "$_d_boot" >"$_d_dir/native_id"`}
_d_event job "driver pid=$$ start=$_d_own_start boot=$_d_boot"
# A TERM before the claim could not leave its mark.
[ "$_d_told" = 0 ] || printf '%s\\n' "$_d_told" >>"$_d_claim/stop"
[ ! -e "$_d_dir/cancel" ] && [ ! -e "$_d_dir/peer" ] || _d_on_stop

[ -n "$_d_has_setup$_d_has_gate" ] || _d_phase=run
if [ "$_d_told$_d_peer" = 0 ] && ! _d_take_lease && [ -n "$_d_no_room" ]; then
  _d_refuse
elif [ -n "$_d_has_setup" ]; then
  # shellcheck disable=SC2086
  _d_run_children setup $_d_children
  [ ! -e "$_d_dir/cancel" ] || _d_on_stop
fi
if [ -n "$_d_first_code" ] || [ "$_d_told$_d_peer" != 0 ]; then
  _d_close_ranks
else
  if ! _d_await_gate; then
    _d_close_ranks
  else
    _d_phase=run
    if [ -n "$_d_has_setup$_d_has_gate" ]; then
      _d_clock
      _d_event job gate
    fi
    _d_run_all
  fi
fi
[ -z "$_d_peer" ] || [ -n "$_d_first_code" ] || _d_first_code=143 _d_first_told=peer

if [ -n "$_d_lost" ] && [ "\${_d_first_code:-0}" = 0 ]; then _d_first_code=1; fi
_d_code=\${_d_first_code:-0}
if [ "$_d_told" = 0 ]; then _d_said=$_d_first_told; else _d_said=$_d_told; fi
[ "$_d_phase" = setup ] || _d_phase=run
_d_clock
_d_event job driver_end
_d_release_lease
# The record is what is waited for: before it the secrets go, after it the name.
_d_clear_env
_d_signal_of "$_d_code"
_d_record job -1 "$_d_code" "$_d_signal_number" "$_d_began" "$_d_now" "$_d_said" "$_d_phase" || _d_code=1
_d_remove_env
exit "$_d_code"
`
