import { quoteShell } from '../driver/quote.ts'
import type { LauncherSpec } from '../task/launcher.ts'
import type { RunSpec } from '../task/task-spec.ts'
import { compilePort, compilePrelude, DEBUG_VARIABLES, INTERFACE_CHOICE, THREADS } from './launch-prelude.ts'
import { TORCHRUN_AGENT } from './torchrun-agent.ts'
import { compileFile, compileUserCommand } from './user-command.ts'

/** How torchrun is to start the workers, and by which interpreter the user wants it, if by a certain one. */
interface TorchrunTarget {
  readonly form: '' | '-m' | '--no_python'
  readonly run: RunSpec
  readonly python?: string
}

const PYTHON = /^(?:.*\/)?python(?:\d+(?:\.\d+)?)?$/
/** A script of one line that is a Python file or a module with its arguments, and nothing else of the shell. */
const ONE_PROGRAM = /^\s*(-m\s+[\w.]+|[^\s'"$`;&|<>()#]+\.py)((?:[ \t][^\n;&|<>()`#]*)?)\s*$/

/**
 * What the workers run. A command whose first word ends in `.py` is a script of Python, `-m name` a module; `python` before
 * either is the interpreter that runs agent and workers; anything else is a program (`--no_python`). `module: true` and
 * `no_python: true` decide it themselves. A shell script is run once per process, unless its one line is such a command.
 */
function torchrunTarget(run: RunSpec, options: LauncherSpec['options']): TorchrunTarget {
  if (run.kind === 'script') {
    const line = run.text.startsWith('#!') ? null : ONE_PROGRAM.exec(run.text)
    if (line === null || options['no_python'] === true) return { form: '--no_python', run }
    const isModule = (line[1] ?? '').startsWith('-m')
    return {
      form: isModule ? '-m' : '',
      run: { kind: 'script', text: `set -- ${isModule ? run.text.trim().slice(2).trim() : run.text.trim()}\n` },
    }
  }
  const { argv } = run
  const of = (form: TorchrunTarget['form'], from: number, python?: string): TorchrunTarget => ({
    form,
    run: { kind: 'argv', argv: argv.slice(from) },
    ...(python === undefined ? {} : { python }),
  })
  if (options['no_python'] === true) return of('--no_python', 0)
  const at = PYTHON.test(argv[0] ?? '') ? 1 : 0
  const python = at === 1 ? argv[0] : undefined
  if (argv[at] === '-m' && argv.length > at + 1) return of('-m', at + 1, python)
  if (options['module'] === true) return of('-m', at, python)
  return argv[at]?.endsWith('.py') ? of('', at, python) : of('--no_python', 0)
}

/** Which Python runs the agent: the one named, else the one of the `torchrun` on PATH, else the first that has torch. */
function compilePython(named: unknown): string {
  if (typeof named === 'string') return `_d_python=${quoteShell(named)}\n`
  return `
# The Python that \`torchrun\` on PATH belongs to, else the first one that has torch.
_d_python=''
if _d_torchrun=$(command -v torchrun 2>/dev/null); then
  IFS= read -r _d_line <"$_d_torchrun"
  case $_d_line in '#!'*python*) _d_python=\${_d_line#'#!'} ;; *) _d_python=\${_d_torchrun%/*}/python3 ;; esac
  case $_d_python in *env\\ *) _d_python=\${_d_python##*env } ;; esac
  _d_python=\${_d_python# }
  command -v "$_d_python" >/dev/null 2>&1 || _d_python=''
fi
for _d_each in python3 python; do
  [ -z "$_d_python" ] && command -v "$_d_each" >/dev/null 2>&1 || continue
  "$_d_each" -c 'import importlib.util as u, sys; sys.exit(u.find_spec("torch") is None)' && _d_python=$_d_each
done
if [ -z "$_d_python" ]; then
  _d_say "there is no torchrun and no Python with torch on PATH of node $_d_rank; install torch in setup, or name the interpreter by the launcher's option python"
  exit 127
fi
`
}

function optionWords(options: LauncherSpec['options']): readonly string[] {
  const flagOf = (key: string, flag: string): readonly string[] => (options[key] === undefined ? [] : [`${flag}=${String(options[key])}`])
  return [
    ...flagOf('max_restarts', '--max_restarts'),
    ...flagOf('monitor_interval', '--monitor_interval'),
    ...flagOf('log_dir', '--log_dir'),
    ...flagOf('redirects', '--redirects'),
    ...flagOf('tee', '--tee'),
  ]
}

/**
 * `torchrun` (torch 1.9 to 2.x): an agent on every node, all of one c10d rendezvous on the head, named by job and attempt.
 * `train.py --lr 0.1` with two processes on one node becomes, behind lines that choose interface and threads,
 * `exec "$_d_python" agent.py REPORT --nnodes=1 --nproc_per_node=2 … -- train.py --lr 0.1`. Flags are written with
 * underscores, which every version knows.
 */
export function compileTorchrun(launcher: LauncherSpec, run: RunSpec): string {
  const { options } = launcher
  const target = torchrunTarget(run, options)
  const conf = Object.entries((options['rdzv_conf'] ?? {}) as Readonly<Record<string, unknown>>).map(
    ([key, value]) => `${key}=${String(value)}`,
  )
  const words = optionWords(options).map(quoteShell)
  const user = target.run.kind === 'script' && target.form !== '--no_python' ? target.run.text : compileUserCommand(target.run)
  const more = [...words, ...(target.form === '' ? [] : [target.form])].map((word) => ` ${word}`).join('')
  return `${compilePrelude('torchrun')}${INTERFACE_CHOICE}${THREADS}${options['debug'] === true ? DEBUG_VARIABLES : ''}${compilePort(options['port'])}${compilePython(options['python'] ?? target.python)}
_d_conf=${quoteShell(conf.join(','))}
if [ "$_d_nodes" = 1 ]; then
  _d_endpoint=localhost:0 _d_address=127.0.0.1
else
  # Who hosts the rendezvous is told, not guessed from what a host name resolves to.
  if [ "$_d_rank" = 0 ]; then _d_conf=\${_d_conf:+$_d_conf,}is_host=1; else _d_conf=\${_d_conf:+$_d_conf,}is_host=0; fi
  case $DROVER_HEAD_IP in *:*) _d_endpoint=[$DROVER_HEAD_IP]:$_d_port ;; *) _d_endpoint=$DROVER_HEAD_IP:$_d_port ;; esac
  _d_address=$_d_ip
fi
${compileFile('"$_d_launch/agent-$_d_id.py"', TORCHRUN_AGENT)}${user}set -- "$_d_launch/$_d_id.json" --nnodes="$_d_nodes" --nproc_per_node="$_d_processes" --node_rank="$_d_rank" --rdzv_backend=c10d \\
  --rdzv_endpoint="$_d_endpoint" --rdzv_id="\${DROVER_JOB_ID:-job}-\${DROVER_ATTEMPT:-1}\${DROVER_ARRAY_INDEX:+-$DROVER_ARRAY_INDEX}" \\
  \${_d_conf:+--rdzv_conf="$_d_conf"} --local_addr="$_d_address"${more} -- "$@"
# In the place of this shell: whoever ends the agent ends the leader of the group.
exec "$_d_python" "$_d_launch/agent-$_d_id.py" "$@"
`
}
