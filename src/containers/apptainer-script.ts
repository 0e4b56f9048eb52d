import { quoteArgv, quoteShell } from '../driver/quote.ts'
import type { ContainerSpec } from '../task/container.ts'
import type { ContainerFacts, ContainerScripts, InnerScript } from './compile-container.ts'
import { FAILURES, OWN_RANK } from './failure-script.ts'

/** An image that is a file of the node. */
const isFile = (image: string): boolean => image.startsWith('/') || image.startsWith('~/')

/**
 * Setup and run by `apptainer exec` (1.1; `singularity` 3 where that is what is installed), one process tree each without a
 * daemon: signals, exit codes, environment and files are the caller's by themselves. setup.sh turns the image into
 * `container/<rank>/image.sif` of the attempt. The image is read-only: what setup installs lasts where it lies in the home or
 * the work directory.
 */
export function compileApptainer(
  spec: ContainerSpec,
  inner: { readonly setup?: InnerScript; readonly run: InnerScript },
  facts: ContainerFacts,
): ContainerScripts {
  const uri = /^[a-z]+:\/\//.test(spec.image) ? spec.image : `docker://${spec.image}`
  const file = spec.image.startsWith('~/') ? `"$HOME"${quoteShell(spec.image.slice(1))}` : quoteShell(spec.image)
  const globals = spec.globalOptions.length === 0 ? '' : ` ${quoteArgv(spec.globalOptions)}`
  const head = `# Setup and run of this job happen in a container of this image; made by Drover.
${OWN_RANK}
_d_image=${quoteShell(spec.image)}
_d_box_dir=$DROVER_ATTEMPT_DIR/container/$_d_own
_d_sif=${isFile(spec.image) ? file : '"$_d_box_dir/image.sif"'}
${FAILURES}
if command -v apptainer >/dev/null 2>&1; then _d_runtime=apptainer; else _d_runtime=singularity; fi
command -v "$_d_runtime" >/dev/null 2>&1 || _d_fail image "cannot run a container: there is no apptainer on PATH on $(uname -n): install it, or name another container.runtime"
_d_seen='
'
# Sets _d_spec for --bind: SOURCE TARGET [:ro]. False for a target that there is already.
_d_bind() {
  case $_d_seen in *"
$2
"*) return 1 ;; esac
  _d_seen="$_d_seen$2
"
  case $1$2 in *:* | *,*) _d_fail image "apptainer cannot mount $1: its name holds a colon or a comma" ;; esac
  _d_spec=$1:$2\${3:-}
}
# Runs the script in directory $1 inside: $2 script|program. Sets _d_status.
_d_run_inside() {
  _d_at=$1 _d_how=$2
  rm -f "$_d_at/began"
${execLines(spec, facts)}
  # A TERM goes to the whole group, the script's own process among it: its status is what counts.
  trap : TERM INT
  "$_d_runtime"${globals} "$@" "$_d_sif" /bin/sh -c ${quoteShell(PHASE)} phase "$_d_at" "$_d_how"
  _d_status=$?
  [ -e "$_d_at/began" ] || _d_fail image "$_d_runtime exec did not start the script in $_d_image (exit $_d_status); its words stand above"
}`
  const script = (text: string): string => `printf '%s' ${quoteShell(text)} >"$_d_here/script"\nchmod 700 "$_d_here/script"\n`
  return {
    setup: `${head}
(umask 077 && mkdir -p "$_d_box_dir/setup" "$_d_box_dir/run")
${isFile(spec.image) ? FILE_IMAGE : pullLines(uri, globals)}${
  inner.setup === undefined
    ? ''
    : `
_d_here=$_d_box_dir/setup
${script(inner.setup.text)}_d_run_inside "$_d_here" ${inner.setup.how}
exit "$_d_status"`
}
`,
    run: {
      kind: 'script',
      text: `${head}
_d_here=$_d_box_dir/run${facts.isArray ? '$DROVER_ARRAY_INDEX\n(umask 077 && mkdir -p "$_d_here")' : ''}
${script(inner.run.text)}_d_run_inside "$_d_here" ${inner.run.how}
exit "$_d_status"
`,
    },
  }
}

const FILE_IMAGE = `[ -r "$_d_sif" ] || _d_fail image "there is no image $_d_sif on $(uname -n), or it cannot be read"`

const PHASE = `printf '' >"$1/began"
[ "$2" = program ] && exec "$1/script"
command -v bash >/dev/null 2>&1 && exec bash "$1/script"
exec sh "$1/script"`

/** Layers come from apptainer's own cache where they are there. */
function pullLines(uri: string, globals: string): string {
  return `if [ -n "\${SKYPILOT_DOCKER_USERNAME:-}" ] && [ -n "\${SKYPILOT_DOCKER_PASSWORD:-}" ]; then
  APPTAINER_DOCKER_USERNAME=$SKYPILOT_DOCKER_USERNAME APPTAINER_DOCKER_PASSWORD=$SKYPILOT_DOCKER_PASSWORD
  SINGULARITY_DOCKER_USERNAME=$SKYPILOT_DOCKER_USERNAME SINGULARITY_DOCKER_PASSWORD=$SKYPILOT_DOCKER_PASSWORD
  export APPTAINER_DOCKER_USERNAME APPTAINER_DOCKER_PASSWORD SINGULARITY_DOCKER_USERNAME SINGULARITY_DOCKER_PASSWORD
fi
printf 'drover: pulling %s\\n' "$_d_image" >&2
printf '1\\n' >"$_d_box_dir/pulled"
{ "$_d_runtime"${globals} pull --force "$_d_sif" ${quoteShell(uri)} 2>&1; printf '%s\\n' "$?" >"$_d_box_dir/pulled"; } | tee "$_d_box_dir/said" >&2
read -r _d_status <"$_d_box_dir/pulled"
if [ "$_d_status" != 0 ]; then
  _d_last_line "$_d_box_dir/said"
  _d_explain "$_d_line"
  _d_fail image "cannot pull the image $_d_image: $_d_line$_d_why"
fi
unset APPTAINER_DOCKER_USERNAME APPTAINER_DOCKER_PASSWORD SINGULARITY_DOCKER_USERNAME SINGULARITY_DOCKER_PASSWORD`
}

/** Arguments of `apptainer exec`. Shared memory and network are the host's by themselves. */
function execLines(spec: ContainerSpec, facts: ContainerFacts): string {
  const bind = (source: string, target: string, mode = ''): string =>
    `  if _d_bind ${source} ${target}${mode}; then set -- "$@" --bind "$_d_spec"; fi`
  const nodePath = (path: string): string =>
    path === '~' || path.startsWith('~/') ? `"$HOME"${quoteShell(path.slice(1))}` : quoteShell(path)
  return [
    '  set -- exec --pwd "$DROVER_WORK_DIR"',
    bind('"$DROVER_ATTEMPT_DIR"', '"$DROVER_ATTEMPT_DIR"'),
    bind('"$DROVER_WORK_DIR"', '"$DROVER_WORK_DIR"'),
    ...spec.mounts.map(({ source, target, readOnly }) => bind(nodePath(source), quoteShell(target), readOnly ? ' :ro' : '')),
    ...facts.fileMounts.map((path) => bind(nodePath(path), nodePath(path))),
    `  for _d_name in $(env | sed -n 's/^\\(DROVER_UPSTREAM_[A-Za-z0-9_]*\\)=.*/\\1/p'); do
    eval "_d_value=\\$$_d_name"
    if [ -d "$_d_value" ] && _d_bind "$_d_value" "$_d_value"; then set -- "$@" --bind "$_d_spec"; fi
  done`,
    ...(spec.gpus === 'none' || (spec.gpus === 'job' && facts.gpus === 0) ? [] : ['  set -- "$@" --nv']),
    ...(spec.options.length === 0 ? [] : [`  set -- "$@" ${quoteArgv(spec.options)}`]),
  ].join('\n')
}
