# Shared by cluster.sh, fault.sh, docker.sh and postgres.sh. Sourced, not run.
# Names:  machine = login | node1..nodeN.  "Inside" = in the machine's namespaces.

HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
export LC_ALL=C.UTF-8
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
umask 022

die()  { echo "${0##*/}: $*" >&2; exit 1; }
note() { [ -n "${QUIET:-}" ] || echo "$*" >&2; }
now()  { date +%s%N; }
ms()   { echo $(( ($(now) - $1) / 1000000 )); }
# poll TENTHS-OF-SECOND CMD...: until CMD succeeds; rc 1 when the time is over
poll() { local end=$(( $(now) + $1 * 100000000 )); shift; until "$@" >/dev/null 2>&1; do [ "$(now)" -lt $end ] || return 1; sleep .05; done; }

# ---------------------------------------------------------------- settings
# Order: options of "up" > environment > DIR/rig.env of an earlier up > defaults.
settings() { # settings DIR-OR-EMPTY INSTANCE-OR-EMPTY
  local i=${2:-${ENGINES_INSTANCE:-}} d=${1:-${ENGINES_DIR:-}}
  [ -n "$d" ] || d=/var/tmp/engines-${i:-0}
  case $d in /*) ;; *) d=$PWD/$d ;; esac
  DIR=$(realpath -m "$d")
  [ ${#DIR} -le 60 ] || die "the path of --dir is too long for unix sockets (${#DIR} > 60 characters): $DIR"
  case $DIR in *[!A-Za-z0-9/._-]*) die "--dir may hold only letters, digits and / . _ - : $DIR" ;; esac
  INSTANCE= SUBNET= SSH_PORT= PORT_BASE= USER_NAME= HOME_MODE= NODES= DISK_MB= HOME_MB= REST= CGROUP= SSH_ONLY= CONF_EXTRA=
  if [ -r "$DIR/rig.env" ]; then . "$DIR/rig.env"; fi
  INSTANCE=${i:-${INSTANCE:-0}}
  SUBNET=${ENGINES_SUBNET:-${SUBNET:-10.$((99 - INSTANCE)).0}}
  SSH_PORT=${ENGINES_SSH_PORT:-${SSH_PORT:-$((2222 + INSTANCE))}}
  PORT_BASE=${ENGINES_PORT_BASE:-${PORT_BASE:-$((16800 + 100 * INSTANCE))}}
  USER_NAME=${ENGINES_USER:-${USER_NAME:-drover}}
  HOME_MODE=${HOME_MODE:-shared} NODES=${NODES:-4} DISK_MB=${DISK_MB:-256} HOME_MB=${HOME_MB:-0} REST=${REST:-0} CGROUP=${CGROUP:-auto} SSH_ONLY=${SSH_ONLY:-0}
  PFX=eng$INSTANCE                       # prefix of network namespaces, links and cgroups
  PORT_CTLD=$((PORT_BASE + 17)) PORT_DBD=$((PORT_BASE + 19)) PORT_REST=$((PORT_BASE + 20)) PORT_SQL=$((PORT_BASE + 33))
  HOST_IP=$SUBNET.254
  USER_HOME=/home/$USER_NAME
  CONF=$DIR/slurm/etc/slurm.conf
  export SLURM_CONF=$CONF
}
save_settings() {
  local v; for v in INSTANCE SUBNET SSH_PORT PORT_BASE USER_NAME HOME_MODE NODES DISK_MB HOME_MB REST CGROUP SSH_ONLY CONF_EXTRA; do printf '%s=%q\n' $v "${!v}"; done >"$DIR/rig.env"
}
node_names() { local n; for n in $(seq "$NODES"); do echo node$n; done; }
machine_ip() { case $1 in login) echo $HOST_IP ;; node*) echo $SUBNET.${1#node} ;; esac; }
# machine_name N|nodeN|login -> the machine's name, checked
machine_name() {
  local m=$1; case $m in [0-9]*) m=node$m ;; esac
  [ "$m" = login ] || node_names | grep -qx -- "$m" || die "no such machine: $1 (login, $(node_names | xargs))"
  echo $m
}

# ---------------------------------------------------------------- processes
# A process is ours only if its environment says so: every daemon is started with ENGINES_RIG_DAEMON=DIR.
# Pids are always read from this pid namespace's /proc (or checked against it), never taken from a file written inside a machine.
TAG() { echo "ENGINES_RIG_DAEMON=$DIR"; }
tagged() { grep -qszxF "ENGINES_RIG_DAEMON=$DIR" /proc/$1/environ; }
ours() { # ours PID COMM
  local c; read -r c 2>/dev/null </proc/$1/comm && [ "$c" = "$2" ] && tagged $1
}
# host daemons: munged mariadbd slurmdbd slurmctld slurmrestd engines-slowN; "bg" notes the pid, here it is checked before every use
pids_of() { # pids_of COMM
  local p; read -r p 2>/dev/null <$DIR/run/$1.pid && ours $p "$1" && [ /proc/$p/ns/pid -ef /proc/self/ns/pid ] && echo $p
  return 0
}
running() { [ -n "$(pids_of "$1")" ]; }
gone()    { local p; for p in "$@"; do [ -e /proc/$p ] && ! grep -q '^State:.Z' /proc/$p/status 2>/dev/null && return 1; done; return 0; }
# stop_daemon COMM TENTHS: TERM, wait, KILL
stop_daemon() {
  local c=$1 t=$2 p; p=$(pids_of $c); [ -n "$p" ] || return 0
  kill -CONT $p 2>/dev/null; kill -TERM $p 2>/dev/null
  poll $t gone $p || { kill -KILL $p 2>/dev/null; poll 30 gone $p; }
  return 0
}
# bg NAME LOGFILE CMD...: start daemon NAME with a clean environment, detached from us and from our lock
bg() {
  local name=$1 log=$2; shift 2
  setsid env -i PATH=$PATH LANG=C.UTF-8 SLURM_CONF=$CONF "$(TAG)" "$@" </dev/null >>"$log" 2>&1 9>&- &
  echo $! >$DIR/run/$name.pid
}

# ---------------------------------------------------------------- machines
cg_list() { [ "$CGROUP" = v1 ] && echo memory freezer cpuacct; }
# pid (here) of the machine's init: a bash, pid 1 of its own pid namespace, tagged with our DIR and the machine's name
machine_init() {
  local p; read -r p 2>/dev/null <$DIR/nodes/$1/init && [ -n "$p" ] && ours $p bash && grep -qszx "ENGINES_MACHINE=$1" /proc/$p/environ &&
  [ ! /proc/$p/ns/pid -ef /proc/self/ns/pid ] && echo $p
}
# on MACHINE CMD...: run CMD inside, in the machine's cgroups, clean environment
on() {
  local m=$1 p c; shift
  p=$(machine_init $m) || { echo "$m is down" >&2; return 255; }
  ( for c in $(cg_list); do echo $BASHPID >/sys/fs/cgroup/$c/$PFX/$m/cgroup.procs || exit 255; done
    exec 9>&-
    exec nsenter -t $p -m -u -p $([ $m = login ] || echo --net) $([ "$CGROUP" = v1 ] && echo -C) -- \
      env -i PATH=$PATH LANG=C.UTF-8 "$(TAG)" ENGINES_MACHINE=$m "$@" )
}
# as_user MACHINE CMD...: the same as the non-root user, in its home
as_user() {
  local m=$1; shift
  on $m setpriv --reuid=$USER_NAME --regid=$USER_NAME --init-groups env -u ENGINES_RIG_DAEMON -u ENGINES_MACHINE HOME=$USER_HOME USER=$USER_NAME LOGNAME=$USER_NAME "$@"
}
link_of() { echo ${PFX}v${1#node}; }     # the host's end of the node's cable

machine_mac() { local a b c d; IFS=. read -r a b c d <<<"$(machine_ip $1)"; printf '02:00:%02x:%02x:%02x:%02x\n' $a $b $c $d; }
machine_net_up() { # NODE
  local m=$1 v; v=$(link_of $m)
  ip netns add $PFX$m 2>/dev/null || { ip netns del $PFX$m; ip netns add $PFX$m; }
  ip link del $v 2>/dev/null
  # the same hardware address after each boot: neighbours would ask a dead one for seconds else
  ip link add $v type veth peer name eth0 address $(machine_mac $m) netns $PFX$m || return 1
  ip link set $v master ${PFX}br up
  ip -n $PFX$m addr add $(machine_ip $m)/24 dev eth0
  ip -n $PFX$m link set eth0 up; ip -n $PFX$m link set lo up
  ip -n $PFX$m route add default via $HOST_IP 2>/dev/null
}
# the node's private disk: /scratch, /tmp and (private layout) the home; mounted inside the machine only (machine-init.sh).
# An ext4 image where loop mounts work, else tmpfs (then it does not outlive kill-node).
disk_make() { # NODE
  local i=$DIR/nodes/$1/disk.img
  [ -s $i ] && return 0
  truncate -s ${DISK_MB}M $i.new && mkfs.ext4 -q -F -m 0 -O ^has_journal $i.new 2>/dev/null && mv $i.new $i && return 0
  rm -f $i.new $i; return 0
}
# machine_start MACHINE: namespaces + mounts (returns at once; machine_wait waits)
machine_start() {
  local m=$1 d=$DIR/nodes/$1 c net=()
  mkdir -p $d; rm -f $d/ready $d/init
  if [ $m != login ]; then machine_net_up $m && disk_make $m || return 1; net=(nsenter --net=/run/netns/$PFX$m); fi
  ( exec 9>&-
    for c in $(cg_list); do mkdir -p /sys/fs/cgroup/$c/$PFX/$m && echo $BASHPID >/sys/fs/cgroup/$c/$PFX/$m/cgroup.procs || exit 1; done
    exec setsid env -i PATH=$PATH LANG=C.UTF-8 "$(TAG)" ENGINES_MACHINE=$m DIR=$DIR PFX=$PFX USER_NAME=$USER_NAME USER_HOME=$USER_HOME HOME_MODE=$HOME_MODE DISK_MB=$DISK_MB CGS="$(cg_list)" \
      "${net[@]}" unshare --mount --uts --pid --fork --kill-child --mount-proc $([ "$CGROUP" = v1 ] && echo --cgroup) \
      bash $HERE/machine-init.sh </dev/null >>$DIR/log/$m.init.log 2>&1 ) &
  echo $! >$d/outer
}
machine_wait() {
  local m=$1 d=$DIR/nodes/$1 o p; o=$(cat $d/outer)
  poll 100 test -e $d/ready || { cat $DIR/log/$m.init.log >&2; die "machine $m did not come up"; }
  for p in $(cat /proc/$o/task/*/children 2>/dev/null || pgrep -P $o); do ours $p bash && echo $p >$d/init; done
  machine_init $m >/dev/null || die "machine $m: init not found"
}
# machine_kill MACHINE: as if the power went: every process inside dies at once
machine_kill() {
  local m=$1 p c
  [ $m = login ] || ip link set $(link_of $m) nomaster 2>/dev/null     # first the cable: a dead machine sends no FIN
  p=$(machine_init $m) && { kill -KILL $p 2>/dev/null; poll 50 gone $p; }
  rm -f $DIR/nodes/$m/init $DIR/nodes/$m/ready $DIR/nodes/$m/outer
  if [ $m != login ]; then ip link del $(link_of $m) 2>/dev/null; ip netns del $PFX$m 2>/dev/null; fi
  for c in memory freezer cpuacct; do cg_remove /sys/fs/cgroup/$c/$PFX/$m; done
  return 0
}
cg_remove() { # a cgroup tree, deepest first; a killed task may need a moment to leave it
  [ -d "$1" ] || return 0
  local k; for k in 1 2 3 4 5 6 7 8 9 10; do find "$1" -depth -type d -exec rmdir {} + 2>/dev/null; [ -d "$1" ] || return 0; sleep .05; done
}
# ---- faults of one machine, and their undoing (used by fault.sh; "up" and "down" undo them too)
pids_inside() { # host-side pids of every process inside MACHINE, init last
  local p init ns; init=$(machine_init $1) || return 1; ns=$(readlink /proc/$init/ns/pid)
  for p in $(find /proc/[0-9]*/ns/pid -prune -lname "pid:?${ns//[!0-9]/}?" 2>/dev/null | cut -d/ -f3); do [ $p = $init ] || echo $p; done
  echo $init
}
machine_hang() { # SIGSTOP everything inside; twice, for what was forked meanwhile
  local k; for k in 1 2 3; do kill -STOP $(pids_inside $1) 2>/dev/null; done; machine_init $1 >/dev/null
}
machine_thaw() { local p; p=$(pids_inside $1) && kill -CONT $p 2>/dev/null; return 0; }
network_cut()  { # as if unplugged at the switch: packets vanish, nothing is refused; also where slow.py's relay stands between
  local n=${1#node}
  ip link set $(link_of $1) nomaster
  ! ip link show ${PFX}r$n >/dev/null 2>&1 || ip link set ${PFX}r$n nomaster
}
network_heal() { # undoes cut and slow
  local n=${1#node} v p; v=$(link_of $1)
  for p in $(pids_of engines-slow$n); do kill -KILL $p; done; rm -f $DIR/run/engines-slow$n.pid
  ip link del ${PFX}r$n 2>/dev/null
  ip link show $v >/dev/null 2>&1 || return 0
  tc qdisc del dev $v root 2>/dev/null
  ip link set $v master ${PFX}br up
}
network_slow() { # NODE MS: the round trip grows by MS. netem where the kernel has it, else a user-space relay between two links
  local n=${1#node} v k; v=$(link_of $1)
  network_heal $1
  [ "$2" != 0 ] || return 0
  tc qdisc add dev $v root netem delay ${2}ms 2>/dev/null && return 0
  command -v python3 >/dev/null || die "no netem in this kernel and no python3 for the relay"
  ip link add ${PFX}r$n type veth peer name ${PFX}q$n && ip link set ${PFX}q$n up || return 1
  nsenter --net=/run/netns/$PFX$1 python3 $HERE/slow.py offload-off eth0 && python3 $HERE/slow.py offload-off ${PFX}r$n || return 1
  ip link set $v nomaster; ip link set ${PFX}r$n master ${PFX}br up
  bg engines-slow$n $DIR/log/slow.$1.log python3 $HERE/slow.py relay $v ${PFX}q$n "$(awk "BEGIN{print $2/2}")" engines-slow$n
  poll 50 running engines-slow$n
}
disk_fill() { "$@" 'dd if=/dev/zero of=.fill bs=1M status=none; dd if=/dev/zero of=.fill2 bs=1k status=none' 2>/dev/null; return 0; }   # disk_fill SHELL-COMMAND-PREFIX...
disk_free() { "$@" 'rm -f .fill .fill2'; }
disk_cmd()  { if [ $1 = home ]; then echo "env -C $DIR/home sh -c"; else echo "on $1 env -C /scratch sh -c"; fi; }

sshd_start() { # MACHINE
  on $1 sh -c "exec 2>>$DIR/log/sshd.$1.log; exec /usr/sbin/sshd -f $DIR/ssh/sshd_config.$1 -E $DIR/log/sshd.$1.log"
}
slurmd_start() { # NODE
  mkdir -p $DIR/nodes/$1/spool
  on $1 env SLURM_CONF=$CONF slurmd -N $1 >>$DIR/log/slurmd.$1.out 2>&1
}
inside_pgrep() { on $1 pgrep -x "$2"; }  # pids as seen inside: use them only with "on"

# ---------------------------------------------------------------- Slurm daemons on this host
munged_start() {
  running munged && return 0
  bg munged $DIR/log/munged.out munged --foreground --force --key-file=$DIR/munge/munge.key --socket=$DIR/munge/socket --pid-file=$DIR/munge/pid --log-file=$DIR/log/munged.log --seed-file=$DIR/munge/seed
  poll 100 munge -n -S $DIR/munge/socket || { tail -n 5 $DIR/log/munged.* >&2; die "munged did not start"; }
}
sql() { mariadb --no-defaults -uroot -S $DIR/sql/my.sock "$@"; }
mariadbd_start() {
  running mariadbd && return 0
  if [ ! -d $DIR/sql/mysql ]; then
    mkdir -p $DIR/sql; chown mysql: $DIR/sql; chmod 755 $DIR/sql
    mariadb-install-db --no-defaults --user=mysql --datadir=$DIR/sql --skip-test-db --auth-root-authentication-method=socket >$DIR/log/mariadb-install.log 2>&1 || { tail -n 5 $DIR/log/mariadb-install.log >&2; die "mariadb-install-db failed"; }
  fi
  bg mariadbd $DIR/log/mariadbd.log mariadbd --no-defaults --user=mysql --datadir=$DIR/sql --bind-address=127.0.0.1 --port=$PORT_SQL --socket=$DIR/sql/my.sock --pid-file=$DIR/sql/my.pid \
    --innodb-buffer-pool-size=128M --innodb-lock-wait-timeout=900 --innodb-flush-log-at-trx-commit=2 --skip-name-resolve
  poll 300 sql -e 'select 1' || { tail -n 5 $DIR/log/mariadbd.log >&2; die "mariadbd did not start"; }
  sql -e "CREATE DATABASE IF NOT EXISTS slurm_acct_db; CREATE USER IF NOT EXISTS 'slurm'@'127.0.0.1' IDENTIFIED BY '$(cat $DIR/slurm/etc/sql.pass)'; GRANT ALL ON slurm_acct_db.* TO 'slurm'@'127.0.0.1';"
}
dbd_answers() { timeout 5 sacctmgr -n -i list cluster; }
slurmdbd_start() {
  running slurmdbd || bg slurmdbd $DIR/log/slurmdbd.out slurmdbd -D
  poll 300 dbd_answers || { tail -n 5 $DIR/log/slurmdbd.log >&2; die "slurmdbd does not answer"; }
  sacctmgr -n list cluster format=cluster%30 | grep -qw engines$INSTANCE || sacctmgr -i add cluster engines$INSTANCE >/dev/null
  # what AccountingStorageEnforce (up --conf) asks of a user; without it no harm
  sacctmgr -n list user $USER_NAME | grep -qw $USER_NAME || { sacctmgr -i add account rig; sacctmgr -i add user $USER_NAME account=rig; sacctmgr -i add user root account=rig; } >/dev/null 2>&1
  return 0
}
ctld_answers() { timeout 5 scontrol ping | grep -q UP; }
slurmctld_start() {
  running slurmctld || bg slurmctld $DIR/log/slurmctld.out slurmctld -D -f $CONF
  poll 300 ctld_answers || { tail -n 5 $DIR/log/slurmctld.log >&2; die "slurmctld does not answer"; }
}
slurmrestd_start() {
  running slurmrestd && return 0
  bg slurmrestd $DIR/log/slurmrestd.log env SLURM_JWT=daemon setpriv --reuid=nobody --regid=nogroup --clear-groups slurmrestd -a rest_auth/jwt 127.0.0.1:$PORT_REST
  poll 50 bash -c "exec 3<>/dev/tcp/127.0.0.1/$PORT_REST" || { tail -n 5 $DIR/log/slurmrestd.log >&2; die "slurmrestd did not start"; }
}
