#!/bin/bash
# Install what the engine rig needs (Debian 12, as root). Idempotent: asks apt only for packages that are not installed yet.
#
#   install.sh [ssh] [slurm] [docker] [postgres]        default: slurm
#
#   ssh       sshd + rsync + network tools + other login shells + rclone + Open MPI   (needed by cluster.sh up --ssh-only, fault.sh)
#   slurm     Slurm + munge + slurmdbd/mariadb + slurmrestd + sshd + sshfs + rsync + network tools (needed by cluster.sh, fault.sh)
#   docker    docker.io + podman (rootless too) + runc + busybox-static                     (needed by docker.sh, podman.sh)
#   postgres  postgresql server                                                             (needed by postgres.sh)
#
# ENGINES_APT_LOCK=FILE   take this lock (flock) around apt-get; default /var/lock/engines-apt.lock
# No daemon of these packages is left running: a policy-rc.d that forbids starts is put in place for the duration.
set -euo pipefail
[ "$(id -u)" = 0 ] || { echo "install.sh: must run as root" >&2; exit 2; }

pkgs=()
for set in "${@:-slurm}"; do
  case $set in
    ssh)      pkgs+=(openssh-server openssh-client rsync iproute2 iputils-ping procps util-linux python3-minimal e2fsprogs busybox-static fish tcsh rclone openmpi-bin) ;;
    slurm)    pkgs+=(slurm-wlm slurm-client munge slurmdbd slurmrestd slurm-wlm-jwt-plugin mariadb-server openssh-server openssh-client rsync
                     iproute2 iputils-ping procps util-linux e2fsprogs sshfs) ;;
    docker)   pkgs+=(docker.io busybox-static podman runc uidmap) ;;
    postgres) pkgs+=(postgresql) ;;
    *) echo "install.sh: unknown set '$set' (ssh, slurm, docker, postgres)" >&2; exit 2 ;;
  esac
done

missing=()
for p in "${pkgs[@]}"; do
  [ "$(dpkg-query -W -f '${db:Status-Status}' "$p" 2>/dev/null)" = installed ] || missing+=("$p")
done
if [ ${#missing[@]} = 0 ]; then echo "install.sh: nothing to do (${pkgs[*]})"; exit 0; fi

export DEBIAN_FRONTEND=noninteractive
lock=${ENGINES_APT_LOCK:-/var/lock/engines-apt.lock}

# apt must not start services: keep whatever policy is there, else add ours for the duration
policy=
if [ ! -e /usr/sbin/policy-rc.d ]; then
  policy=/usr/sbin/policy-rc.d
  printf '#!/bin/sh\nexit 101\n' >$policy; chmod 755 $policy
fi
trap '[ -z "$policy" ] || rm -f "$policy"' EXIT

get() { flock "$lock" apt-get install -y -q --no-install-recommends "${missing[@]}"; }
t0=$(date +%s%N)
log=$(mktemp)
if ! get >"$log" 2>&1; then
  echo "install.sh: first try failed, refreshing the package lists" >&2
  if ! { flock "$lock" apt-get update -q && get; } >>"$log" 2>&1; then tail -n 30 "$log" >&2; echo "install.sh: log: $log" >&2; exit 1; fi
fi
rm -f "$log"
echo "install.sh: installed ${missing[*]} in $(( ($(date +%s%N) - t0) / 1000000 )) ms"
