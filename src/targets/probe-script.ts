import { quoteShell } from '../driver/quote.ts'

const TOOLS = [
  'sh',
  'bash',
  'setsid',
  'perl',
  'python3',
  'env',
  'timeout',
  'nvidia-smi',
  'rsync',
  'tar',
  'git',
  'docker',
  'podman',
  'apptainer',
]

/**
 * The POSIX sh script that reads the facts of a target in one round trip; `parseProbe` reads its output. `root`: absolute,
 * or below the home there (`~/…`). Cgroup limits are read at every level from the process's own group to the top, in both
 * versions (kernel documentation: cgroup-v2 `cpu.max`, `memory.max`; v1 `cpu.cfs_quota_us`, `memory.limit_in_bytes`).
 */
export function probeScript(root: string): string {
  const place = root === '~' || root.startsWith('~/') ? `"$HOME"${quoteShell(root.slice(1))}` : quoteShell(root)
  return `echo 'drover-probe begin'
echo "host $(hostname 2>/dev/null || uname -n)"
if [ -r /proc/sys/kernel/random/boot_id ]; then
  read -r b </proc/sys/kernel/random/boot_id
else
  b=$(sysctl -n kern.boottime 2>/dev/null | sed 's/ usec.*//' | tr -cd 0-9)
fi
echo "boot \${b:--}"
echo "user $(id -un 2>/dev/null || id -u)"
printf 'root %s\\n' ${place}
echo "cpus $(nproc 2>/dev/null || getconf _NPROCESSORS_ONLN 2>/dev/null || sysctl -n hw.ncpu 2>/dev/null)"
if [ -r /proc/meminfo ]; then
  while read -r k v u; do
    [ "$k" = MemTotal: ] && echo "memory $((v * 1024))"
  done </proc/meminfo
else
  echo "memory $(sysctl -n hw.memsize 2>/dev/null)"
fi
level() {
  [ -r "$1/cpu.max" ] && read -r q p <"$1/cpu.max" && echo "quota $q $p"
  [ -r "$1/memory.max" ] && read -r m <"$1/memory.max" && echo "memory $m"
  [ -r "$1/cpu.cfs_quota_us" ] && read -r q <"$1/cpu.cfs_quota_us" && read -r p <"$1/cpu.cfs_period_us" && echo "quota $q $p"
  [ -r "$1/memory.limit_in_bytes" ] && read -r m <"$1/memory.limit_in_bytes" && echo "memory $m"
  :
}
if [ -r /proc/self/cgroup ]; then
  while IFS=: read -r n c d; do
    case ",$c," in
      ,,) t=/sys/fs/cgroup ;;
      *,cpu,*) t=/sys/fs/cgroup/cpu ;;
      *,memory,*) t=/sys/fs/cgroup/memory ;;
      *) continue ;;
    esac
    while :; do
      level "$t$d"
      case $d in ''|/) break ;; esac
      d=\${d%/*}
    done
    level "$t"
  done </proc/self/cgroup
fi
for n in ${TOOLS.join(' ')}; do
  p=$(command -v "$n" 2>/dev/null) && echo "tool $n $p"
done
if command -v nvidia-smi >/dev/null 2>&1; then
  nvidia-smi --query-gpu=index,name,memory.total --format=csv,noheader,nounits 2>/dev/null | while IFS= read -r g; do echo "gpu $g"; done
fi
echo
echo 'drover-probe end'
`
}
