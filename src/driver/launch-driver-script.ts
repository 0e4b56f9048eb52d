import type { DriverAllocation, DriverOptions } from './driver-options.ts'
import { quoteArgv } from './quote.ts'

/**
 * The part of driver.sh that starts each phase on all nodes by one launch of the scheduler (`srun … sh node.sh @ run`), after
 * `RANK_DRIVER`, whose functions it replaces. Two launches one after the other are the gate. The launch is a child of the
 * driver and no more than that: how a rank ended is said by its own record, whatever the launcher's code.
 *
 * A stop is a line in claim/<n>/stop, which every runner reads once a second. No signal goes through the launcher: srun
 * (Slurm 22.05) answers TERM by killing its tasks at once, and INT by a question.
 * A launch that lives on although all its ranks have ended, or the grace is over, gets TERM, then KILL.
 */
export function compileLaunchDriver(options: DriverOptions, { launch, nodes }: DriverAllocation): string {
  // A look is an open and a read per rank that still runs.
  const tick = Math.round(50 + nodes / 5)
  return `
_d_children=launch _d_here_only='' _d_open='' _d_open_phase='' _d_over_cs='' _d_tick=${tick / 100}

_d_who() { _d_find_line job launch "phase=$_d_phase"; }
_d_signal_children() { :; }

_d_spawn() {
  _d_monitor on
  { _d_be_launch "$2"; } </dev/null >>"$_d_dir/logs/launch.log" 2>&1 9>&- &
  _d_monitor off
}

_d_be_launch() {
  # $$ is the driver's.
  if [ -n "$_d_proc" ]; then _d_self=self; else _d_self=$(exec sh -c 'echo "$PPID"'); fi
  _d_look_at "$_d_self"
  [ -z "$_d_proc" ] || _d_self=\${_d_stat%% *}
  _d_clock
  _d_event job "launch phase=$1 pid=$_d_self start=$_d_start boot=$_d_boot"
  _d_read_stop && exit 143
  _d_in_group ${quoteArgv([...launch, ...(options.interpreter ?? ['sh'])])} "$_d_dir/node.sh" @ "$1" - - "$_d_restart" "$_d_task"
}

# While the launch lives: a rank that has failed ends the others, and a launch that nothing keeps is ended.
_d_on_tick() {
  if [ "$_d_open_phase" != "$_d_phase" ]; then _d_open=$_d_ranks _d_open_phase=$_d_phase _d_over_cs=''; fi
  _d_still_open=
  for _d_one in $_d_open; do
    if _d_read_record "$_d_one"; then
      [ "$_d_phase" = run ] && [ "$_d_r_code" != 0 ] || continue
      [ "$_d_r_told" = peer ] || _d_note_failure "$_d_r_code" "$_d_r_end" "$_d_r_told"
      _d_stop_peers
    elif [ "$_d_phase" != setup ] || ! _d_setup_went_well "$_d_one"; then
      _d_still_open="$_d_still_open $_d_one"
    fi
  done
  _d_open=$_d_still_open
  [ -z "$_d_open" ] || [ "$_d_told$_d_peer" != 0 ] || return 0
  _d_clock
  _d_over_cs=\${_d_over_cs:-$_d_cs}
  _d_past=$((_d_cs - _d_over_cs - _d_grace_cs - 300))
  [ "$_d_past" -gt 0 ] && _d_who && _d_is_same "$_d_found_pid" "$_d_found_start" || return 0
  if [ "$_d_past" -gt 500 ]; then _d_kill "$_d_found_pid" "$_d_found_start"; else kill -TERM "$_d_found_pid"; fi
}

# The launch has ended with status $2.
_d_child_ended() {
  _d_launch_code=$2 _d_waited=0
  # A record may need a moment to be seen here.
  while _d_on_tick && [ -n "$_d_open" ] && [ "$_d_waited" -lt 10 ]; do
    [ "$_d_told$_d_peer" = 0 ] || [ "$_d_launch_code" = 0 ] || break
    _d_waited=$((_d_waited + 1))
    sleep 0.1 2>/dev/null || sleep 1
  done
  # srun ends with 0 when a node has failed.
  if [ "$_d_launch_code" != 0 ] || [ -n "$_d_open" ]; then
    _d_last_line "$_d_dir/logs/launch.log"
    _d_clock
    _d_event job "launch_failed phase=$_d_phase code=$_d_launch_code text=$_d_text"
  fi
  # Nobody is left to be told of a lost rank.
  _d_live=''
  for _d_child in $_d_ranks; do _d_rank_ended "$_d_child" "$_d_launch_code"; done
  # A lost rank is why the launcher told the others (srun --kill-on-bad-exit): their ends are not the first failure.
  if [ -n "$_d_lost" ] && [ "$_d_told:$_d_first_told" = 0:term ]; then
    if [ "$_d_launch_code" = 0 ]; then _d_first_code=1; else _d_first_code=$_d_launch_code; fi
    _d_first_told=0
  fi
}
`
}
