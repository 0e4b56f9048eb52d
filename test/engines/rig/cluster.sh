#!/bin/bash
# A small cluster on one Linux machine: login + node1..node4 in namespaces, sshd on every machine, Slurm with accounting
# (--ssh-only: without Slurm).
#   cluster.sh up     [--dir DIR] [--instance I] [--home shared|private] [--nodes N] [--rest] [--user NAME]
#                     [--ssh-only] [--disk-mb MB] [--home-mb MB] [--conf KEY=VALUE]... [--cgroup auto|v1|none] [--fresh]
#   cluster.sh down   [--dir DIR] [--instance I] [--purge]
#   cluster.sh status [--dir DIR] [--instance I]
#   cluster.sh env    [--dir DIR] [--instance I]          shell exports; use as: eval "$(cluster.sh env)"
#   cluster.sh on   MACHINE CMD...  [after --dir/--instance]  run CMD as root inside login|node1..
#   cluster.sh as   MACHINE CMD...                            the same as the user
#   cluster.sh token [USER]                                   a JWT for slurmrestd
# README.md has the facts. Runs as root. Everything lives in DIR (default /var/tmp/engines-<instance>).
set -u
. "$(dirname "$0")/lib.sh"
usage() { sed -n '2,13s/^# \{0,1\}//p' "$0" >&2; exit 2; }
[ $# -ge 1 ] || usage
cmd=$1; shift
o_dir= o_inst= purge= fresh=; declare -A opt=(); conf=()
while [ $# -gt 0 ]; do
  case $1 in
    --dir) o_dir=$2; shift 2 ;;
    --instance) o_inst=$2; shift 2 ;;
    --home) opt[HOME_MODE]=$2; shift 2 ;;
    --nodes) opt[NODES]=$2; shift 2 ;;
    --user) opt[USER_NAME]=$2; shift 2 ;;
    --disk-mb) opt[DISK_MB]=$2; shift 2 ;;
    --home-mb) opt[HOME_MB]=$2; shift 2 ;;
    --cgroup) opt[CGROUP]=$2; shift 2 ;;
    --rest) opt[REST]=1; shift ;;
    --ssh-only) opt[SSH_ONLY]=1; shift ;;
    --conf) conf+=("$2"); shift 2 ;;
    --fresh) fresh=1; shift ;;
    --purge) purge=1; shift ;;
    -h|--help) usage ;;
    -*) die "unknown option $1" ;;
    *) break ;;
  esac
done
settings "$o_dir" "$o_inst"
for k in "${!opt[@]}"; do printf -v $k %s "${opt[$k]}"; done
[ ${#conf[@]} = 0 ] || CONF_EXTRA=$(printf '%s\n' "${conf[@]}")
USER_HOME=/home/$USER_NAME
case $HOME_MODE in shared|private) ;; *) die "--home shared|private" ;; esac
case $CGROUP in auto|v1|none) ;; *) die "--cgroup auto|v1|none" ;; esac
need_root() { [ "$(id -u)" = 0 ] || die "must run as root"; }
lock() { need_root; mkdir -p "$DIR"; [ -O "$DIR" ] || die "$DIR is not ours"; exec 9>"$DIR/lock"; flock -w 120 9 || die "another cluster.sh holds $DIR/lock"; }

# ---------------------------------------------------------------- files
gen_user() {
  local d
  if ! id $USER_NAME >/dev/null 2>&1; then
    useradd --no-create-home --home-dir $USER_HOME --shell /bin/bash --user-group $USER_NAME || die "useradd failed"
  fi
  usermod -p '*' $USER_NAME 2>/dev/null             # a locked ('!') account is refused by sshd without PAM
  # mount points. Never remove them: rmdir of a directory that is a mount point in ANOTHER mount namespace succeeds and
  # takes that mount away, in every running rig. The file keeps a stray rmdir from succeeding.
  mkdir -p $USER_HOME /scratch /etc/slurm
  for d in $USER_HOME /scratch; do [ -e $d/.engines-mount-point ] || : >$d/.engines-mount-point; done
}
gen_files() {
  local n
  chmod 755 $DIR; mkdir -p $DIR/{log,run,munge,ssh,etc,slurm/etc,slurm/state,slurm/dev,nodes}
  case $(stat -f -c %T $DIR) in tmpfs) note "cluster.sh: $DIR is on tmpfs: what jobs write there counts as job memory" ;; esac
  setpriv --reuid=$USER_NAME --regid=$USER_NAME --clear-groups test -x $DIR || die "$USER_NAME cannot reach $DIR (a parent directory is closed to others)"
  if [ $SSH_ONLY = 0 ]; then gen_keys; fi
  { echo "127.0.0.1 localhost"; echo "::1 localhost ip6-localhost"; echo "$HOST_IP login ctl $(hostname -s)"; for n in $(node_names); do echo "$(machine_ip $n) $n"; done; } >$DIR/etc/hosts
  if [ $CGROUP = auto ]; then if [ -f /sys/fs/cgroup/memory/memory.limit_in_bytes ] && [ -d /sys/fs/cgroup/freezer ]; then CGROUP=v1; else CGROUP=none; fi; fi
  if [ $SSH_ONLY = 0 ]; then gen_gpus; gen_slurm; fi
  gen_ssh; gen_home
}
gen_keys() {
  [ -s $DIR/munge/munge.key ] || { dd if=/dev/urandom of=$DIR/munge/munge.key bs=1024 count=1 status=none; chmod 400 $DIR/munge/munge.key; }
  [ -s $DIR/slurm/etc/jwt_hs256.key ] || { dd if=/dev/urandom of=$DIR/slurm/etc/jwt_hs256.key bs=32 count=1 status=none; chmod 600 $DIR/slurm/etc/jwt_hs256.key; }
  [ -s $DIR/slurm/etc/sql.pass ] || { head -c 16 /dev/urandom | od -An -tx1 | tr -d ' \n' >$DIR/slurm/etc/sql.pass; chmod 600 $DIR/slurm/etc/sql.pass; }
}
gen_gpus() {
  local n gres
  # fake GPUs: device files that exist; Slurm sets CUDA_VISIBLE_DEVICES from them
  for n in 0 1; do [ -e $DIR/slurm/dev/fakegpu$n ] || mknod $DIR/slurm/dev/fakegpu$n c 1 3 2>/dev/null; done
  if [ -c $DIR/slurm/dev/fakegpu0 ]; then gres="NodeName=node[1-2] Name=gpu Type=fake File=$DIR/slurm/dev/fakegpu[0-1]"; else gres="NodeName=node[1-2] Name=gpu Type=fake Count=2"; fi
  echo "$gres" >$DIR/slurm/etc/gres.conf
}
gen_slurm() {
  local kv n tracking
  if [ $CGROUP = v1 ]; then
    tracking=$'ProctrackType=proctrack/cgroup\nPrologFlags=Contain\nTaskPlugin=task/cgroup\nJobAcctGatherType=jobacct_gather/cgroup'
    printf '%s\n' CgroupPlugin=cgroup/v1 CgroupMountpoint=/sys/fs/cgroup CgroupAutomount=no ConstrainRAMSpace=yes ConstrainSwapSpace=no ConstrainCores=no ConstrainDevices=no AllowedRAMSpace=100 >$DIR/slurm/etc/cgroup.conf
  else
    tracking=$'ProctrackType=proctrack/linuxproc\nTaskPlugin=task/none\nJobAcctGatherType=jobacct_gather/linux\nJobAcctGatherParams=OverMemoryKill'
    echo CgroupPlugin=cgroup/v1 >$DIR/slurm/etc/cgroup.conf
  fi
  cat >$CONF.new <<X
ClusterName=engines$INSTANCE
SlurmctldHost=$(hostname -s)($HOST_IP)
SlurmctldPort=$PORT_CTLD
SlurmdPort=$((PORT_BASE + 18))
AuthType=auth/munge
AuthInfo=socket=$DIR/munge/socket
CredType=cred/munge
AuthAltTypes=auth/jwt
AuthAltParameters=jwt_key=$DIR/slurm/etc/jwt_hs256.key
SlurmUser=root
SlurmdUser=root
StateSaveLocation=$DIR/slurm/state
SlurmctldPidFile=$DIR/slurm/slurmctld.pid
SlurmctldLogFile=$DIR/log/slurmctld.log
SlurmdSpoolDir=$DIR/nodes/%n/spool
SlurmdPidFile=$DIR/nodes/%n/slurmd.inner-pid
SlurmdLogFile=$DIR/log/slurmd.%n.log
SlurmdParameters=config_overrides
SwitchType=switch/none
MpiDefault=none
ReturnToService=2
SlurmctldTimeout=10
SlurmdTimeout=10
InactiveLimit=0
KillWait=2
MinJobAge=300
Waittime=0
UnkillableStepTimeout=60
MessageTimeout=10
TCPTimeout=2
SchedulerType=sched/backfill
SchedulerParameters=sched_interval=1,bf_interval=1,batch_sched_delay=0,sched_min_interval=0,max_switch_wait=0
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
JobRequeue=1
GresTypes=gpu
JobAcctGatherFrequency=task=1
JobCompType=jobcomp/filetxt
JobCompLoc=$DIR/log/jobcomp.txt
AccountingStorageType=accounting_storage/slurmdbd
AccountingStorageHost=$HOST_IP
AccountingStoragePort=$PORT_DBD
AccountingStoragePass=$DIR/munge/socket
AccountingStorageTRES=gres/gpu
AccountingStoreFlags=job_script,job_env,job_comment
DefMemPerCPU=64
$tracking
X
  # --conf KEY=VALUE replaces a line or adds one
  while IFS= read -r kv; do [ -n "$kv" ] || continue; sed -i "/^${kv%%=*}=/d" $CONF.new; echo "$kv" >>$CONF.new; done <<<"$CONF_EXTRA"
  for n in $(node_names); do
    echo "NodeName=$n NodeAddr=$(machine_ip $n) CPUs=4 RealMemory=2000 $(case $n in node1|node2) echo Gres=gpu:fake:2 ;; esac) State=UNKNOWN"
  done >>$CONF.new
  cat >>$CONF.new <<X
PartitionName=main Nodes=ALL Default=YES MaxTime=60 DefaultTime=5 State=UP PriorityTier=10 PreemptMode=off
PartitionName=low  Nodes=ALL MaxTime=INFINITE DefaultTime=5 State=UP PriorityTier=1 PreemptMode=requeue
PartitionName=lowc Nodes=ALL MaxTime=INFINITE DefaultTime=5 State=UP PriorityTier=1 PreemptMode=cancel
PartitionName=high Nodes=ALL MaxTime=INFINITE DefaultTime=5 State=UP PriorityTier=100 PreemptMode=off
X
  mv $CONF.new $CONF
  ( umask 077; cat >$DIR/slurm/etc/slurmdbd.conf <<X
AuthType=auth/munge
AuthInfo=socket=$DIR/munge/socket
AuthAltTypes=auth/jwt
AuthAltParameters=jwt_key=$DIR/slurm/etc/jwt_hs256.key
DbdHost=$(hostname -s)
DbdAddr=$HOST_IP
DbdPort=$PORT_DBD
SlurmUser=root
LogFile=$DIR/log/slurmdbd.log
PidFile=$DIR/slurm/slurmdbd.pid
StorageType=accounting_storage/mysql
StorageHost=127.0.0.1
StoragePort=$PORT_SQL
StorageUser=slurm
StoragePass=$(cat $DIR/slurm/etc/sql.pass)
StorageLoc=slurm_acct_db
X
  )
}
gen_ssh() {
  local m ip s=$DIR/ssh
  mkdir -p /run/sshd
  [ -s $s/id_ed25519 ] || ssh-keygen -q -t ed25519 -N '' -C "engines $USER_NAME" -f $s/id_ed25519
  [ -z "${SUDO_UID:-}" ] || chown $SUDO_UID:${SUDO_GID:-0} $s/id_ed25519
  cp $s/id_ed25519.pub $s/authorized_keys; chmod 644 $s/authorized_keys
  : >$s/known_hosts.new; : >$s/ssh_config.new
  for m in login $(node_names); do
    ip=$(machine_ip $m)
    [ -s $s/host.$m ] || ssh-keygen -q -t ed25519 -N '' -C "$m" -f $s/host.$m
    { if [ $m = login ]; then echo "ListenAddress 127.0.0.1:$SSH_PORT"; echo "ListenAddress $ip:$SSH_PORT"; else echo "ListenAddress $ip:22"; fi
      cat <<X
HostKey $s/host.$m
AuthorizedKeysFile $s/authorized_keys
StrictModes no
UsePAM no
UseDNS no
PermitRootLogin no
AllowUsers $USER_NAME
PasswordAuthentication no
KbdInteractiveAuthentication no
MaxSessions 10
MaxStartups 200:30:300
PrintMotd no
PrintLastLog no
PidFile none
AcceptEnv LANG LC_*
Subsystem sftp /usr/lib/openssh/sftp-server
X
    } >$s/sshd_config.$m
    read -r kt kk _ <$s/host.$m.pub
    if [ $m = login ]; then echo "login,[127.0.0.1]:$SSH_PORT,[localhost]:$SSH_PORT,[$ip]:$SSH_PORT,[login]:$SSH_PORT $kt $kk" >>$s/known_hosts.new
    else echo "$m,$ip $kt $kk" >>$s/known_hosts.new; fi
    { echo "Host $m"
      if [ $m = login ]; then echo "  HostName 127.0.0.1"; echo "  Port $SSH_PORT"; else echo "  HostName $ip"; fi
      echo "  HostKeyAlias $m"; } >>$s/ssh_config.new
  done
  cat >>$s/ssh_config.new <<X
Host login node*
  User $USER_NAME
  IdentityFile $s/id_ed25519
  IdentitiesOnly yes
  IdentityAgent none
  UserKnownHostsFile $s/known_hosts
  GlobalKnownHostsFile /dev/null
  StrictHostKeyChecking yes
  BatchMode yes
  ConnectTimeout 10
X
  mv $s/known_hosts.new $s/known_hosts; mv $s/ssh_config.new $s/ssh_config; chmod 644 $s/known_hosts $s/ssh_config
}
gen_home() { # the login node's home (and every node's, in the shared layout): no start-up files; ssh from machine to machine works
  local h=$DIR/home k=$DIR/home/.ssh
  mkdir -p $h
  if [ $HOME_MB != 0 ] && ! mountpoint -q $h; then
    [ -s $DIR/home.img ] || { truncate -s ${HOME_MB}M $DIR/home.img && mkfs.ext4 -q -F -m 0 $DIR/home.img; }
    mount -o loop $DIR/home.img $h || die "cannot mount $DIR/home.img"
  fi
  mkdir -p $k
  cp $DIR/ssh/id_ed25519 $k/id_ed25519; cp $DIR/ssh/known_hosts $k/known_hosts; cp $DIR/ssh/authorized_keys $k/authorized_keys
  printf 'Host login\n  Port %s\nHost login node*\n  StrictHostKeyChecking yes\n' $SSH_PORT >$k/config
  chmod 700 $h $k; chmod 600 $k/id_ed25519 $k/config; chown -R $USER_NAME: $k; chown $USER_NAME: $h
}

# ---------------------------------------------------------------- up
# An instance's links, namespaces and cgroups bear its number only: two directories must never share one. Who holds it is
# written in a file; a rig of this directory (rig.env) holds it too.
claim_file() { echo /run/engines-instance-$INSTANCE; }
holds_instance() {
  local d
  if { read -r d <$(claim_file); } 2>/dev/null; then [ "$d" = "$DIR" ]; else grep -qsx "INSTANCE=$INSTANCE" $DIR/rig.env; fi
}
instance_busy() {
  { ip -o link; ip netns list; } 2>/dev/null | grep -qE "(^|[ :])${PFX}(br|node[0-9]+|v[0-9]+)([ :@]|$)" || (exec 3<>/dev/tcp/127.0.0.1/$SSH_PORT) 2>/dev/null
}
claim_instance() {
  holds_instance || ! instance_busy || die "instance $INSTANCE is in use by another rig: choose another --instance (0..9)"
  echo $DIR >$(claim_file)
}
bridge_up() {
  local br=${PFX}br
  ip link show $br >/dev/null 2>&1 || ip link add $br type bridge || die "cannot make bridge $br (need root and network namespaces)"
  ip -4 addr show dev $br | grep -qF "$HOST_IP/" || ip addr add $HOST_IP/24 dev $br
  ip link set $br up
}
ssh_ok() { ssh -F $DIR/ssh/ssh_config -o ConnectTimeout=2 $1 true; }
up() {
  local t0 m started=() p pids=(); t0=$(now)
  lock
  for p in sshd rsync $([ $SSH_ONLY = 1 ] || echo slurmctld slurmdbd slurmd munged mariadbd); do command -v $p >/dev/null || die "$p is not installed: run install.sh"; done
  claim_instance
  [ -z "$fresh" ] || { down; find $DIR -mindepth 1 -maxdepth 1 ! -name lock ! -name home -exec rm -rf {} +; }
  gen_user; gen_files; save_settings
  # leftovers of an unclean stop: processes tagged with this DIR whose machine is not known any more
  sweep_strays
  bridge_up
  heal_faults
  if [ $SSH_ONLY = 0 ]; then munged_start; ( mariadbd_start ) & pids+=($!); fi
  for m in login $(node_names); do machine_init $m >/dev/null || { machine_kill $m; machine_start $m || die "machine $m failed"; started+=($m); }; done
  for m in "${started[@]}"; do machine_wait $m; sshd_start $m & done
  for m in login $(node_names); do [[ " ${started[*]} " == *" $m "* ]] || inside_pgrep $m sshd >/dev/null || sshd_start $m; done
  if [ $SSH_ONLY = 0 ]; then
    wait "${pids[@]}" || exit 1
    slurmdbd_start
    slurmctld_start
    for m in $(node_names); do inside_pgrep $m slurmd >/dev/null || slurmd_start $m & done
    [ $REST = 0 ] || slurmrestd_start
    poll 300 nodes_ok || { sinfo -N -l >&2; die "not all nodes became usable"; }
  fi
  pids=(); for m in login $(node_names); do poll 100 ssh_ok $m & pids+=($!:$m); done
  for p in "${pids[@]}"; do wait ${p%:*} || { tail -n 3 $DIR/log/sshd.${p#*:}.log >&2; die "ssh to ${p#*:} does not answer"; }; done
  note "cluster up in $(ms $t0) ms: $DIR (login $USER_NAME@127.0.0.1:$SSH_PORT, nodes $(machine_ip node1)..$(machine_ip node$NODES), home $HOME_MODE, cgroup $CGROUP)"
}
nodes_ok() { # all answer (they may be busy); a node that an earlier fault left down or drained is resumed
  local n s seen=0 rc=0
  while read -r n s; do
    seen=$((seen + 1))
    case $s in idle|mixed|allocated|completing|planned) ;; down|drained|draining) scontrol update nodename=$n state=resume; rc=1 ;; *) rc=1 ;; esac
  done < <(sinfo -h -N -p main -o '%N %T')
  [ $seen = $NODES ] && return $rc
}
heal_faults() { # what fault.sh may have left: stopped processes, cut or slow links, full disks
  local m p
  p=$(pids_of munged; pids_of mariadbd; pids_of slurmdbd; pids_of slurmctld; pids_of slurmrestd); [ -z "$p" ] || kill -CONT $p
  for m in login $(node_names); do
    machine_init $m >/dev/null || continue
    machine_thaw $m
    [ $m = login ] || { network_heal $m; disk_free $(disk_cmd $m); }
  done
  disk_free $(disk_cmd home)
}
sweep_strays() { # kill what carries our tag but is neither a known daemon nor (in) a known machine: left by an unclean stop
  local e p keep=" " spaces=" " m i
  for p in munged mariadbd slurmdbd slurmctld slurmrestd $(node_names | sed s/node/engines-slow/); do keep+="$(pids_of $p) "; done
  for m in login $(node_names); do i=$(machine_init $m) && { keep+="$(cat $DIR/nodes/$m/outer) "; spaces+="$(readlink /proc/$i/ns/pid) "; }; done
  for e in $(grep -lszxF "$(TAG)" /proc/[0-9]*/environ 2>/dev/null); do
    p=${e#/proc/}; p=${p%/environ}
    [[ $keep == *" $p "* || $keep == *" $(awk '/^PPid/{print $2}' /proc/$p/status 2>/dev/null) "* || $spaces == *" $(readlink /proc/$p/ns/pid) "* ]] || kill -KILL $p 2>/dev/null
  done
}

# ---------------------------------------------------------------- down
down() {
  local t0 m e p d k; t0=$(now)
  # slurmctld first and briefly: with its nodes gone it would sit in retries
  stop_daemon slurmrestd 5; stop_daemon slurmctld 15
  for m in login $(cd $DIR/nodes 2>/dev/null && ls -d node*); do machine_kill $m & done; wait
  stop_daemon slurmdbd 15 & stop_daemon munged 10 & wait
  stop_daemon mariadbd 50
  # anything else that carries our tag (for instance after pid files were lost)
  for k in 1 2 3; do
    p=; for e in $(grep -lszxF "$(TAG)" /proc/[0-9]*/environ 2>/dev/null); do e=${e#/proc/}; p+=" ${e%/environ}"; done
    [ -n "$p" ] || break; kill -KILL $p 2>/dev/null; sleep .1
  done
  if holds_instance; then
    for m in $(ip netns list 2>/dev/null | awk '{print $1}' | grep -x "${PFX}node[0-9]*"); do ip netns del $m; done
    for m in $(ip -o link 2>/dev/null | awk -F'[ :@]+' '{print $2}' | grep -x "${PFX}[vrq][0-9]*"); do ip link del $m 2>/dev/null; done
    ip link del ${PFX}br 2>/dev/null
    for d in memory freezer cpuacct; do cg_remove /sys/fs/cgroup/$d/$PFX; done
    rm -f $(claim_file)
  fi
  for d in $(awk -v d="$DIR/" 'index($2, d) == 1 {print $2}' /proc/mounts | sort -r); do umount $d 2>/dev/null || umount -l $d; done
  note "cluster down in $(ms $t0) ms"
}

# ---------------------------------------------------------------- the rest
status() {
  local m d p bad=0
  [ -r $DIR/rig.env ] || { echo "no cluster in $DIR"; return 3; }
  echo "dir $DIR  instance $INSTANCE  user $USER_NAME  home $HOME_MODE  cgroup $CGROUP"
  for d in $([ $SSH_ONLY = 1 ] || echo munged mariadbd slurmdbd slurmctld); do
    p=$(pids_of $d | xargs); [ -n "$p" ] || bad=1
    echo "$d ${p:-stopped}$(for p in $p; do grep -q '^State:.T' /proc/$p/status && echo ' (SIGSTOPped)'; done)"
  done
  [ $REST = 0 ] || echo "slurmrestd $(pids_of slurmrestd | xargs)"
  for m in login $(node_names); do
    if p=$(machine_init $m); then
      echo "$m init $p, sshd $(inside_pgrep $m sshd >/dev/null && echo up || echo down)$([ $m = login ] || [ $SSH_ONLY = 1 ] || echo ", slurmd $(inside_pgrep $m slurmd >/dev/null && echo up || echo down)"), ip $(machine_ip $m)"
    else echo "$m down"; bad=1; fi
  done
  [ $SSH_ONLY = 1 ] || timeout 5 sinfo -N -o '%N %P %T %E' 2>&1 || bad=1
  return $bad
}
print_env() {
  [ -r $DIR/rig.env ] || die "no cluster in $DIR"
  local ips; ips=$(for m in $(node_names); do machine_ip $m; done | xargs)
  cat <<X
export ENGINES_DIR=$DIR
export ENGINES_INSTANCE=$INSTANCE
export SLURM_CONF=$CONF
export ENGINES_USER=$USER_NAME
export ENGINES_HOME_MODE=$HOME_MODE
export ENGINES_HOME=$DIR/home
export ENGINES_SSH_CONFIG=$DIR/ssh/ssh_config
export ENGINES_SSH_KEY=$DIR/ssh/id_ed25519
export ENGINES_KNOWN_HOSTS=$DIR/ssh/known_hosts
export ENGINES_LOGIN_HOST=127.0.0.1
export ENGINES_LOGIN_PORT=$SSH_PORT
export ENGINES_NODES='$(node_names | xargs)'
export ENGINES_NODE_IPS='$ips'
export ENGINES_REST_URL=$([ $REST = 0 ] || echo http://127.0.0.1:$PORT_REST)
export ENGINES_BIN=$HERE
X
}
case $cmd in
  up) up ;;
  down) [ -d $DIR ] || { note "no cluster in $DIR"; exit 0; }
        lock; down; [ -z "$purge" ] || { exec 9>&-; rm -rf --one-file-system $DIR; } ;;
  status) need_root; status ;;
  env) print_env ;;
  on) need_root; [ $# -ge 2 ] || usage; m=$(machine_name $1) || exit 1; shift; on $m "$@" ;;
  as) need_root; [ $# -ge 2 ] || usage; m=$(machine_name $1) || exit 1; shift; as_user $m "$@" ;;
  token) need_root; scontrol token username=${1:-$USER_NAME} lifespan=36000 | sed 's/^SLURM_JWT=//' ;;
  *) usage ;;
esac
