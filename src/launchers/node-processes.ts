/**
 * How a launch script of several nodes ends: `_d_conclude CODE RANK LOCAL_RANK` (ranks may be `null`) writes the report
 * `launch/<rank>.json` and exits. A node whose processes only lost their connection to another one says so and waits to be
 * told to stop, because who ends first is taken for the cause. `_d_reset` undoes that what a shell starts in the background
 * has INT and QUIT ignored (coreutils 8.31 and later).
 */
export const CONCLUDE = `
_d_reset=''
env --default-signal=INT,QUIT true 2>/dev/null && _d_reset='env --default-signal=INT,QUIT'
_d_told='' _d_children=''
_d_forward() {
  _d_told=1
  for _d_each in $_d_children; do kill -TERM "$_d_each" 2>/dev/null; done
}
trap _d_forward TERM INT

# True when the last that process rank $1 wrote to stderr is that it lost its connection to another: of several on a node
# only what torch marks as that rank's counts.
_d_lost_peer() {
  _d_mark=''
  [ "$1" = null ] || [ "$_d_processes" = 1 ] || _d_mark="^\\[rank$1\\]:"
  _d_log=\${DROVER_ATTEMPT_DIR:-.}/logs/\${DROVER_ARRAY_INDEX:-$_d_rank}.err
  [ ! -f /proc/self/fd/2 ] || _d_log=/proc/self/fd/2
  tail -c 262144 "$_d_log" 2>/dev/null | grep -E -- "$_d_mark" | tail -n 20 | grep -Eiq 'Connection (was )?(closed|reset)|Connection refused|Broken pipe|(closed|reset) by peer|got 0 bytes|recvBytes failed|remote process exited|ncclRemoteError|DistNetworkError|DistStoreError'
}

# True when a process that ended with $1 (rank $2) may have ended because of another.
_d_follows() {
  case $1 in 1 | 134 | 250) _d_lost_peer "$2" ;; *) return 1 ;; esac
}

_d_conclude() {
  [ "$1" != 0 ] || exit 0
  _d_kind=own
  if [ "$_d_nodes" -gt 1 ] && [ -z "$_d_told" ] && _d_follows "$1" "$2"; then _d_kind=peer; fi
  printf '{"version":1,"kind":"%s","node":%s,"rank":%s,"local_rank":%s,"code":%s,"message":"","time":%s}\\n' \\
    "$_d_kind" "$_d_rank" "$2" "$3" "$1" "$(date +%s)" >"$_d_launch/$_d_id.json"
  if [ "$_d_kind" = peer ]; then
    _d_say "this node ended with $1 because it lost its connection to another; it waits to be told so, at most 60 s"
    trap 'exit 143' TERM INT
    sleep 60 &
    wait "$!"
  fi
  exit "$1"
}
`

/** Runs the command \`"$@"\` once and concludes with its code; TERM reaches it also where only this shell is signalled. */
export const RUN_ONCE = `
# shellcheck disable=SC2086
$_d_reset "$@" &
_d_children=$!
[ -z "$_d_told" ] || _d_forward
while :; do
  wait "$_d_children"
  _d_code=$?
  kill -0 "$_d_children" 2>/dev/null || break
done
_d_conclude "$_d_code" null null
`

/**
 * Runs the command \`"$@"\` once per process, each with RANK and LOCAL_RANK, and concludes with the code of the first that
 * fails, after a TERM to the others. Each tells its pid and its end through a pipe, so that the first end is known as the
 * first; what is left of the group afterwards, the node runner ends.
 */
export const SPAWN = `
mkfifo "$_d_launch/$_d_id.pipe" && exec 8<>"$_d_launch/$_d_id.pipe" || _d_fail 'cannot make a pipe'
rm -f "$_d_launch/$_d_id.pipe"
_d_local=0
while [ "$_d_local" -lt "$_d_processes" ]; do
  (
    # A TERM to the group reaches the process itself; this one stays to tell how it ended.
    trap : TERM INT
    export LOCAL_RANK="$_d_local" RANK=$((_d_rank * _d_processes + _d_local))
    # shellcheck disable=SC2016,SC2086
    $_d_reset sh -c 'echo "p $LOCAL_RANK $$" >&8 && exec 8>&- "$@"' sh "$@"
    echo "e $_d_local $?" >&8
  ) &
  _d_local=$((_d_local + 1))
done
# Process $1 of this node ended with $2 and is the first failure.
_d_end_spawned() {
  _d_say "process rank $((_d_rank * _d_processes + $1)) ended with $2"
  for _d_each in $_d_children; do kill -TERM "$_d_each" 2>/dev/null; done
  _d_conclude "$2" $((_d_rank * _d_processes + $1)) "$1"
}
_d_running=$_d_processes _d_misses=0 _d_suspect='' _d_suspect_code=''
while [ "$_d_running" -gt 0 ] && [ "$_d_misses" -lt 1000 ]; do
  # A signal may end the \`read\`.
  read -r _d_word _d_which _d_value <&8 || { _d_misses=$((_d_misses + 1)) && continue; }
  case $_d_word in
    p)
      _d_children="$_d_children $_d_value"
      [ -z "$_d_told" ] || kill -TERM "$_d_value" 2>/dev/null
      ;;
    e)
      _d_running=$((_d_running - 1))
      [ "$_d_value" != 0 ] && [ -z "$_d_told" ] || continue
      _d_follows "$_d_value" $((_d_rank * _d_processes + _d_which)) || _d_end_spawned "$_d_which" "$_d_value"
      # The process that it lost may be one of this node, still on its way out: that one's end is the cause.
      [ -z "$_d_suspect" ] || continue
      _d_suspect=$_d_which _d_suspect_code=$_d_value
      (sleep 3 && echo 't 0 0' >&8) &
      ;;
    t) break ;;
  esac
done
[ -z "$_d_told" ] || exit 143
[ -z "$_d_suspect" ] || _d_end_spawned "$_d_suspect" "$_d_suspect_code"
exit 0
`
