#!/bin/bash
# Images of a private podman (own data, runc, no systemd) with one image, "localhost/busybox", taken from the dockerd of the same DIR.
#   podman.sh up|down --dir DIR        Needs: podman, runc; docker.sh up --dir DIR before
#   podman.sh up|down --machine NODE --dir DIR     rootless, as the user of the rig in DIR, in /scratch/podman of a node.
#                                      Needs: uidmap, subordinate ids of that user; docker.sh up --machine NODE --dir DIR before
set -u
cmd=${1:-} dir= machine=
[ $# = 0 ] || shift
while [ $# -gt 0 ]; do case $1 in --dir) dir=$2; shift 2 ;; --machine) machine=$2; shift 2 ;; *) echo "podman.sh: unknown argument $1" >&2; exit 2 ;; esac; done
[ -n "$dir" ] || { echo 'podman.sh: --dir is missing' >&2; exit 2; }
p() { podman --runtime runc --root "$dir/podman/root" --runroot "$dir/podman/run" --storage-driver=vfs --cgroup-manager=cgroupfs --events-backend=file "$@"; }
here=$(cd "$(dirname "$0")" && pwd)
cluster() { local how=$1; shift; (cd / && bash "$here/cluster.sh" "$how" --dir "$dir" "$machine" "$@"); }
ROOTLESS="podman --runtime runc --root /scratch/podman/root --runroot /scratch/podman/run --storage-driver=vfs --cgroup-manager=cgroupfs --events-backend=file"
if [ -n "$machine" ]; then
  case $cmd in
    up)
      command -v newuidmap >/dev/null || { echo 'podman.sh: newuidmap is not installed: apt-get install uidmap' >&2; exit 1; }
      # A user namespace may mount /proc only where a whole one is seen; that of a machine has its boot id covered.
      cluster on sh -c 'mkdir -p /scratch/podman/proc && chmod 755 /scratch/podman && { grep -q " /scratch/podman/proc " /proc/mounts || mount -t proc proc /scratch/podman/proc; } &&
        mkdir -p /scratch/podman/root /scratch/podman/run && chown "$1": /scratch/podman/root /scratch/podman/run &&
        docker -H unix:///scratch/docker/docker.sock save busybox >/scratch/podman/busybox.tar' sh "$(. "$dir/rig.env" && echo "$USER_NAME")" || exit
      # one that holds the user's namespaces since before that mount does not see it
      cluster as sh -c "cd / && podman system migrate >/dev/null 2>&1; $ROOTLESS system migrate >/dev/null 2>&1"
      cluster as sh -c "cd /scratch/podman && { $ROOTLESS image inspect localhost/busybox >/dev/null 2>&1 || $ROOTLESS load -i busybox.tar >/dev/null; }"
      ;;
    down)
      # the images belong to subordinate ids; "migrate" ends the process that holds the user's namespaces
      cluster as sh -c "cd / && $ROOTLESS rm --force --all >/dev/null 2>&1; $ROOTLESS system migrate >/dev/null 2>&1"
      cluster on sh -c 'umount -l /scratch/podman/proc; rm -rf --one-file-system /scratch/podman'
      ;;
    *) sed -n '2,5s/^# \{0,1\}//p' "$0" >&2; exit 2 ;;
  esac
  exit
fi
case $cmd in
  up)
    command -v podman >/dev/null && command -v runc >/dev/null || { echo 'podman.sh: podman or runc is not installed: apt-get install podman runc' >&2; exit 1; }
    mkdir -p "$dir/podman"
    p image inspect localhost/busybox >/dev/null 2>&1 || docker -H "unix://$dir/docker.sock" save busybox | p load >/dev/null
    ;;
  down)
    p rm --force --all >/dev/null 2>&1
    for m in $(awk -v d="$dir/podman/" 'index($2, d) == 1 {print $2}' /proc/mounts | sort -r); do umount "$m" 2>/dev/null || umount -l "$m"; done
    rm -rf --one-file-system "$dir/podman"
    ;;
  *) sed -n '2,5s/^# \{0,1\}//p' "$0" >&2; exit 2 ;;
esac
