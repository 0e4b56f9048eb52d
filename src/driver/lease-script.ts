import type { DriverOptions } from './driver-options.ts'
import { quoteShell } from './quote.ts'

/**
 * The part of driver.sh that takes what the job asks of its machine from what all clients of that machine have taken: a file
 * `<leases>/<host>@<boot id>/<job>.<attempt>.<rank>` each, to which its driver alone appends lines:
 *
 *   lease <pid> <start> <cpus in thousandths> <memory in MiB> <GPUs by commas, or -> <attempt directory>
 *   ticket <n>      it stands in line
 *   held            it was given what it asks for
 *   end             it has given it back
 *
 * Who may decide is found as in Lamport's bakery (CACM 17:8, 1974): a ticket above all that are seen, then a wait for each
 * one with a lower ticket and for each that is still choosing. So there is no lock that a killed driver could leave behind,
 * and no moment in which one is broken that lives. A lease holds until its driver and all that its events name are gone; the
 * boot id in the path ends it with the machine. An incomplete line does not count: its writer has yet to look at the others.
 *
 * `_d_take_lease`: false when nothing is to be run: `_d_no_room` is then the event that says why (empty: told to stop).
 */
export function compileLease(lease: DriverOptions['lease']): string {
  if (lease === undefined) return NO_LEASE
  const cpus = (count: number): number => Math.floor(count * 1000 + 1e-6)
  const mebibytes = (bytes: number): number => Math.floor(bytes / 2 ** 20)
  return `
_d_leases=${quoteShell(lease.directory)}
_d_lease_cpus=${cpus(lease.cpus)} _d_cpus_limit=${cpus(lease.limits.cpus)}
_d_lease_memory=${mebibytes(lease.memoryBytes)} _d_memory_limit=${mebibytes(lease.limits.memoryBytes)}
_d_lease_gpus=${lease.gpus.length === 0 ? '-' : quoteShell(lease.gpus.join(','))}
${LEASE}`
}

const NO_LEASE = `
_d_take_lease() { :; }
_d_release_lease() { :; }
_d_lease=''
`

/** A turn takes milliseconds; who has waited this long (hundredths of a second) gives up and comes again. */
const TURN_CS = 3_000

const LEASE = `
_d_lease='' _d_no_room=''

_d_is_number() { case $1 in '' | *[!0-9]* | 0?* | ??????????????*) return 1 ;; esac; }

# Reads lease file $1: _d_l_state (choosing, waiting or held) and what it says. False when it holds nothing, or no longer.
_d_read_lease() {
  _d_l_state='' _d_l_ticket=0
  {
    while read -r _d_l_word _d_l_first _d_l_second _d_l_third _d_l_fourth _d_l_fifth _d_l_rest; do
      case $_d_l_word in
        lease)
          _d_is_number "$_d_l_third" && _d_is_number "$_d_l_fourth" || return 1
          _d_l_state=choosing _d_l_pid=$_d_l_first _d_l_start=$_d_l_second _d_l_cpus=$_d_l_third _d_l_memory=$_d_l_fourth
          _d_l_gpus=$_d_l_fifth _d_l_dir=$_d_l_rest
          ;;
        ticket) _d_is_number "$_d_l_first" && _d_l_state=waiting _d_l_ticket=$_d_l_first ;;
        held) _d_l_state=held ;;
        end) return 1 ;;
      esac
    done <"$1"
  } 2>/dev/null
  [ -n "$_d_l_state" ]
}

# True while the lease just read has somebody: its driver, or what a killed driver has left running.
_d_lease_lives() {
  _d_is_same "$_d_l_pid" "$_d_l_start" && [ "$_d_state" != Z ] && return
  for _d_l_file in "$_d_l_dir"/events/*; do
    [ -r "$_d_l_file" ] || continue
    while read -r _d_l_word _d_l_first _d_l_rest; do
      _d_l_pid='' _d_l_start=''
      for _d_pair in $_d_l_rest; do
        case $_d_pair in pid=*) _d_l_pid=\${_d_pair#*=} ;; start=*) _d_l_start=\${_d_pair#*=} ;; esac
      done
      _d_is_number "$_d_l_pid" || continue
      if _d_look_at "$_d_l_pid" && [ "$_d_state" != Z ]; then
        [ "$_d_start" = "$_d_l_start" ] && return
      else
        # A number that a group still bears is not given out again.
        [ "$_d_l_first" != driver ] && _d_has_members "$_d_l_pid" && return
      fi
    done <"$_d_l_file"
  done
  return 1
}

_d_take_lease() {
  { read -r _d_host </proc/sys/kernel/hostname; } 2>/dev/null || _d_host=$(uname -n)
  _d_all=$_d_leases/$_d_host@$_d_boot
  if [ ! -d "$_d_all" ]; then
    for _d_each in "$_d_leases/$_d_host"@*; do [ ! -d "$_d_each" ] || rm -rf "$_d_each"; done
    mkdir -p "$_d_all"
  fi
  _d_lease=$_d_all/$_d_job.$_d_attempt.\${_d_ranks%% *}
  _d_mine="lease $$ $_d_own_start $_d_lease_cpus $_d_lease_memory $_d_lease_gpus $_d_dir"
  if ! { printf '%s\\n' "$_d_mine" >"$_d_lease"; } 2>/dev/null; then
    _d_leave_lease "lease_failed rank=\${_d_ranks%% *}"
    return 1
  fi
  _d_ticket=0
  for _d_other in "$_d_all"/*; do
    _d_read_lease "$_d_other" && [ "$_d_l_ticket" -gt "$_d_ticket" ] && _d_ticket=$_d_l_ticket
  done
  _d_ticket=$((_d_ticket + 1))
  { printf 'ticket %s\\n' "$_d_ticket" >>"$_d_lease"; } 2>/dev/null
  _d_clock
  _d_turn_until=$((_d_cs + ${TURN_CS}))
  for _d_other in "$_d_all"/*; do
    _d_await_turn || return 1
  done
  _d_count_leases || return 1
  { printf 'held\\n' >>"$_d_lease"; } 2>/dev/null
  # A full disk may have swallowed a line.
  _d_read_lease "$_d_lease" && [ "$_d_l_state:$_d_l_ticket" = "held:$_d_ticket" ] && return
  _d_leave_lease "lease_failed rank=\${_d_ranks%% *}"
  return 1
}

# Until $_d_other is not before this one.
_d_await_turn() {
  [ "$_d_other" != "$_d_lease" ] || return 0
  while _d_read_lease "$_d_other"; do
    case $_d_l_state in
      held) return 0 ;;
      waiting)
        [ "$_d_l_ticket" -le "$_d_ticket" ] || return 0
        [ "$_d_l_ticket" -lt "$_d_ticket" ] || [ "$_d_l_pid" -lt $$ ] || return 0
        ;;
    esac
    if ! _d_lease_lives; then
      rm -f "$_d_other"
      return 0
    fi
    [ ! -e "$_d_dir/cancel" ] || _d_on_stop
    if [ "$_d_told$_d_peer" != 0 ]; then
      _d_leave_lease ''
      return 1
    fi
    _d_clock
    if [ "$_d_cs" -gt "$_d_turn_until" ]; then
      _d_other=\${_d_other##*/} _d_other=\${_d_other%.*}
      _d_leave_lease "no_room rank=\${_d_ranks%% *} what=turn by=\${_d_other%.*}"
      return 1
    fi
    _d_nap
  done
}

# False, with the event, when what is held by others leaves too little.
_d_count_leases() {
  _d_cpus=$_d_lease_cpus _d_memory=$_d_lease_memory _d_by='' _d_gpu_by=''
  for _d_other in "$_d_all"/*; do
    [ "$_d_other" != "$_d_lease" ] && _d_read_lease "$_d_other" && [ "$_d_l_state" = held ] || continue
    _d_name=\${_d_other##*/} _d_name=\${_d_name%.*} _d_name=\${_d_name%.*}
    _d_taken=''
    _d_left=$_d_lease_gpus,
    while [ "$_d_left" != -, ] && [ -n "$_d_left" ]; do
      case ,$_d_l_gpus, in *",\${_d_left%%,*},"*) _d_taken=1 ;; esac
      _d_left=\${_d_left#*,}
    done
    if ! _d_lease_lives; then
      rm -f "$_d_other"
      continue
    fi
    [ -z "$_d_taken" ] || _d_gpu_by=$_d_gpu_by,$_d_name
    _d_by=$_d_by,$_d_name
    _d_cpus=$((_d_cpus + _d_l_cpus)) _d_memory=$((_d_memory + _d_l_memory))
  done
  _d_what=''
  if [ -n "$_d_gpu_by" ]; then
    _d_what=gpus _d_by=$_d_gpu_by
  elif [ -n "$_d_by" ] && [ "$_d_cpus" -gt "$_d_cpus_limit" ]; then
    _d_what=cpus
  elif [ -n "$_d_by" ] && [ "$_d_memory" -gt "$_d_memory_limit" ]; then
    _d_what=memory
  fi
  [ -n "$_d_what" ] || return 0
  _d_leave_lease "no_room rank=\${_d_ranks%% *} what=$_d_what by=\${_d_by#,}"
  return 1
}

# Takes this one out of the line; $1 is why.
_d_leave_lease() {
  _d_no_room=$1
  rm -f "$_d_lease"
  _d_lease=''
}

# Before the record that others wait for: who reads it may start the next job at once.
_d_release_lease() {
  [ -n "$_d_lease" ] || return 0
  { printf 'end\\n' >>"$_d_lease"; } 2>/dev/null || rm -f "$_d_lease"
}

# No room: a record for each rank here, and nothing is run.
_d_refuse() {
  _d_clock
  _d_event job "$_d_no_room"
  for _d_child in $_d_ranks; do
    _d_record "$_d_child" "$_d_child" "$_d_refused_code" 0 "$_d_began" "$_d_now" 0 setup
  done
  _d_note_failure "$_d_refused_code" "$_d_now" 0
}
`
