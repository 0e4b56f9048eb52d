/**
 * The part of driver.sh that starts the runner of a single rank: a fork that runs the functions of node.sh, where a program
 * of its own would take a quarter of a short job's time. Driver and runner stay two processes: when one is killed, the other
 * ends the script, or sees it to its end, and writes the record. The runner leads no group; the script does, as ever.
 * Not for groups made by bash's job control, which a fork of a shell does not have.
 */
export function compileForkedRunner(inAllocation: boolean): string {
  return `
_d_spawn() { { _d_be_runner "$@"; } </dev/null & }

_d_be_runner() {
  trap _d_on_told TERM INT
  trap _d_on_alarm ALRM
  trap '_d_woken=1' HUP
  trap : PIPE
${inAllocation ? '  trap _d_on_warned USR2\n  trap : USR1\n' : ''}  _d_told=0 _d_woken=''
  # $$ is the driver's.
  if [ -n "$_d_proc" ]; then _d_self=self; else _d_self=$(exec sh -c 'echo "$PPID"'); fi
  _d_look_at "$_d_self"
  [ -z "$_d_proc" ] || _d_self=\${_d_stat%% *}
  _d_own_start=$_d_start
  _d_run_phase "$1" "$2"
  exit "$_d_status"
}
`
}
