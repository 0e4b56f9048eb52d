#!/bin/bash
# Break one thing of a running cluster, or mend it again.
#   fault.sh [--dir DIR] [--instance I] FAULT [ARG...]
# machines (N = 1.. | login):
#   kill-node N | revive-node N          power cut: every process inside is gone at once | boot (disk and home kept)
#   hang-node N | thaw-node N            every process inside SIGSTOPped: TCP still connects, nothing answers
#   kill-slurmd N | start-slurmd N       only the Slurm daemon; jobs go on running
#   stop-sshd N | start-sshd N           connection refused; open sessions live on
#   drop-ssh N                           cut the ssh sessions that are open now (reset)
# network of a node (N = 1..):
#   cut-network N | heal-network N       packets vanish | back to normal (also undoes slow-network)
#   slow-network N MS                    the round trip grows by MS (0: back to normal)
# disk:
#   fill-disk N|home | free-disk N|home  the node's disk (/tmp, /scratch, private home) | the shared home (needs "up --home-mb")
# Slurm:
#   stop-ctld | crash-ctld | start-ctld  slurmctld ended, state saved | SIGKILLed: what it knew for less than ~5 s is forgotten, job ids are used again
#   hang-ctld | thaw-ctld                slurmctld SIGSTOPped: connections open, no answer
#   break-sacct | mend-sacct             slurmdbd killed
#   hang-dbd | thaw-dbd                  slurmdbd SIGSTOPped
#   break-munge | mend-munge             munged killed: nobody can authenticate
#   heal-all                             mend everything above (the same as "cluster.sh up")
set -u
. "$(dirname "$0")/lib.sh"
usage() { sed -n '2,24s/^# \{0,1\}//p' "$0" >&2; exit 2; }
o_dir= o_inst=
while [ $# -gt 0 ]; do case $1 in --dir) o_dir=$2; shift 2 ;; --instance) o_inst=$2; shift 2 ;; -*) usage ;; *) break ;; esac; done
[ $# -ge 1 ] || usage
f=$1; shift
[ "$(id -u)" = 0 ] || die "must run as root"
settings "$o_dir" "$o_inst"
[ -r $DIR/rig.env ] || die "no cluster in $DIR"
machine() { [ $# -ge 1 ] || usage; machine_name "$1"; }
node() { local m; m=$(machine "$@") || exit 1; [ "$m" != login ] || die "$f: for nodes only"; echo $m; }
disk() { if [ "${1:-}" = home ]; then mountpoint -q $DIR/home || die "the shared home has no size limit here: up --home-mb MB"; disk_cmd home; else local m; m=$(node "$@") || exit 1; disk_cmd $m; fi; }
kill_host() { local p; p=$(pids_of $1); [ -n "$p" ] || die "$1 does not run"; kill -KILL $p; poll 50 gone $p; }
sig_host()  { local p; p=$(pids_of $1); [ -n "$p" ] || die "$1 does not run"; kill -$2 $p; }
case $f in
  kill-node)    m=$(machine "$@") || exit; machine_kill $m ;;
  revive-node)  m=$(machine "$@") || exit; machine_init $m >/dev/null && die "$m is up"
                machine_kill $m; machine_start $m && machine_wait $m && sshd_start $m && { [ $m = login ] || [ $SSH_ONLY = 1 ] || slurmd_start $m; } ;;
  hang-node)    m=$(machine "$@") || exit; machine_hang $m || die "$m is down" ;;
  thaw-node)    m=$(machine "$@") || exit; machine_thaw $m ;;
  kill-slurmd)  m=$(node "$@") || exit; on $m pkill -KILL -x slurmd ;;
  start-slurmd) m=$(node "$@") || exit; inside_pgrep $m slurmd >/dev/null || slurmd_start $m ;;
  stop-sshd)    m=$(machine "$@") || exit; on $m sh -c 'pkill -KILL -P 1 -f "^sshd: /usr/sbin/sshd"' ;;
  start-sshd)   m=$(machine "$@") || exit; on $m pgrep -P 1 -f "^sshd: /usr/sbin/sshd" >/dev/null || sshd_start $m ;;
  drop-ssh)     m=$(machine "$@") || exit; on $m pkill -KILL -f "^sshd: $USER_NAME" ;;
  cut-network)  m=$(node "$@") || exit; network_cut $m ;;
  heal-network) m=$(node "$@") || exit; network_heal $m ;;
  slow-network) m=$(node "$@") || exit; [[ ${2:-} =~ ^[0-9]+$ ]] || usage; network_slow $m $2 ;;
  fill-disk)    d=$(disk "$@") || exit; disk_fill $d ;;
  free-disk)    d=$(disk "$@") || exit; disk_free $d ;;
  stop-ctld)    running slurmctld || die "slurmctld does not run"; stop_daemon slurmctld 100 ;;
  crash-ctld)   kill_host slurmctld ;;
  start-ctld)   slurmctld_start ;;
  hang-ctld)    sig_host slurmctld STOP ;;
  thaw-ctld)    sig_host slurmctld CONT ;;
  break-sacct)  kill_host slurmdbd ;;
  mend-sacct)   slurmdbd_start ;;
  hang-dbd)     sig_host slurmdbd STOP ;;
  thaw-dbd)     sig_host slurmdbd CONT ;;
  break-munge)  kill_host munged ;;
  mend-munge)   munged_start ;;
  heal-all)     exec $HERE/cluster.sh up --dir $DIR ;;
  *) usage ;;
esac
