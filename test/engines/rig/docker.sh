#!/bin/bash
# A private dockerd (own data, own socket, no bridge, no iptables) with one image, "busybox". Needs: install.sh docker
#   docker.sh up|down|status|env [--dir DIR]      DIR default /var/tmp/engines-docker; eval "$(docker.sh env)" sets DOCKER_HOST
# Containers have --network host or none only. Data survives "down"; "down --purge" removes it.
set -u
. "$(dirname "$0")/lib.sh"
cmd=${1:-}; [ $# = 0 ] || shift
o_dir=${ENGINES_DOCKER_DIR:-/var/tmp/engines-docker} purge=
while [ $# -gt 0 ]; do case $1 in --dir) o_dir=$2; shift 2 ;; --purge) purge=1; shift ;; *) die "unknown argument $1" ;; esac; done
settings "$o_dir" ""
SOCK=$DIR/docker.sock
d() { /usr/bin/docker -H unix://$SOCK "$@"; }
[ "$(id -u)" = 0 ] || [ "$cmd" = env ] || die "must run as root"
case $cmd in
  up)
    t0=$(now)
    command -v dockerd >/dev/null && [ -x /usr/bin/docker ] || die "docker.io is not installed: run install.sh docker"
    mkdir -p $DIR/log $DIR/run $DIR/etc
    [ -s $DIR/etc/daemon.json ] || echo '{}' >$DIR/etc/daemon.json
    if ! running dockerd; then
      rm -f $SOCK $DIR/docker.pid
      bg dockerd $DIR/log/dockerd.log dockerd --config-file $DIR/etc/daemon.json --data-root $DIR/data --exec-root $DIR/exec -p $DIR/docker.pid -H unix://$SOCK \
        --storage-driver=vfs --iptables=false --ip6tables=false --bridge=none
    fi
    poll 300 d version || { tail -n 5 $DIR/log/dockerd.log >&2; die "dockerd did not start"; }
    if ! d image inspect busybox:latest >/dev/null 2>&1; then
      r=$(mktemp -d); mkdir -p $r/{bin,etc,tmp,root,proc,sys,dev}; chmod 755 $r; chmod 1777 $r/tmp
      # A dynamic busybox (Debian's "busybox", which takes the place of busybox-static) needs its loader and libraries.
      for f in $(ldd /bin/busybox 2>/dev/null | grep -o '/[^ ]*'); do mkdir -p "$r${f%/*}" && cp -L "$f" "$r$f"; done
      cp /bin/busybox $r/bin/ && for a in $(/bin/busybox --list); do [ $a = busybox ] || ln -s busybox $r/bin/$a; done
      echo 'root:x:0:0:root:/root:/bin/sh' >$r/etc/passwd; echo 'root:x:0:' >$r/etc/group
      tar -C $r -c . | d import -c 'CMD ["/bin/sh"]' -c 'ENV PATH=/bin' - busybox:latest >/dev/null || die "image import failed"
      rm -rf $r
    fi
    note "dockerd up in $(ms $t0) ms: unix://$SOCK" ;;
  down)
    t0=$(now)
    if running dockerd; then c=$(d ps -q); [ -z "$c" ] || d kill $c >/dev/null; fi
    stop_daemon dockerd 100
    for k in 1 2 3; do p=; for e in $(grep -lszxF "$(TAG)" /proc/[0-9]*/environ 2>/dev/null); do e=${e#/proc/}; p+=" ${e%/environ}"; done; [ -n "$p" ] || break; kill -KILL $p 2>/dev/null; sleep .1; done
    for m in $(awk -v d="$DIR/" 'index($2, d) == 1 {print $2}' /proc/mounts | sort -r); do umount $m 2>/dev/null || umount -l $m; done
    [ -z "$purge" ] || rm -rf --one-file-system $DIR
    note "dockerd down in $(ms $t0) ms" ;;
  status) running dockerd && d version -f '{{.Server.Version}} api {{.Server.APIVersion}}' || { echo stopped; exit 3; } ;;
  env) echo "export DOCKER_HOST=unix://$SOCK" ;;
  *) sed -n '2,4s/^# \{0,1\}//p' "$0" >&2; exit 2 ;;
esac
