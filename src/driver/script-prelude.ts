import { compileAttemptPlace } from './allocation-script.ts'
import { type DriverOptions, validateDriverOptions } from './driver-options.ts'
import { exitChecksumShell } from './exit-checksum.ts'
import { quoteShell } from './quote.ts'
import { SIGNAL_RESET } from './signal-reset.ts'

/**
 * What driver.sh and node.sh begin with: the parameters of this attempt, then functions that both use. POSIX sh as dash,
 * bash (also 3.2 of macOS, as `sh`) and busybox ash run it. Rules of these programs, each for a reason outside of them:
 *
 * - Every name begins with `_d_`: the user's environment is the programs' environment.
 * - A trap runs between any two commands, so a signal that comes just before `wait` does not end that `wait`. Traps therefore
 *   act by themselves (forward the signal) and never only set a mark for the main program.
 * - `$!` changes with the fork itself, a variable only with the next command: `_d_pid=${_d_pid:-$!}` is safe against traps.
 * - `kill -TERM "-$pid"` without `--`, which busybox takes for a number.
 * - Redirections stand on `printf`, `read` or groups: a failing one on `:` or `exec` ends a POSIX shell.
 */
export function compilePrelude(options: DriverOptions, program: 'driver' | 'node'): string {
  validateDriverOptions(options)
  const { timeoutSeconds } = options
  return `${options.processGroups === 'bash' ? RESTART_AS_BASH : ''}
_d_job=${quoteShell(options.jobId)} _d_attempt=${options.attempt}
${compileAttemptPlace(options, program)}_d_bell=${quoteShell(options.bellPath)}
# Time limit and grace (TERM to KILL): seconds, and in hundredths. No limit: empty.
_d_limit_cs=${timeoutSeconds === undefined ? "''" : Math.round(timeoutSeconds * 100)}
_d_grace=${options.graceSeconds} _d_grace_cs=${Math.round(options.graceSeconds * 100)}
${FUNCTIONS}${compileRing(options)}${SIGNAL_RESET}${exitChecksumShell}${GROUPS[options.processGroups]}`
}

function compileRing({ allocation }: DriverOptions): string {
  const task = allocation?.task ? { format: ' %s', word: ' "$_d_task"' } : { format: '', word: '' }
  return `
# Rings the doorbell. Nobody may be there to hear it; the records are what counts.
_d_ring() { { printf '%s %s %s${task.format}\\n' "$_d_job" "$_d_attempt" "$1"${task.word} >>"$_d_bell"; } 2>/dev/null; }
`
}

/** Job control of bash makes the groups; other shells have none without a terminal. */
const RESTART_AS_BASH = `
[ -n "\${BASH_VERSION:-}" ] || exec bash "$0" "$@"
`

/**
 * `_d_in_group word…` becomes that program, as leader of a group of its own, when it is called in a background subshell;
 * `_d_become_script` does so with INT and QUIT at their defaults. `_d_groups`: whether there are groups to signal.
 */
const GROUPS: Record<DriverOptions['processGroups'], string> = {
  setsid: `
_d_groups=1
_d_find_tool setsid && _d_setsid=$_d_found
_d_monitor() { :; }
_d_in_group() { exec "$_d_setsid" "$@"; }
_d_become_script() { _d_exec_reset "$_d_setsid" "$@"; }
`,
  perl: `
_d_groups=1
_d_find_tool perl && _d_perl=$_d_found
_d_monitor() { :; }
_d_in_group() {
  # shellcheck disable=SC2016
  exec "$_d_perl" -e 'use POSIX (); POSIX::setsid(); $SIG{INT} = $SIG{QUIT} = "DEFAULT"; exec {$ARGV[0]} @ARGV; warn "$ARGV[0]: $!\\n"; exit 127' -- "$@"
}
_d_become_script() { _d_in_group "$@"; }
`,
  bash: `
_d_groups=1
# Between on and off, each background job leads a group, and ignores nothing.
_d_monitor() { case $1 in on) set -m ;; off) set +m ;; esac; }
_d_in_group() { exec "$@"; }
_d_become_script() { exec "$@"; }
`,
  none: `
# There is no way to make process groups here: only the script itself can be signalled, not what it starts.
_d_groups=
_d_monitor() { :; }
_d_in_group() { exec "$@"; }
_d_become_script() { _d_exec_reset "$@"; }
`,
}

const FUNCTIONS = `
_d_claim=$_d_own/claim/$_d_restart
_d_tools=$PATH
if [ -r /proc/self/stat ] && [ -r /proc/uptime ]; then _d_proc=1; else _d_proc=; fi

# Sets _d_now, epoch seconds, and _d_cs, hundredths of seconds of a clock that only goes forward. Needs _d_begin before.
_d_clock() {
  if [ -n "$_d_proc" ]; then
    read -r _d_up _d_rest </proc/uptime
    _d_seconds=\${_d_up%%.*} _d_hundredths=\${_d_up#*.}
    # "08" is no number to a shell; 108 is.
    _d_cs=$((_d_seconds * 100 + 1$_d_hundredths - 100))
    _d_now=$((_d_boot_epoch + _d_seconds))
  else
    _d_now=$(date +%s)
    _d_cs=$((_d_now * 100))
  fi
}

# Sets _d_boot, the boot id.
_d_read_boot() {
  { read -r _d_boot </proc/sys/kernel/random/boot_id; } 2>/dev/null && return
  _d_boot=$(sysctl -n kern.boottime 2>/dev/null | sed 's/ usec.*//' | tr -cd 0-9)
  _d_boot=\${_d_boot:--}
}

# Sets _d_start, _d_state and _d_pgrp of process $1; false when there is none.
_d_look_at() {
  _d_start='' _d_state='' _d_pgrp=''
  if [ -n "$_d_proc" ]; then
    { read -r _d_stat <"/proc/$1/stat"; } 2>/dev/null || return 1
    # The name, in parentheses, may hold anything.
    # shellcheck disable=SC2086
    set -- \${_d_stat##*) }
    [ $# -gt 19 ] || return 1
    _d_state=$1 _d_pgrp=$3
    shift 19
    _d_start=$1
  else
    # shellcheck disable=SC2046
    set -- $(ps -o stat= -o pgid= -o lstart= -p "$1" 2>/dev/null)
    [ $# -gt 2 ] || return 1
    _d_state=$1 _d_pgrp=$2
    shift 2
    for _d_part; do _d_start=$_d_start$_d_part; done
  fi
}

# True when process $1 still is the one that started at $2.
_d_is_same() { _d_look_at "$1" && [ "$_d_start" = "$2" ]; }

# Sends signal $1 to what is left of the group led by $2, started at $3. Nothing when the number has been given out again.
_d_signal_group() {
  [ -n "$_d_groups" ] || return 1
  if _d_look_at "$2" && [ "$_d_start" != "$3" ]; then return 1; fi
  kill "-$1" "-$2" 2>/dev/null
}

# True while the group led by $1 has a member that is no zombie (where nobody reaps, zombies stay).
_d_has_members() {
  kill -0 "-$1" 2>/dev/null || return 1
  if [ -z "$_d_proc" ]; then
    ps -A -o pgid= -o stat= | grep -q "^ *$1  *[^Z]"
    return
  fi
  for _d_each in /proc/[0-9]*; do
    _d_look_at "\${_d_each#/proc/}" && [ "$_d_pgrp" = "$1" ] || continue
    case $_d_state in Z | X) ;; *) return 0 ;; esac
  done
  return 1
}

_d_nap() { sleep 0.02 2>/dev/null || sleep 1; }

# Ends what is left of the group led by $1, started at $2: TERM, and KILL when the grace $3 (hundredths) is over.
_d_end_group() {
  _d_signal_group TERM "$1" "$2" || return 0
  _d_clock
  _d_until=$((_d_cs + $3)) _d_signal=KILL
  while _d_has_members "$1"; do
    _d_clock
    if [ "$_d_cs" -ge "$_d_until" ]; then
      # After KILL, two seconds for the kernel; what then is left hangs in it.
      [ "$_d_signal" = KILL ] && _d_signal_group KILL "$1" "$2" || return 0
      _d_signal='' _d_until=$((_d_cs + 200))
    fi
    _d_nap
  done
}

# Sets _d_found: where on PATH program $1 is. Without a process, unlike \`command -v\` in a substitution.
_d_look_for() {
  _d_search=$PATH:/usr/bin:/bin:
  while [ -n "$_d_search" ]; do
    _d_found=\${_d_search%%:*}/$1 _d_search=\${_d_search#*:}
    [ -f "$_d_found" ] && [ -x "$_d_found" ] && return 0
  done
  return 1
}
_d_find_tool() { _d_look_for "$1" || { echo "drover: no $1 on PATH" >&2 && return 1; }; }

# _d_event FILE TEXT: an event line, and the bell. Needs _d_clock before.
_d_event() {
  printf '%s %s\\n' "$_d_now" "$2" >>"$_d_own/events/$1"
  _d_ring "\${2%% *}"
}

# _d_record FILE RANK CODE SIGNAL START END TOLD PHASE: one exit record, appended at once. A full disk is tried again.
_d_record() {
  _d_file=$_d_own/exit/$1
  shift
  _d_checksum "$@"
  _d_tries=0
  # The blank line ends whatever a failed try has left.
  until printf '%sexit 1 %s %s\\n' "$_d_break" "$*" "$_d_sum" >>"$_d_file"; do
    _d_tries=$((_d_tries + 1))
    _d_break='
'
    [ "$_d_tries" -lt 10 ] || return 1
    sleep 1
  done
  _d_ring exit
}
_d_break=

# Reads the exit record of rank $1: _d_r_code _d_r_signal _d_r_start _d_r_end _d_r_told _d_r_phase. False when there is none.
_d_read_record() {
  [ -r "$_d_own/exit/$1" ] || return 1
  while read -r _d_r_word _d_r_version _d_r_rank _d_r_code _d_r_signal _d_r_start _d_r_end _d_r_told _d_r_phase _d_r_sum; do
    [ "$_d_r_word $_d_r_version $_d_r_rank" = "exit 1 $1" ] || continue
    for _d_each in "$_d_r_code" "$_d_r_signal" "$_d_r_start" "$_d_r_end" "$_d_r_sum"; do
      # Arithmetic on anything but a decimal would end the shell.
      case $_d_each in '' | *[!0-9]* | 0?* | ??????????????*) continue 2 ;; esac
    done
    _d_checksum "$_d_r_rank" "$_d_r_code" "$_d_r_signal" "$_d_r_start" "$_d_r_end" "$_d_r_told" "$_d_r_phase"
    [ "$_d_sum" = "$_d_r_sum" ] && return 0
  done <"$_d_own/exit/$1"
  return 1
}

# Sets _d_stop: why all are to stop (term, peer, timeout), as the driver has written it. False while nobody is to. By content,
# because other nodes know a new file only when their caches of names have run out.
_d_read_stop() {
  _d_stop=''
  { read -r _d_stop <"$_d_claim/stop"; } 2>/dev/null
  [ -n "$_d_stop" ]
}

# Sets _d_signal_number of exit code $1: 129 to 192 count as signals.
_d_signal_of() { if [ "$1" -gt 128 ] && [ "$1" -le 192 ]; then _d_signal_number=$(($1 - 128)); else _d_signal_number=0; fi; }

# Waits for child $1 and sets _d_status. A trap sets _d_woken and so marks a \`wait\` that it ended, whose status is none.
# When the child had been waited for before the trap ran, a second \`wait\` knows it no more (127; bash -1 or 255), and it is gone.
_d_await() {
  wait "$1"
  _d_status=$?
  [ -z "$_d_woken" ] || _d_await_more "$1"
  case $_d_status in -*) _d_status=255 ;; esac
}
_d_await_more() {
  while [ -n "$_d_woken" ]; do
    _d_woken=
    _d_here=1
    # bash (5.2 too) forgets a child whose end comes together with the signal, and then waits until it has no child at all.
    kill -0 "$1" 2>/dev/null || { _d_here='' && _d_stop_timer; }
    [ -z "$_d_timer" ] || { _d_look_at "$1" && [ "$_d_state" != Z ]; } || _d_stop_timer
    wait "$1" 2>/dev/null
    _d_again=$?
    # 142 is the \`wait\` that an alarm ended.
    case $_d_here$_d_again$_d_woken in
      127 | -* | 255 | 1421 | 11421) ;;
      *) _d_status=$_d_again ;;
    esac
  done
}
_d_woken=

# _d_start_timer SECONDS SIGNAL PID START [TARGET]: sends the signal to that process, or to TARGET while that process lives,
# unless the timer is stopped before. Sets _d_timer.
_d_start_timer() {
  (
    _d_before=$!
    # A TERM for the whole group is none for the clock.
    trap '' TERM INT HUP USR1 USR2
    trap '[ "$!" = "$_d_before" ] || kill -KILL "$!" 2>/dev/null; exit 0' VTALRM
    PATH=$_d_tools sleep "$1" &
    wait "$!"
    _d_is_same "$3" "$4" && kill "-$2" "\${5:-$3}"
  ) </dev/null >/dev/null 2>&1 5>&- 9>&- &
  _d_timer=$!
}
_d_stop_timer() {
  [ -z "$_d_timer" ] || kill -VTALRM "$_d_timer" 2>/dev/null
  _d_timer=
}
_d_timer=

# True when one of the complete lines of file $1 is $2.
_d_lists() {
  [ -s "$1" ] || return 1
  while read -r _d_line; do [ "$_d_line" = "$2" ] && return 0; done <"$1"
  return 1
}

# Hundredths $1 as seconds for sleep: _d_duration.
_d_format() {
  _d_duration=$(($1 / 100)) _d_part=$(($1 % 100))
  case $_d_part in 0) ;; ?) _d_duration=$_d_duration.0$_d_part ;; *) _d_duration=$_d_duration.$_d_part ;; esac
}

# _d_begin [EPOCH] [RESET]: clock, identity and means of this process. EPOCH: epoch seconds at boot, RESET: what resets
# signals, where the caller knows them. Else one process finds out both.
_d_begin() {
  _d_boot_epoch=\${1:-}
  case $_d_boot_epoch in *[!0-9]* | ????????????*) _d_boot_epoch='' ;; esac
  _d_find_reset "\${2:-}"
  if [ -z "$_d_boot_epoch" ] && [ -n "$_d_proc" ]; then
    read -r _d_up _d_rest </proc/uptime
    _d_boot_epoch=$((\${_d_date:-$(date +%s)} - \${_d_up%%.*}))
  fi
  _d_clock
  _d_began=$_d_now
  _d_read_boot
  _d_self=$$
  _d_look_at $$
  _d_own_start=$_d_start
}
`
