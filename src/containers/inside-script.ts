/**
 * What runs inside of a container, in the image's own `/bin/sh` (dash, bash and busybox ash run it). Nothing of these texts
 * depends on a job; what does comes as arguments.
 */

/**
 * The container's first process: `sh -c KEEPER keeper EXIT_JOB EXIT_RANK`. It keeps the container alive over setup and run,
 * reaps what has lost its parent, and ends with the attempt: when a record of its end is written, or its directory is gone.
 * So a container whose clients were all killed does not stay behind.
 */
export const KEEPER = `trap 'exit 0' TERM
command -v sleep >/dev/null || { echo 'drover: the image has no sleep' >&2; exit 127; }
while [ -e "$2" ] && [ ! -s "$1" ] && [ ! -s "$2" ]; do
  sleep 2 &
  wait "$!"
done`

/**
 * One phase: `sh -c PHASE phase DIR script|program LAST GRACE`, executed in the running container as leader of a session (runc and
 * crun make it one). Runs DIR/script, and proves its end by `DIR/code`: exit code and the number of processes of the container
 * that were killed for lack of memory meanwhile. Without that line nobody knows how it ended: the runtime's client ends with
 * 0 or 1 also when its connection breaks.
 *
 * Signals come over stdin, for a client of `exec` passes none on: a line `t` is TERM for the group. The end of stdin is the
 * end of who watches over it (also by KILL): then what is left of the group is killed, and, where LAST is 1, the container ends.
 * What the script leaves behind in its group gets TERM, and KILL after GRACE seconds.
 */
export const PHASE = `_d_at=$1
[ -w "$_d_at" ] || { echo "drover: user $(id -u) of the container cannot write in the job's directory; set container.user" >&2; exit 126; }
exec 3<&0 4>&2 </dev/null 2>/dev/null
trap : TERM INT HUP
(
  trap '' TERM INT HUP
  exec >/dev/null 4>&-
  while read -r _d_word <&3 && [ "$_d_word" = t ]; do
    printf '' >"$_d_at/told"
    kill -TERM "-$$"
  done
  [ "$3" != 1 ] || kill -TERM 1
  kill -KILL "-$$"
) &
_d_watch=$!
exec 3<&-
_d_read_kills() {
  _d_kills=0
  for _d_each in /sys/fs/cgroup/memory.events /sys/fs/cgroup/memory/memory.oom_control; do
    [ -r "$_d_each" ] || continue
    while read -r _d_key _d_value; do [ "$_d_key" != oom_kill ] || _d_kills=$_d_value; done <"$_d_each"
  done
}
_d_read_kills
_d_before=$_d_kills
printf '' >"$_d_at/began"
(
  exec 2>&4 4>&-
  [ ! -e "$_d_at/told" ] || exit 143
  [ "$2" = program ] && exec "$_d_at/script"
  command -v bash >/dev/null && exec bash "$_d_at/script"
  exec sh "$_d_at/script"
)
_d_code=$?
_d_read_kills
printf '%s %s\\n' "$_d_code" "$((_d_kills - _d_before))" >"$_d_at/code"
_d_has_others() {
  for _d_each in /proc/[0-9]*; do
    { read -r _d_stat <"$_d_each/stat"; } || continue
    _d_pid=\${_d_each#/proc/}
    set -- \${_d_stat##*) }
    [ "\${3:-}" = "$_d_self" ] && [ "$1" != Z ] && [ "$_d_pid" != "$_d_self" ] && [ "$_d_pid" != "$_d_watch" ] && return 0
  done
  return 1
}
_d_self=$$ _d_last=$3 _d_left=$(($4 * 10))
_d_has_others && kill -TERM "-$$"
while _d_has_others && [ "$_d_left" -gt 0 ]; do
  sleep 0.1 || sleep 1
  _d_left=$((_d_left - 1))
done
if _d_has_others; then [ "$_d_last" != 1 ] || kill -TERM 1; kill -KILL "-$$"; fi
[ "$_d_last" != 1 ] || kill -TERM 1
exit "$_d_code"`
