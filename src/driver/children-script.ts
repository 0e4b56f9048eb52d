/**
 * The part of driver.sh that starts children, waits for them, and passes stops on. One child is simply waited for. Several have
 * a watching subshell each, which writes the child's status to claim/<n>/end-<child> and a line to a FIFO: POSIX sh cannot wait
 * for any one of several.
 */
export const CHILDREN = `
_d_told=0 _d_peer='' _d_watcher='' _d_live='' _d_sentinel='' _d_fifo='' _d_ticker='' _d_lost='' _d_phase=setup
_d_first_code='' _d_first_end='' _d_first_told=0

# TERM, INT, the cancel mark: told to stop. The mark comes before the signals, see _d_signal_live.
_d_on_stop() {
  _d_woken=1
  # Asked once more: it is passed on once more, see _d_insist.
  if [ "$_d_told" != 0 ]; then
    _d_signal_children TERM
    return 0
  fi
  # Another node's failure, not a person's wish.
  if [ -e "$_d_dir/peer" ] && [ ! -e "$_d_dir/cancel" ]; then
    if [ -n "$_d_peer" ]; then
      _d_signal_children TERM
    elif [ -n "$_d_live" ]; then
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

# Signal $1 for all that live, and a look at them.
_d_signal_live() {
  _d_signal_children "$1"
  [ -z "$_d_fifo" ] || printf 'w\\n' >&9
}

# Passes signal $1 on to the living children. One without an identity line has still to look at the marks.
# In a subshell, because a trap must not change variables that the main program is using.
_d_signal_children() {
  [ -z "$_d_live" ] || (
    for _d_each in $_d_live; do
      _d_who "$_d_each" && _d_is_same "$_d_found_pid" "$_d_found_start" && kill "-$1" "$_d_found_pid"
    done
  )
}

# bash (5.2 too) does not run the trap of a signal that comes right before its \`wait\` until the child has ended: those that
# are to stop are told again every few seconds. Once heard, a runner ignores the signal.
_d_insist() {
  [ "$_d_told$_d_peer" != 0 ] || return 0
  _d_clock
  _d_insisted=\${_d_insisted:-$_d_cs}
  [ $((_d_cs - _d_insisted)) -ge 300 ] || return 0
  _d_insisted=$_d_cs
  _d_signal_children TERM
}
_d_insisted=

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
    [ "$_d_told" != 0 ] || [ ! -e "$_d_dir/cancel" ] || _d_on_stop
    _d_insist
    _d_sleep
  done
  [ -z "$_d_ticker" ] || kill -VTALRM "$_d_ticker" 2>/dev/null
  [ -z "$_d_sentinel" ] || kill -KILL "$_d_sentinel" 2>/dev/null
  _d_ticker='' _d_sentinel=''
}
_d_tick=

_d_open_fifo() {
  [ -z "$_d_fifo" ] || return 0
  # A file system over SFTP has none: then one of this machine, which needs a name only until it is open.
  for _d_fifo in "$_d_claim/wake" "\${TMPDIR:-/tmp}/drover-wake.$$"; do
    if mkfifo -m 600 "$_d_fifo" 2>/dev/null && { : >&9; } 2>/dev/null 9<>"$_d_fifo"; then
      exec 9<>"$_d_fifo"
      case $_d_fifo in "$_d_claim"/*) ;; *) rm -f "$_d_fifo" ;; esac
      return
    fi
  done
  _d_fifo=''
}

# Until a line comes through the FIFO; where the file system has none, for a second. A child waits for it, because \`wait\` is
# what a signal ends in every shell.
_d_sleep() {
  if [ -z "$_d_sentinel" ]; then
    if [ -n "$_d_fifo" ]; then (trap '' TERM INT HUP USR1 USR2 && read -r _d_line <&9) & else sleep 1 & fi
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
  [ -n "$_d_fifo" ] || return 0
  (
    _d_before=$!
    trap '' TERM INT HUP USR1 USR2
    trap '[ "$!" = "$_d_before" ] || kill -KILL "$!" 2>/dev/null; exit 0' VTALRM
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
