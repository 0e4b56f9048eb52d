/**
 * What undoes that a background process of a shell without job control begins with INT and QUIT ignored (POSIX.1-2017,
 * XCU 2.11), which no shell can undo itself: `_d_exec_reset word…` becomes that program with both at their defaults, by
 * `env --default-signal` (coreutils 8.31), else perl, else python3. It is an exec more, never a process more. Degraded where
 * none of them is found (`_d_reset=none`): scripts then ignore INT and QUIT, also those they send to themselves; TERM and
 * KILL, which is what Drover sends, work as ever.
 *
 * `_d_find_reset HINT` decides it once per driver start. HINT: what a parent has found, else empty. Where the clock needs
 * `date` anyway, trying out `env` costs no process more: sets `_d_date`, epoch seconds, or nothing.
 */
export const SIGNAL_RESET = `
_d_find_reset() {
  _d_reset=\${1:-} _d_date=''
  case $_d_reset in
    env) _d_look_for env && _d_env=$_d_found && return ;;
    perl) _d_look_for perl && _d_perl=$_d_found && return ;;
    python) _d_look_for python3 && _d_python=$_d_found && return ;;
    none) return ;;
  esac
  if _d_look_for env; then
    _d_env=$_d_found
    _d_date=$("$_d_env" --default-signal=INT,QUIT date +%s 2>/dev/null) && _d_reset='env' && return
  fi
  if _d_look_for perl; then
    _d_perl=$_d_found _d_reset=perl
  elif _d_look_for python3; then
    _d_python=$_d_found _d_reset=python
  else
    _d_reset=none
  fi
}

_d_exec_reset() {
  # shellcheck disable=SC2016
  case $_d_reset in
    env) exec "$_d_env" --default-signal=INT,QUIT "$@" ;;
    perl) exec "$_d_perl" -e '$SIG{INT} = $SIG{QUIT} = "DEFAULT"; exec {$ARGV[0]} @ARGV; warn "$ARGV[0]: $!\\n"; exit 127' -- "$@" ;;
    python)
      # Python ignores PIPE and XFSZ and, in the C locale, sets LC_CTYPE (PEP 538): the program is to see none of that.
      exec "$_d_python" -I -S -c 'import os, sys
from signal import SIG_DFL, SIGINT, SIGPIPE, SIGQUIT, SIGXFSZ, signal
for number in SIGINT, SIGPIPE, SIGQUIT, SIGXFSZ:
    signal(number, SIG_DFL)
if not sys.argv[1]:
    os.environ.pop("LC_CTYPE", None)
try:
    os.execvp(sys.argv[2], sys.argv[2:])
except OSError as error:
    sys.exit(sys.stderr.write("%s: %s\\n" % (sys.argv[2], error.strerror)) and 127)' "\${LC_CTYPE+set}" "$@"
      ;;
  esac
  exec "$@"
}
`
