#!/bin/bash
# A private dockerd (own data, own socket, no bridge, no iptables) with one image, "busybox". Needs: install.sh docker
#   docker.sh up|down|status|env [--dir DIR]      DIR default /var/tmp/engines-docker; eval "$(docker.sh env)" sets DOCKER_HOST
#   docker.sh up|down --machine NODE --dir DIR    one inside a node of the rig in DIR, all of it in /scratch/docker there; its
#                                                 socket is /scratch/docker/docker.sock, open to the rig's user
# Containers have --network host or none only. Data survives "down"; "down --purge" removes it. A node's ends with the node.
set -u
. "$(dirname "$0")/lib.sh"
cmd=${1:-}; [ $# = 0 ] || shift
o_dir=${ENGINES_DOCKER_DIR:-/var/tmp/engines-docker} purge= machine=
while [ $# -gt 0 ]; do case $1 in --dir) o_dir=$2; shift 2 ;; --machine) machine=$2; shift 2 ;; --purge) purge=1; shift ;; *) die "unknown argument $1" ;; esac; done
settings "$o_dir" ""
if [ -n "$machine" ]; then machine=$(machine_name $machine) || exit; HOME_OF=/scratch/docker; else HOME_OF=$DIR; fi
SOCK=$HOME_OF/docker.sock
DAEMON=(dockerd --config-file $HOME_OF/etc/daemon.json --data-root $HOME_OF/data --exec-root $HOME_OF/exec -p $HOME_OF/docker.pid -H unix://$SOCK
  --storage-driver=vfs --iptables=false --ip6tables=false --bridge=none)
# in the node, else here
there() { if [ -n "$machine" ]; then (cd / && on $machine "$@"); else "$@"; fi; }
d() { there /usr/bin/docker -H unix://$SOCK "$@"; }
there_runs() { if [ -n "$machine" ]; then there sh -c 'p=$(cat $0/docker.pid) && read -r c </proc/$p/comm && [ "$c" = dockerd ]' $HOME_OF 2>/dev/null; else running dockerd; fi; }
import_busybox() {
  local r f a rc; r=$(mktemp -d); mkdir -p $r/{bin,etc,tmp,root,proc,sys,dev}; chmod 755 $r; chmod 1777 $r/tmp
  # A dynamic busybox (Debian's "busybox", which takes the place of busybox-static) needs its loader and libraries.
  for f in $(ldd /bin/busybox 2>/dev/null | grep -o '/[^ ]*'); do mkdir -p "$r${f%/*}" && cp -L "$f" "$r$f"; done
  cp /bin/busybox $r/bin/ && for a in $(/bin/busybox --list); do [ $a = busybox ] || ln -s busybox $r/bin/$a; done
  echo 'root:x:0:0:root:/root:/bin/sh' >$r/etc/passwd; echo 'root:x:0:' >$r/etc/group
  tar -C $r -c . | d import -c 'CMD ["/bin/sh"]' -c 'ENV PATH=/bin' - busybox:latest >/dev/null; rc=$?
  rm -rf $r
  return $rc
}
[ "$(id -u)" = 0 ] || [ "$cmd" = env ] || die "must run as root"
case $cmd in
  up)
    t0=$(now)
    command -v dockerd >/dev/null && [ -x /usr/bin/docker ] || die "docker.io is not installed: run install.sh docker"
    there mkdir -p $HOME_OF/log $HOME_OF/run $HOME_OF/etc || die "no directory $HOME_OF"
    there sh -c '[ -s $0/etc/daemon.json ] || echo "{}" >$0/etc/daemon.json' $HOME_OF
    if ! there_runs; then
      there rm -f $SOCK $HOME_OF/docker.pid
      if [ -n "$machine" ]; then there sh -c 'l=$0 && exec setsid "$@" </dev/null >>"$l" 2>&1' $HOME_OF/log/dockerd.log "${DAEMON[@]}" --group $USER_NAME &
      else bg dockerd $DIR/log/dockerd.log "${DAEMON[@]}"; fi
    fi
    poll 300 d version || { there tail -n 5 $HOME_OF/log/dockerd.log >&2; die "dockerd did not start"; }
    d image inspect busybox:latest >/dev/null 2>&1 || import_busybox || die "image import failed"
    note "dockerd up in $(ms $t0) ms: ${machine:+$machine }unix://$SOCK" ;;
  down)
    t0=$(now)
    if there_runs; then c=$(d ps -q); [ -z "$c" ] || d kill $c >/dev/null; fi
    if [ -n "$machine" ]; then
      there sh -c 'p=$(cat $0/docker.pid) || exit 0; kill $p 2>/dev/null; i=0; while [ -e /proc/$p ] && [ $i -lt 100 ]; do i=$((i + 1)); sleep .1; done
        awk -v d="$0/" "index(\$2, d) == 1 {print \$2}" /proc/mounts | sort -r | xargs -r umount -l; rm -f $0/docker.pid' $HOME_OF 2>/dev/null
      [ -z "$purge" ] || there rm -rf --one-file-system $HOME_OF
    else
      stop_daemon dockerd 100
      for k in 1 2 3; do p=; for e in $(grep -lszxF "$(TAG)" /proc/[0-9]*/environ 2>/dev/null); do e=${e#/proc/}; p+=" ${e%/environ}"; done; [ -n "$p" ] || break; kill -KILL $p 2>/dev/null; sleep .1; done
      for m in $(awk -v d="$DIR/" 'index($2, d) == 1 {print $2}' /proc/mounts | sort -r); do umount $m 2>/dev/null || umount -l $m; done
      [ -z "$purge" ] || rm -rf --one-file-system $DIR
    fi
    note "dockerd down in $(ms $t0) ms" ;;
  status) there_runs && d version -f '{{.Server.Version}} api {{.Server.APIVersion}}' || { echo stopped; exit 3; } ;;
  env) echo "export DOCKER_HOST=unix://$SOCK" ;;
  *) sed -n '2,7s/^# \{0,1\}//p' "$0" >&2; exit 2 ;;
esac
