import { CATCH_WARNINGS, compileLaunchedCase, compileNodeVariables } from './allocation-runner-script.ts'
import { isLaunched } from './allocation-script.ts'
import type { DriverOptions } from './driver-options.ts'
import { type Phase, phaseEnvironment, rankEnvironment } from './job-environment.ts'
import { shellAssignments } from './quote.ts'
import { runCommand, scriptCommand } from './run-script.ts'
import { compilePrelude } from './script-prelude.ts'
import { compileSlot } from './slot-script.ts'

/**
 * Compiles node.sh, the program that runs on every node: `sh node.sh <rank> setup|run [<epoch seconds at boot> <reset>]`. It is to be
 * started as leader of a process group of its own. It runs setup.sh or run.sh as leader of another group, stdin /dev/null,
 * ends it (TERM, grace, KILL) when told by TERM or INT or at the time limit, ends what the script left behind in its group,
 * and proves the end by one line in exit/<rank>. A setup that went well leaves no record, only its event. Ends with the
 * script's code (128 + n for signals); 125 when it could not write the record.
 * For arrays also `sh node.sh slot <k> [<epoch> <reset>]`, see `compileSlot`. A scheduler's launcher starts
 * `sh node.sh @ setup|run - - <restart> <task>` on every node: the rank is found in a variable, and the code is 0 when all there is
 * to say is written, whatever the script's.
 * Throws InputError `invalid_argument` as `validateDriverOptions` and `quoteShell` do.
 */
export function compileNodeRunner(options: DriverOptions): string {
  return `#!/bin/sh
# Functions are called by traps and by the other program, and "a && b || c" is meant:
# shellcheck disable=SC2317,SC2015,SC2009,SC2030,SC2031,SC2034
# Node runner of job ${options.jobId}, attempt ${options.attempt}, made by Drover.
# By hand: sh node.sh RANK setup|run${options.slots ? ', sh node.sh slot K' : ''}
${compilePrelude(options, 'node')}${compileRunner(options)}
${options.slots ? compileSlot(options, options.slots) : ''}
case \${1:-}:\${2:-} in
${options.slots ? '  slot:*) _d_slot "$2" "${3:-}" "${4:-}" ;;\n' : ''}${isLaunched(options.allocation) ? compileLaunchedCase(options.allocation) : ''}  *:setup | *:run)
    trap _d_on_told TERM INT
    trap _d_on_alarm ALRM
    trap '_d_woken=1' HUP
    # Not '': the script would inherit that.
    trap : PIPE
${options.allocation ? `    ${CATCH_WARNINGS}\n` : ''}    _d_begin "\${3:-}" "\${4:-}"
    _d_run_phase "$1" "$2"
    exit "$_d_status"
    ;;
  *)
    echo 'drover: usage: sh node.sh RANK setup|run' >&2
    exit 125
    ;;
esac
`
}

/** Functions of one rank, above all `_d_run_phase RANK setup|run`: what node.sh and the driver of a single rank are made of. */
export function compileRunner(options: DriverOptions): string {
  return `${options.allocation ? compileNodeVariables(options, options.allocation) : compileRankVariables(options)}
# Becomes the user's script; in a subshell whose parent waits.
_d_become() {
  if [ "$1" = setup ]; then
    IFS= read -r _d_line <"$_d_dir/setup.sh"
    case $_d_line in '#!'*) _d_become_script "$_d_dir/setup.sh" ;; esac
    _d_become_script ${scriptCommand(undefined, options.shell, 'setup.sh')}
  fi
  _d_become_script ${runCommand(options.run, options.shell)}
}
${RUNNER}`
}

function compileRankVariables(options: DriverOptions): string {
  return `
_d_linger() { :; }
_d_catch_up() { :; }
# What differs by phase and rank, exported after the job's own environment.
_d_export() {
  case $2 in
${(['setup', 'run'] as const).map((phase) => `    ${phase}) ${exportsOf(phaseEnvironment(options.ranks, options.gpusPerNode ?? 0, phase))} ;;`).join('\n')}
  esac
  case $1:$2 in
${options.ranks.flatMap((rank) => (['setup', 'run'] as const).map((phase: Phase) => `    ${rank.rank}:${phase}) ${exportsOf(rankEnvironment(rank, phase))} ;;`)).join('\n')}
    *)
      echo "drover: no rank $1" >&2
      exit 125
      ;;
  esac
  cd "$DROVER_WORK_DIR" || exit 125
}
_d_node_of() {
  case $1 in
${options.ranks.map(({ rank, node }) => `    ${rank}) _d_node=${node.replace(/[^A-Za-z0-9._:-]/g, '_')} ;;`).join('\n')}
  esac
}
`
}

function exportsOf(env: Readonly<Record<string, string>>): string {
  return shellAssignments(env).trimEnd()
}

const RUNNER = `
_d_told=0 _d_ended=1 _d_heard='' _d_kill_at=0 _d_counters='' _d_early=\${_d_early:-} _d_unrecorded=0

# TERM, INT: told to stop. Before the identity line it is only kept in mind.
_d_on_told() {
  _d_woken=1 _d_heard=1
  [ "$_d_told" = 0 ] && [ -z "$_d_ended" ] || return 0
  if _d_read_stop; then _d_told=$_d_stop; else _d_told=term; fi
  # A second one (to the whole group, and by the driver) would only interrupt \`wait\`, which in bash can cost the status.
  trap '' TERM INT
  _d_tell
}

# ALRM: the time limit, or, after that or a TERM, the end of the grace.
_d_on_alarm() {
  _d_woken=1
  [ -z "$_d_ended" ] || return 0
  if [ "$_d_told" = 0 ]; then
    _d_told=timeout
    _d_tell
    return
  fi
  _d_clock
  # The limit's own alarm may still have been on its way when a TERM came.
  [ -n "$_d_termed" ] && [ "$_d_cs" -ge $((_d_kill_at - 5)) ] && _d_send KILL
}

_d_tell() {
  _d_clock
  _d_event "$_d_rank" "told why=$_d_told"
  # A signal that meets the child before it has put off this shell's traps is lost; it looks for this mark afterwards.
  printf '' >"$_d_claim/told-$_d_rank-$_d_phase"
  _d_stop_script
}

_d_stop_script() {
  # As long as $! is what it was, the fork is still to come, and who forks looks at the mark.
  [ -n "$_d_pid" ] || [ "$!" = "$_d_last_child" ] || _d_pid=$!
  [ -n "$_d_pid" ] && [ -z "$_d_termed" ] || return 0
  _d_termed=1
  [ -n "$_d_script_start" ] || { _d_look_at "$_d_pid" && _d_script_start=$_d_start; }
  _d_stop_timer
  _d_clock
  _d_kill_at=$((_d_cs + _d_grace_cs))
  _d_send TERM
  _d_start_timer "$_d_grace" ALRM "$_d_self" "$_d_own_start"
}

# To the script's group; to the process alone as long as it has not become the leader of one.
_d_send() {
  _d_signal_group "$1" "$_d_pid" "$_d_script_start" && return
  _d_is_same "$_d_pid" "$_d_script_start" && kill "-$1" "$_d_pid" 2>/dev/null
}

# Sets _d_kills: how often the kernel's out-of-memory killer has struck in this cgroup; 0 where that is not known.
_d_read_kills() {
  _d_kills=0
  if [ -n "$_d_counters" ]; then
    _d_read_counters
    return
  fi
  [ -r /proc/self/cgroup ] || return 0
  while IFS=: read -r _d_number _d_controllers _d_path; do
    case ,$_d_controllers, in
      ,,) _d_each=/sys/fs/cgroup$_d_path/memory.events ;;
      *,memory,*) _d_each=/sys/fs/cgroup/memory$_d_path/memory.oom_control ;;
      *) continue ;;
    esac
    [ -r "$_d_each" ] || continue
    _d_counters=$_d_each
    _d_read_counters
  done </proc/self/cgroup
  _d_counters=\${_d_counters:-/dev/null}
}
_d_read_counters() {
  while read -r _d_key _d_value; do
    [ "$_d_key" != oom_kill ] || { _d_kills=$_d_value && return; }
  done <"$_d_counters"
}

# Sets _d_cpu: processor time of all waited-for children, hundredths. The second line of \`times\`: 0m1.230s 0m0.040s.
_d_read_times() {
  _d_cpu=0
  times >"$_d_claim/times-$_d_rank" || return 0
  {
    read -r _d_line
    read -r _d_user _d_system
  } <"$_d_claim/times-$_d_rank"
  for _d_each in "$_d_user" "$_d_system"; do
    _d_minutes=\${_d_each%%m*} _d_each=\${_d_each#*m}
    _d_each=\${_d_each%s}00
    _d_seconds=\${_d_each%%[.,]*} _d_part=\${_d_each#*[.,]}
    _d_part=\${_d_part%"\${_d_part#??}"}
    case $_d_minutes$_d_seconds$_d_part in '' | *[!0-9]*) continue ;; esac
    _d_cpu=$((_d_cpu + _d_minutes * 6000 + _d_seconds * 100 + 1$_d_part - 100))
  done
}

# Sets _d_left: what of the time limit is left; setup's share is gone.
_d_read_limit() {
  _d_left=$_d_limit_cs
  [ "$_d_phase" = run ] && [ -r "$_d_own/events/$_d_rank" ] || return 0
  while read -r _d_line _d_key _d_value _d_rest; do
    case $_d_key:$_d_value in setup:cs=*) _d_left=$((_d_limit_cs - _d_cs + \${_d_value#cs=})) ;; esac
  done <"$_d_own/events/$_d_rank"
}

# Runs phase $2 of rank $1: _d_status.
_d_run_phase() {
  _d_rank=$1 _d_phase=$2 _d_proved='' _d_pid='' _d_script_start='' _d_termed='' _d_forked='' _d_last_child=$!
  _d_clock
  _d_began=$_d_now
  _d_node_of "$_d_rank"
  case $_d_phase in
    setup) _d_out=$_d_dir/logs/setup-\${_d_log:-$_d_rank}.log _d_err=$_d_out ;;
    run) _d_out=$_d_dir/logs/$_d_rank.out _d_err=$_d_dir/logs/$_d_rank.err ;;
  esac
  # First this line, then the look at the marks: who writes a mark and then finds no line can rely on the look.
  _d_event "$_d_rank" "runner pid=$_d_self start=$_d_own_start boot=$_d_boot node=$_d_node"
  _d_ended=''
  if [ -n "$_d_heard" ] || _d_read_stop || [ -e "$_d_dir/cancel" ]; then _d_on_told; fi
  if [ -n "$_d_limit_cs" ]; then
    _d_read_limit
    [ "$_d_left" -gt 0 ] || _d_on_alarm
  fi
  _d_status=143
  [ "$_d_told" != 0 ] || _d_run_script
  [ "$_d_status:$_d_told" = 0:0 ] || _d_linger
  _d_ended=1
  _d_stop_timer
  _d_clock
  _d_end=$_d_now
  if [ -n "$_d_forked" ]; then
    # The scheduler's KILL for all may come sooner than the end of what the script has left behind.
    [ -z "$_d_early" ] || [ "$_d_told" = 0 ] || _d_prove
    if [ -n "$_d_termed" ]; then _d_remaining=$((_d_kill_at - _d_cs)); else _d_remaining=$_d_grace_cs; fi
    _d_end_group "$_d_pid" "$_d_script_start" "$_d_remaining"
    _d_clock
    _d_read_times
    _d_before=$_d_kills
    _d_read_kills
    case $_d_phase in
      setup) _d_event "$_d_rank" "setup_end code=$_d_status" ;;
      run) _d_event "$_d_rank" "script_end code=$_d_status cpu_cs=$_d_cpu oom=$((_d_kills - _d_before))" ;;
    esac
  fi
  _d_prove
}

# Writes the record, once.
_d_prove() {
  [ -z "$_d_proved" ] && [ "$_d_phase:$_d_status:$_d_told" != setup:0:0 ] || return 0
  _d_proved=1
  _d_signal_of "$_d_status"
  _d_record "$_d_rank" "$_d_rank" "$_d_status" "$_d_signal_number" "$_d_began" "$_d_end" "$_d_told" "$_d_phase" || _d_status=125 _d_unrecorded=125
}

# The event line of the script, process $1 started at $2.
_d_announce() {
  case $_d_phase in
    setup) _d_event "$_d_rank" "setup cs=$_d_cs pid=$1 start=$2 boot=$_d_boot" ;;
    run) _d_event "$_d_rank" "script pid=$1 start=$2 boot=$_d_boot" ;;
  esac
}

# In the child, before it becomes the script: a runner that is killed right after the fork leaves a script that can be found.
# The driver that has missed the runner first writes its mark, then looks for the line; here it is the other way round.
_d_announce_self() {
  [ -n "$_d_proc" ] && _d_look_at self || return 0
  { _d_announce "\${_d_stat%% *}" "$_d_start"; } 2>/dev/null
  ! _d_lists "$_d_claim/lost" "$_d_rank" || exit 137
}

_d_run_script() {
  _d_read_kills
  _d_monitor on
  {
    _d_announce_self
    # shellcheck source=/dev/null
    [ -r "$_d_dir/env" ] && . "$_d_dir/env"
    _d_export "$_d_rank" "$_d_phase"
    [ ! -e "$_d_claim/told-$_d_rank-$_d_phase" ] || exit 143
    _d_become "$_d_phase"
  } </dev/null >>"$_d_out" 2>>"$_d_err" &
  _d_pid=\${_d_pid:-$!}
  _d_forked=1
  _d_monitor off
  # dash collects ended children after any command, so a quick script may be gone: then there is nobody left to mistake.
  _d_look_at "$_d_pid"
  _d_script_start=\${_d_script_start:-$_d_start}
  [ -n "$_d_proc" ] || _d_announce "$_d_pid" "\${_d_script_start:--}"
  [ "$_d_phase" = setup ] || _d_catch_up
  if [ "$_d_told" != 0 ]; then
    _d_stop_script
  elif [ -n "$_d_limit_cs" ]; then
    _d_format "$_d_left"
    _d_start_timer "$_d_duration" ALRM "$_d_self" "$_d_own_start"
  fi
  _d_await "$_d_pid"
}
`
