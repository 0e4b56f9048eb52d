import { quoteShell } from '../driver/quote.ts'
import { parseHello, SPAWNER_HELLO, type SpawnerHello, spawnerScript } from './spawner-script.ts'

/** What the agent of a host said of itself. */
export interface AgentHello extends SpawnerHello {
  /** `ok`, or the names of tools the agent cannot do without. */
  readonly missing: readonly string[]
  /** True when something else was printed before the hello: start-up files that would also disturb rsync. */
  readonly noisy: boolean
  readonly rsync: boolean
  readonly tar: boolean
}

const NEEDED = ['mkdir', 'rm', 'chmod', 'cat', 'head', 'tail', 'ls', 'stat', 'sleep']

/**
 * The command line given to ssh. Every login shell (bash, dash, fish, tcsh, csh) must read it alike, so it is single
 * quotes without a newline, `!`, a backslash or a quote inside. It reads the program, one line in the escapes of
 * `printf %b`: `read` takes its line byte by byte, so that nothing of what follows is swallowed.
 */
export function agentCommand(shell: 'sh' | 'bash'): string {
  const program = shell === 'sh' ? '/bin/sh' : 'bash --norc --noprofile'
  return `exec ${program} -c 'IFS= read -r p && eval "$(printf %b "$p")"'`
}

/** A program as the one line that `agentCommand` reads: `a⏎b\c` → `a\nb\\c⏎`. */
export function encodeProgram(program: string): string {
  return `${program.replaceAll('\\', '\\\\').replaceAll('\n', '\\n')}\n`
}

/**
 * The program that answers requests on a host: POSIX sh (dash, bash, busybox ash), on top of the spawner's functions.
 *
 * A request is `LENGTH ID⏎`, LENGTH bytes of sh that end with `#ID`, then the bytes its functions take from stdin; LENGTH
 * 0: the sh is the next line. The answer is `⏎MARKER B ID⏎ … ⏎MARKER E ID STATUS⏎` on stdout. On stderr, as lines of
 * their own that no content can cut in two: `MARKER P ID PID START` (a run has begun), `MARKER C GENERATION INDEX KEY`
 * (a watched file changed).
 *
 *   g 'OFFSET MAX …' PATH…   pieces of files: states, sizes, content, sizes again
 *   G 'OFFSET MAX …' PATH…   the same with a separator after each piece, for files that change meanwhile
 *   d DIR…   directories   ·   w MODE PATH TEXT   ·   W MODE PATH LENGTH (content on stdin)   ·   z PATH…  sizes
 *   u ID SCRIPT [LENGTH]     runs a script, LENGTH bytes of stdin   ·   R PATH…  removes trees
 *   v GENERATION PATH…       watches these files, no others
 */
export function agentScript(marker: string, options: { readonly monitor: boolean }): string {
  return `M=${marker}
${spawnerScript(options)}
umask 077
w= Y= O= ALONE=
m=
for c in ${NEEDED.join(' ')}; do
  command -v "$c" >/dev/null 2>&1 || m="$m,$c"
done
X=-
command -v rsync >/dev/null 2>&1 && X=rsync
command -v tar >/dev/null 2>&1 && X="$X,tar"
# busybox's head reads ahead, which would swallow the requests behind a content.
case $(printf 'abcd\\nef\\n' | { head -c 2 >/dev/null; IFS= read -r c; echo "$c"; }) in
  cd) take() { head -c "$1"; } ;;
  *)
    case $(printf 'abcd\\nef\\n' | { dd bs=2 count=1 iflag=fullblock >/dev/null 2>&1; IFS= read -r c; echo "$c"; }) in
      cd) take() { if [ "$1" != 0 ]; then dd bs="$1" count=1 iflag=fullblock 2>/dev/null; fi; } ;;
      *) take() { if [ "$1" != 0 ]; then dd bs=1 count="$1" 2>/dev/null; fi; } ;;
    esac
    ;;
esac
if [ "$(dd if=/proc/self/comm bs=64 iflag=skip_bytes,count_bytes skip=1 count=1 2>/dev/null)" = d ]; then
  P() { dd if="$3" bs=65536 iflag=skip_bytes,count_bytes skip="$1" count="$2" </dev/null 2>/dev/null; }
else
  P() { tail -c "+$(($1 + 1))" "$3" </dev/null 2>/dev/null | head -c "$2"; }
fi
if stat -L -c %s / >/dev/null 2>&1; then
  S() { stat -L -c %s "$@" </dev/null 2>/dev/null; }
  K() { stat -L -c '%d:%i:%s:%Y' "$@" </dev/null 2>/dev/null; }
else
  S() { stat -L -f %z "$@" </dev/null 2>/dev/null; }
  K() { stat -L -f '%d:%i:%z:%m' "$@" </dev/null 2>/dev/null; }
fi
sleep 0.01 2>/dev/null && NAP=0.2 || NAP=1
bye() {
  [ "$w" ] && kill "$w" 2>/dev/null
  [ "$Y" ] && rm -rf "$Y"
  exit 0
}
fail() {
  printf '%s F %s\\n' "$M" "$1"
  printf '%s\\n' "$2"
  return 1
}
g() {
  l=$1 z=
  shift
  for p; do
    shift
    if [ -f "$p" ]; then
      # Opened, so that a network file system asks its server for the size.
      if { true <"$p"; } 2>/dev/null; then
        z="$z ?"
        set -- "$@" "$p"
      else z="$z D"; fi
    elif [ -d "$p" ]; then z="$z I"
    elif [ -e "$p" ]; then z="$z 0"
    else
      d=\${p%/*}
      d=\${d:-/}
      # Missing for certain only where its directory can be asked.
      if [ -d "$d" ] && [ -x "$d" ]; then z="$z -"
      else
        case $(LC_ALL=C ls -d -- "$p" 2>&1 >/dev/null </dev/null) in
          *'No such file'* | *'Not a directory'*) z="$z -" ;;
          *denied*) z="$z D" ;;
          *) z="$z E" ;;
        esac
      fi
    fi
  done
  printf '%s\\n' "$z"
  [ $# = 0 ] && { printf '\\n\\n'; return 0; }
  y=$(echo $(S "$@"))
  printf '%s\\n' "$y"
  pieces "$l " "$y " "$@"
  printf '\\n%s' "$(echo $(S "$@"))"
}
pieces() {
  h=$1 f=$2
  shift 2
  for j in $z; do
    o=\${h%% *} h=\${h#* }
    c=\${h%% *} h=\${h#* }
    [ "$j" = '?' ] || continue
    b=\${f%% *} f=\${f#* }
    e=$((\${b:-0} - o))
    [ $e -gt "$c" ] && e=$c
    if [ $e -gt 0 ]; then
      if [ "$ALONE" ]; then
        P "$o" "$e" "$1"
        printf '\\n%s S\\n' "$M"
      elif [ "$o" = 0 ] && [ $e = "$b" ]; then
        set -- "$@" "$1"
      else P "$o" "$e" "$1"; fi
    elif [ "$ALONE" ]; then printf '\\n%s S\\n' "$M"; fi
    shift
  done
  # Files read whole, by one process for all.
  [ $# = 0 ] || cat "$@" </dev/null
}
G() {
  ALONE=1
  g "$@"
  ALONE=
}
d() {
  for p; do
    shift
    if ! [ -d "$p" ]; then set -- "$@" "$p"
    elif [ -L "$p" ]; then
      # Where a link of somebody else leads is somebody else's choice.
      c=$(ls -ldn -- "$p" </dev/null | { read -r c f o e; echo "$o"; })
      case $c in
        0 | "\${O:=$(id -u)}") ;;
        *) fail "make directory $p" 'link of another user: Permission denied'; return 1 ;;
      esac
    fi
  done
  [ $# = 0 ] && return 0
  e=$(LC_ALL=C mkdir -p -- "$@" 2>&1 </dev/null) || fail "make directory $*" "$e"
}
open() {
  if [ -L "$2" ] || { [ -e "$2" ] && ! [ -f "$2" ]; }; then
    e=$(LC_ALL=C rm -f -- "$2" 2>&1 </dev/null) || { fail "write $2" "$e"; return 1; }
  fi
  c=
  [ -e "$2" ] && c=1
  { true >"$2"; } 2>/dev/null || { fail "write $2" "$(LC_ALL=C sh -c 'exec >"$1"' - "$2" 2>&1 </dev/null)"; return 1; }
  if [ "$c" ] || [ "$1" != 600 ]; then
    e=$(LC_ALL=C chmod "$1" "$2" 2>&1 </dev/null) || { fail "write $2" "$e"; return 1; }
  fi
}
w() {
  open "$1" "$2" || return 1
  # The builtin does not say why it failed: cat does.
  { printf %s "$3" >"$2"; } 2>/dev/null || fail "write $2" "$(printf %s "$3" | LC_ALL=C sh -c 'cat >"$1"' - "$2" 2>&1)"
}
into() { { LC_ALL=C; export LC_ALL; take "$2" | { cat 2>&3 >"$1" || { cat >/dev/null; false; }; }; } 3>&1; }
W() {
  open "$1" "$2" || { take "$3" >/dev/null; return 1; }
  e=$(into "$2" "$3") || fail "write $2" "$e"
}
z() { S "$@"; }
R() {
  rm -rf -- "$@" </dev/null 2>/dev/null && return 0
  find "$@" -type d ! -perm -700 -exec chmod u+rwx {} ';' </dev/null 2>/dev/null
  e=$(LC_ALL=C rm -rf -- "$@" 2>&1 </dev/null) || fail "remove $*" "$e"
}
room() {
  [ "$Y" ] && return 0
  for p in /dev/shm "$TMPDIR" /tmp "$XDG_RUNTIME_DIR" "$HOME"; do
    [ "$p" ] && mkdir "$p/.drover-$M" 2>/dev/null || continue
    { echo >"$p/.drover-$M/o"; } 2>/dev/null && Y=$p/.drover-$M && return 0
    rm -rf "$p/.drover-$M"
  done
  return 1
}
u() {
  i=$1 b=$2 c=/dev/null
  if ! room; then
    [ $# = 2 ] || take "$3" >/dev/null
    fail 'keep the output of a command in /dev/shm, /tmp or the home' 'No space left on device'
    return 1
  fi
  if [ $# = 3 ]; then
    c=$Y/i
    e=$(into "$c" "$3") || { fail "write $c" "$e"; return 1; }
  fi
  umask "$U"
  if [ \${#b} -gt 30000 ]; then
    { printf %s "$b" >"$Y/s"; } 2>/dev/null || { umask 077; fail "write $Y/s" 'No space left on device'; return 1; }
    { x sh "$Y/s"; } <"$c" >"$Y/o$i" 2>"$Y/e$i" &
  else
    { x sh -c "$b"; } <"$c" >"$Y/o$i" 2>"$Y/e$i" &
  fi
  umask 077
  p=$!
  t $p
  printf '%s P %s %s %s\\n' "$M" "$i" $p "\${T:--}" >&2
  wait $p
  printf '%s\\n' $?
  [ -s "$Y/o$i" ] && cat "$Y/o$i" </dev/null
  printf '\\n%s S\\n' "$M"
  [ -s "$Y/e$i" ] && cat "$Y/e$i" </dev/null
  # What the script left running goes on writing to files that no later command shares.
  rm -f "$Y/o$i" "$Y/e$i" "$Y/i" "$Y/s" </dev/null
}
v() {
  [ "$w" ] && kill "$w" 2>/dev/null
  w= j=$1
  shift
  [ $# = 0 ] && return 0
  if [ "$PERL" ]; then
    "$PERL" -e '${WATCH_IN_PERL}' "$M" "$j" "$$" "$@" </dev/null >/dev/null &
  else
    {
      trap - HUP
      f=
      while kill -0 $$ 2>/dev/null; do
        b=
        for p; do { true <"$p"; } 2>/dev/null && b="$b $(K "$p")" || b="$b -"; done
        if [ "$b" != "$f" ]; then
          r=0
          h="\${f# } "
          for q in $b; do
            [ "$q" = "\${h%% *}" ] || printf '%s C %s %s %s\\n' "$M" "$j" $r "$q" >&2
            h=\${h#* }
            r=$((r + 1))
          done
          f=$b
        fi
        sleep $NAP
      done
    } </dev/null >/dev/null &
  fi
  w=$!
}
trap bye EXIT
trap 'exit 0' TERM PIPE
printf '\\n%s H %s %s\\n' "$M" "\${m:-,}" "$X"
while IFS=' ' read -r _n _i; do
  if [ "$_n" = 0 ]; then IFS= read -r _q; else _q=$(take "$_n"); fi
  case $_q in *"#$_i") ;; *) break ;; esac
  printf '\\n%s B %s\\n' "$M" "$_i"
  eval "$_q"
  printf '\\n%s E %s %s\\n' "$M" "$_i" $?
done
`
}

/** Opened each time, without blocking: a network file system then asks its server, and a pipe in a file's place stops nothing. */
const WATCH_IN_PERL = `use Fcntl; my $hires = eval { require Time::HiRes; 1 }; my ($m, $g, $parent, @f) = @ARGV; my @l = ("") x @f; while (getppid() == $parent) { for my $i (0 .. $#f) { my $k = "-"; if (sysopen(my $h, $f[$i], O_RDONLY | O_NONBLOCK)) { my @s = $hires ? Time::HiRes::stat($h) : stat($h); $k = join(":", @s[0, 1, 7, 9]); close($h) } if ($k ne $l[$i]) { $l[$i] = $k; syswrite(STDERR, "$m C $g $i $k\\n") } } select(undef, undef, undef, 0.05) }`

/** Reads what came before and on the hello line `H MISSING TOOLS`; undefined when the spawner's part is not in it. */
export function parseAgentHello(before: string, line: string): AgentHello | undefined {
  const at = before.lastIndexOf(`${SPAWNER_HELLO} `)
  const [, missing = ',', tools = ''] = line.split(' ')
  const hello = at < 0 ? undefined : parseHello((before.slice(at).split('\n')[0] ?? '').trim())
  if (hello === undefined) return undefined
  const found = tools.split(',')
  return {
    ...hello,
    missing: missing.split(',').filter((name) => name !== ''),
    noisy: before.slice(0, at).trim() !== '',
    rsync: found.includes('rsync'),
    tar: found.includes('tar'),
  }
}

/** One request: its sh, ended by its id, behind the header; a text of one short line travels as a line. */
export function encodeRequest(id: number, text: string, payload: readonly Uint8Array[] = []): Uint8Array {
  const body = `${text} #${id}`
  const short = body.length < 1500 && !body.includes('\n')
  const bytes = Buffer.from(short ? `${body}\n` : body)
  return Buffer.concat([Buffer.from(`${short ? 0 : bytes.length} ${id}\n`), bytes, ...payload])
}

/** A call of one of the agent's functions: `agentCall('d', ['/a b'])` → `d '/a b'`. */
export function agentCall(name: string, words: readonly string[]): string {
  return [name, ...words.map(quoteShell)].join(' ')
}
