/**
 * The part of driver.sh that looks after ranks: what the end of one means for the others and for the job. The first failing
 * rank is the one whose record ends first among those that no peer's failure ended. A runner that died without a record has
 * its script's group ended (pid and start time of its event line must still agree) and is named by `rank_lost`; one that was
 * told to stop before it ran anything has its record written here.
 */
export const RANK_DRIVER = `
_d_who() { _d_find_line "$1" runner; }

# True when the last event of rank $1 is the good end of its setup. In bash a signal to the driver can cost the child's status.
_d_setup_went_well() {
  _d_last=''
  while read -r _d_line _d_key _d_rest; do _d_last="$_d_key $_d_rest"; done <"$_d_own/events/$1"
  [ "$_d_last" = 'setup_end code=0' ]
}

_d_here_only=1
_d_child_ended() { _d_rank_ended "$@"; }

# Rank $1 has ended, its runner or the launch of all with status $2. _d_here_only: all ranks are children of this driver.
_d_rank_ended() {
  if _d_read_record "$1"; then
    # A setup that has a record went wrong, also when it ended with 0 after it had been told to stop.
    [ "$_d_phase:$_d_r_code" != setup:0 ] || _d_r_code=1
    [ "$_d_r_code" != 0 ] || return 0
    [ "$_d_r_told" = peer ] || _d_note_failure "$_d_r_code" "$_d_r_end" "$_d_r_told"
    # A failed setup stops nothing: the others' own codes are wanted, and half a setup is worse than a whole one.
    [ "$_d_phase" = setup ] || _d_stop_peers
    return
  fi
  if [ "$_d_phase" = setup ] && { [ "$_d_here_only:$2" = 1:0 ] || _d_setup_went_well "$1"; }; then return 0; fi
  if [ "$_d_phase" = setup ]; then _d_kind=setup; else _d_kind=script; fi
  # The runner died without a record. First this mark, then the look: a script whose line is still to come sees the mark.
  printf '%s\\n' "$1" >>"$_d_claim/lost"
  if ! _d_find_line "$1" "$_d_kind" && [ "$_d_told$_d_peer" != 0 ]; then
    # Ended before it had come to run anything.
    _d_write_stopped "$1"
    return
  fi
  # What it was to watch over is ended.
  _d_lost=1
  [ -z "$_d_here_only" ] || [ -z "$_d_found_pid" ] || _d_kill "$_d_found_pid" "$_d_found_start"
  if [ -n "$_d_here_only" ] && _d_find_line "$1" runner; then _d_kill "$_d_found_pid" "$_d_found_start"; fi
  _d_clock
  _d_event job "rank_lost rank=$1 code=$2"
  if [ "$2" = 0 ]; then _d_note_failure 1 "$_d_now" 0; else _d_note_failure "$2" "$_d_now" 0; fi
  [ "$_d_phase" = setup ] || _d_stop_peers
}

# The record of rank $1, which was stopped before its runner could write one.
_d_write_stopped() {
  if [ "$_d_told" = 0 ]; then _d_why=peer; else _d_why=$_d_told; fi
  _d_clock
  _d_record "$1" "$1" 143 15 "$_d_began" "$_d_now" "$_d_why" "$_d_phase"
  [ "$_d_why" = peer ] || _d_note_failure 143 "$_d_now" "$_d_why"
}

# After a failed setup, or a stop before run: a record for each rank that has none and is not lost.
_d_close_ranks() {
  for _d_child in $_d_ranks; do
    _d_read_record "$_d_child" && continue
    _d_lists "$_d_claim/lost" "$_d_child" && continue
    if [ "$_d_told$_d_peer" = 0 ]; then
      _d_clock
      _d_record "$_d_child" "$_d_child" 0 0 "$_d_began" "$_d_now" 0 setup
    else
      _d_write_stopped "$_d_child"
    fi
  done
}

_d_run_all() {
  # shellcheck disable=SC2086
  _d_run_children run $_d_children
  # A record that did not reach the disk is no success.
  for _d_child in $_d_ranks; do
    _d_read_record "$_d_child" || _d_lost=1
  done
}
`
