# Stand-in for srun: launcher.sh <nodes> <command…> starts the command once per node, SLURM_PROCID being its index, and ends with
# the highest code. TERM kills all tasks at once, as srun 22.05 does.
#   LAUNCH_HANGS=1      lives on when all tasks have ended, and ignores TERM
#   LAUNCH_FAILS=setup  ends before it has started anything of that phase
#   LAUNCH_LOSES=2      kills task 2 when the file `lose` appears beside the bell
nodes=$1
shift
for phase; do case $phase in setup | run) break ;; esac; done
if [ "${LAUNCH_FAILS:-}" = "$phase" ]; then
  echo 'launcher: error: Unable to create step: Requested nodes are busy' >&2
  exit 1
fi
pids=
trap '[ -n "${LAUNCH_HANGS:-}" ] || for pid in $pids; do kill -KILL "$pid" 2>/dev/null; done' TERM
rank=0
while [ "$rank" -lt "$nodes" ]; do
  SLURM_PROCID=$rank "$@" &
  eval "pid_$rank=$!"
  pids="$pids $!"
  rank=$((rank + 1))
done
if [ -n "${LAUNCH_LOSES:-}" ]; then
  while [ ! -e "$HOME/lose" ]; do sleep 0.05; done
  eval "kill -KILL \$pid_$LAUNCH_LOSES"
fi
highest=0
for pid in $pids; do
  while :; do
    wait "$pid"
    code=$?
    kill -0 "$pid" 2>/dev/null || break
  done
  [ "$code" -le "$highest" ] || highest=$code
done
while [ -n "${LAUNCH_HANGS:-}" ]; do sleep 0.2; done
exit "$highest"
