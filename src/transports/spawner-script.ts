/** First word of the hello line; a changed line format changes it. */
export const SPAWNER_HELLO = 'drover-spawner-1'

/** What the spawner said of itself when it started. */
export interface SpawnerHello {
  readonly pid: number
  /** How sessions or groups are made: `setsid`, `perl`, `bash` (groups only), `none`. */
  readonly groups: 'setsid' | 'perl' | 'bash' | 'none'
  /** Linux: /proc/sys/kernel/random/boot_id. Elsewhere `kern.boottime` reduced to its digits; `-` when neither is known. */
  readonly bootId: string
  /** False where started programs begin with INT and QUIT ignored, because no `env --default-signal` could undo it. */
  readonly interruptible: boolean
  /** True when the shell must be restarted as bash to make groups. */
  readonly wantsBash: boolean
}

/**
 * The program of the spawner: POSIX sh, read from stdin before the first request (dash, bash, busybox ash).
 * Requests are calls of its functions, answers are lines `<id> <word> <detail…>` of less than 4096 bytes (one pipe write):
 *
 *   s ID BOOT LOG CWD ARGV…   → `ID s PID START` | `ID e cwd|log|program`
 *   k ID SIGNAL GROUP PID START …  → `ID k <one 0 or 1 per process: sent or not>`
 *   a ID PID START …          → `ID a <one 0 or 1 per process>`
 *   r ID SCRIPT IN OUT ERR    → `ID b PID START` at once, `ID d CODE` when it has ended
 *   p ID                      → `ID p` reaps ended children
 *
 * BOOT: epoch seconds at boot. A started driver is told them, and what resets signals here, by the variables that
 * `compileDriver` names: it need not run a process to find out.
 *
 * `monitor` is for bash where neither setsid nor perl exist: `set -m` makes each background job a group of its own.
 */
export function spawnerScript(options: { readonly monitor: boolean }): string {
  return `set +e -f
trap '' HUP
unset CDPATH
exec 3>&- 4>&- 5>&- 6>&- 7>&- 8>&- 9>&-
cd /
U=$(umask) B=- G=none I=0 W=0 L=0 D= N='
'
if [ -r /proc/self/stat ] && [ -r /proc/sys/kernel/random/boot_id ]; then
  L=1
  read -r B </proc/sys/kernel/random/boot_id
else
  B=$(sysctl -n kern.boottime 2>/dev/null | sed 's/ usec.*//' | tr -cd 0-9)
  [ "$B" ] || B=-
fi
# Where on PATH: a busybox that prefers its own programs names those to \`command -v\`.
w() {
  Q=$PATH:/usr/bin:/bin:
  while [ "$Q" ]; do
    F=\${Q%%:*}/$1 Q=\${Q#*:}
    [ -f "$F" ] && [ -x "$F" ] && return
  done
  F=
}
w setsid
SETSID=$F
w perl
PERL=$F
w env
ENV=$F
if [ ${options.monitor ? 1 : 0} = 1 ]; then
  set -m
  G=bash I=1
  x() { exec "$@"; }
elif [ "$SETSID" ]; then
  G=setsid
  if "$ENV" --default-signal=INT,QUIT true 2>/dev/null </dev/null; then
    I=1 D=env
    x() { exec "$ENV" --default-signal=INT,QUIT "$SETSID" -- "$@"; }
  else
    x() { exec "$SETSID" -- "$@"; }
  fi
elif [ "$PERL" ]; then
  G=perl I=1 D=perl
  x() { exec "$PERL" -e 'use POSIX (); POSIX::setsid(); $SIG{INT} = $SIG{QUIT} = "DEFAULT"; exec {$ARGV[0]} @ARGV; die "$ARGV[0]: $!\\n"' -- "$@"; }
else
  command -v bash >/dev/null 2>&1 && W=1
  x() { exec "$@"; }
fi
if [ $L = 1 ]; then
  # A process name may hold newlines and parentheses: all lines are joined, the last ") " ends the name.
  t() {
    T= Z=
    R=
    { while IFS= read -r Q; do R=$R$Q; done </proc/$1/stat; } 2>/dev/null || return 1
    [ "$R" ] || return 1
    set -- \${R##*") "}
    Z=$1
    shift 19
    T=$1
  }
else
  t() {
    T= Z=
    set -- $(ps -o stat= -o lstart= -p "$1" 2>/dev/null)
    [ $# -gt 1 ] || return 1
    Z=$1
    shift
    for Q; do T=$T$Q; done
  }
fi
s() {
  i=$1 b=$2 l=$3 c=$4
  shift 4
  case $1 in
    /*) [ -f "$1" ] && [ -x "$1" ] ;;
    */*) [ -f "$c/$1" ] && [ -x "$c/$1" ] ;;
    *) command -v "$1" >/dev/null 2>&1 ;;
  esac
  f=$?
  umask 077
  if ! [ -d "$c" ] || ! [ -x "$c" ]; then
    echo "$i e cwd"
  elif [ $f != 0 ]; then
    echo "$i e program"
  elif ! true 2>/dev/null >>"$l"; then
    echo "$i e log"
  else
    umask "$U"
    { cd "$c" && export _d_known_boot="$b" _d_known_reset="$D" && x "$@"; } </dev/null >>"$l" 2>&1 &
    t $!
    echo "$i s $! \${T:--}"
  fi
  umask "$U"
}
k() {
  i=$1 g=$2 m=$3 o=
  shift 3
  while [ $# -gt 1 ]; do
    f=0
    if t "$1" && [ "$T" = "$2" ]; then
      # Just after its start it leads no group yet: the process itself is the group.
      { [ $m = 1 ] && kill -$g "-$1"; } 2>/dev/null || kill -$g "$1" 2>/dev/null || f=1
    else f=1; fi
    if [ $f = 0 ]; then o=\${o}1; else o=\${o}0; fi
    shift 2
  done
  echo "$i k $o"
}
a() {
  i=$1 o=
  shift
  while [ $# -gt 1 ]; do
    if t "$1" && [ "$T" = "$2" ]; then
      case $Z in [ZX]*) o=\${o}0 ;; *) o=\${o}1 ;; esac
    else o=\${o}0; fi
    shift 2
  done
  echo "$i a $o"
}
r() {
  i=$1 n=$2
  {
    x sh "$n" <"$3" >"$4" 2>"$5" &
    t $!
    echo "$i b $! \${T:--}"
    wait $!
    echo "$i d $?"
  } </dev/null 2>/dev/null &
}
p() {
  # The only builtin that makes dash and busybox collect ended children without waiting for the living.
  jobs >/dev/null 2>&1
  echo "$1 p"
}
echo "${SPAWNER_HELLO} $$ $G $B $I $W"
`
}

/** Reads the hello line; undefined when it is not one (something else printed first). */
export function parseHello(line: string): SpawnerHello | undefined {
  const [word, pid, groups, bootId, interruptible, wantsBash] = line.split(' ')
  if (word !== SPAWNER_HELLO || pid === undefined || bootId === undefined || wantsBash === undefined) return undefined
  if (groups !== 'setsid' && groups !== 'perl' && groups !== 'bash' && groups !== 'none') return undefined
  return { pid: Number(pid), groups, bootId, interruptible: interruptible === '1', wantsBash: wantsBash === '1' }
}
