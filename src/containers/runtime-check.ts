import { quoteShell } from '../driver/quote.ts'
import { BOX } from './box-script.ts'
import { FAILURES } from './failure-script.ts'

/** What one program on a node said when it was asked whether it can do its work. */
export interface RuntimeAnswer {
  readonly program: 'docker' | 'podman' | 'apptainer' | 'rclone'
  readonly works: boolean
  /** Version where it works, else its own words and what to do. */
  readonly text: string
}

const BEGIN = 'drover-runtimes begin'
const END = 'drover-runtimes end'

/**
 * POSIX sh that asks docker, podman, apptainer and rclone on a node whether they work, for who is logged in, with what the
 * target's prologue sets. Each prints `runtime docker yes 24.0.7` or `runtime docker no permission denied … (what to do)`, and
 * nothing where it is not installed. `docker version` as of 20.10, `podman info` as of 3.0, which takes up user namespaces.
 */
export function compileRuntimeCheck(prologue?: string): string {
  const before =
    prologue === undefined ? '' : `eval ${quoteShell(prologue)} >/dev/null 2>&1 </dev/null\n{ set +eux; } 2>/dev/null\nunset IFS\n`
  return `${before}_d_own=0
${FAILURES}${BOX}
_d_answer() {
  if [ "$_d_status" = 0 ]; then printf 'runtime %s yes %s\\n' "$1" "$2"; return; fi
  _d_line=$(printf '%s\\n' "$2" | sed -e '/^[[:space:]]*$/d' | tail -n 1 | cut -c1-300)
  _d_explain "$_d_line"
  printf 'runtime %s no %s%s\\n' "$1" "$_d_line" "$_d_why"
}
echo '${BEGIN}'
# "docker" may be podman under another name.
if command -v docker >/dev/null 2>&1 && case $(docker --version 2>/dev/null) in podman*) false ;; esac; then
  _d_runtime=docker
  _d_find_host
  _d_said=$(docker version --format '{{.Server.Version}}' 2>&1 </dev/null)
  _d_status=$?
  case $(docker info --format '{{.SecurityOptions}}' 2>/dev/null </dev/null) in *name=rootless*) _d_said="$_d_said rootless" ;; esac
  _d_answer docker "$_d_said"
fi
if command -v podman >/dev/null 2>&1; then
  _d_runtime=podman
  _d_said=$(podman info --format '{{.Version.Version}}' 2>&1 </dev/null)
  _d_status=$?
  # Warnings stand before it.
  [ "$_d_status" != 0 ] || _d_said=$(printf '%s\\n' "$_d_said" | tail -n 1)
  [ "$(id -u)" = 0 ] || [ "$_d_status" != 0 ] || _d_said="$_d_said rootless"
  _d_answer podman "$_d_said"
fi
for _d_runtime in apptainer singularity; do
  command -v "$_d_runtime" >/dev/null 2>&1 || continue
  _d_said=$("$_d_runtime" --version 2>&1 </dev/null)
  _d_status=$?
  _d_answer apptainer "\${_d_said##* }"
  break
done
if command -v rclone >/dev/null 2>&1; then
  _d_said=$(rclone version 2>&1 </dev/null | head -n 1)
  _d_status=0
  case $_d_said in 'rclone v'*) _d_said=\${_d_said#rclone v} ;; *) _d_status=1 ;; esac
  _d_answer rclone "$_d_said"
fi
echo '${END}'
`
}

/** Reads the output of `compileRuntimeCheck`; undefined when it was cut off, as by an `exit` in the prologue. */
export function parseRuntimeCheck(text: string): readonly RuntimeAnswer[] | undefined {
  const begin = text.lastIndexOf(`${BEGIN}\n`)
  if (begin < 0 || !text.includes(`${END}\n`, begin)) return undefined
  return [...text.slice(begin).matchAll(/^runtime (docker|podman|apptainer|rclone) (yes|no) ?(.*)$/gm)].map(
    ([, program, works, said]): RuntimeAnswer => ({
      program: program as RuntimeAnswer['program'],
      works: works === 'yes',
      text: said ?? '',
    }),
  )
}
