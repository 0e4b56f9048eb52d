#!/bin/bash
# Images of a private podman (own data, runc, no systemd) with one image, "localhost/busybox", taken from the dockerd of the same DIR.
#   podman.sh up|down --dir DIR        Needs: podman, runc; docker.sh up --dir DIR before
set -u
cmd=${1:-} dir=
[ $# = 0 ] || shift
while [ $# -gt 0 ]; do case $1 in --dir) dir=$2; shift 2 ;; *) echo "podman.sh: unknown argument $1" >&2; exit 2 ;; esac; done
[ -n "$dir" ] || { echo 'podman.sh: --dir is missing' >&2; exit 2; }
p() { podman --runtime runc --root "$dir/podman/root" --runroot "$dir/podman/run" --storage-driver=vfs --cgroup-manager=cgroupfs --events-backend=file "$@"; }
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
  *) sed -n '2,3s/^# \{0,1\}//p' "$0" >&2; exit 2 ;;
esac
