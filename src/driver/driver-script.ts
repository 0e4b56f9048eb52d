import { compileAllocation, compileEnvironmentEnd, isLaunched, ranksOf } from './allocation-script.ts'
import { compileArrayDriver } from './array-driver-script.ts'
import { CHILDREN } from './children-script.ts'
import type { DriverAllocation, DriverOptions } from './driver-options.ts'
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

/** Directories an attempt needs, relative to its own; staging makes them, else the driver does. */
export const ATTEMPT_DIRECTORIES = ['claim/0', 'events', 'exit', 'logs', 'slots'] as const

/**
 * Compiles driver.sh, which orchestrates one attempt on one machine: `sh <attemptDir>/driver.sh`, to be started as leader of
 * its own session. It claims the attempt (97 when that is taken, 96 when it cannot, nothing run), launches setup on all ranks,
 * then run on all ranks (or an array's slots), ends the peers of a rank that fails, passes TERM and INT and the `cancel` mark
 * on, and writes exit/job last. It ends with 0 only when every rank's record (every element's result) says 0 and is written;
 * else with the first failing rank's (element's) code, 1 where none can be named.
 *
 * The runner of a single rank is a fork, see `compileForkedRunner`; how children are waited for: `CHILDREN`. Inside an allocation
 * see `compileAllocation` and `compileLaunchDriver`.
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
  compileMain(allocation),
].join('')}`
}

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

const compileMain = (allocation: DriverAllocation | undefined): string => `
trap _d_on_stop TERM INT
trap '_d_woken=1' HUP
# Not '': what is started here would inherit that.
trap : PIPE
${allocation ? '_d_enter\n' : ''}
[ -d "$_d_claim" ] && [ -d "$_d_own/events" ] && [ -d "$_d_own/exit" ] && [ -d "$_d_dir/logs" ] ||
  (umask 077 && mkdir -p "$_d_claim" "$_d_own/events" "$_d_own/exit" "$_d_dir/logs" "$_d_own/slots")
# The claim: the file is made by one instance only (O_EXCL), whatever made the directory.
set -C
if ! { printf '' >"$_d_claim/id"; } 2>/dev/null; then
  if [ -e "$_d_claim/id" ]; then
${allocation && !allocation.requeue ? '    _d_started_again\n' : ''}    echo 'drover: this attempt has been claimed by another instance; nothing is run' >&2
    exit ${DUPLICATE_EXIT_CODE}
  fi
  echo 'drover: cannot claim this attempt; nothing is run' >&2
  exit ${DRIVER_UNUSABLE_EXIT_CODE}
fi
set +C
_d_begin "\${_d_known_boot:-}" "\${_d_known_reset:-}"
unset _d_known_boot _d_known_reset
printf '%s:%s:%s\\n' $$ "$_d_own_start" "$_d_boot" >"$_d_claim/id"
${allocation ? '_d_settle_in' : `printf '%s:%s:%s\\n' $$ "$_d_own_start" "$_d_boot" >"$_d_dir/native_id"`}
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
