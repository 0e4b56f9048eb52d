import { quoteArgv, quoteShell } from '../driver/quote.ts'
import { InputError } from '../errors.ts'
import type { ContainerSpec } from '../task/container.ts'
import type { ContainerFacts, ContainerScripts, InnerScript } from './compile-container.ts'
import { enrootImage } from './enroot-image.ts'
import { FAILURES, OWN_RANK } from './failure-script.ts'

const isFile = (image: string): boolean => /^(?:\/|~\/)/.test(image)

const PHASE = `printf '' >"$1/began"
cd "$3" || exit 125
[ "$2" = program ] && exec "$1/script"
command -v bash >/dev/null 2>&1 && exec bash "$1/script"
exec sh "$1/script"`

/**
 * Setup and run by `enroot start` (NVIDIA, 3.4 and later), one process tree each without a daemon. setup.sh imports the image
 * into `container/<rank>/image.sqsh` of the attempt and makes a container of it on the node, which run.sh uses and removes: what
 * setup installs is there. Variables go in by name (`--env NAME`); the image's own entry point is not run.
 * Throws InputError `unsupported` for what enroot has not.
 */
export function compileEnroot(
  spec: ContainerSpec,
  inner: { readonly setup?: InnerScript; readonly run: InnerScript },
  facts: ContainerFacts,
  names: readonly string[],
): ContainerScripts {
  validate(spec, facts)
  const file = spec.image.startsWith('~/') ? `"$HOME"${quoteShell(spec.image.slice(1))}` : quoteShell(spec.image)
  const head = `# Setup and run of this job happen in a container of this image; made by Drover.
${OWN_RANK}
_d_image=${quoteShell(spec.image)}
_d_box=drover-$DROVER_JOB_ID-$DROVER_ATTEMPT-$_d_own
_d_box_dir=$DROVER_ATTEMPT_DIR/container/$_d_own
_d_squash=${isFile(spec.image) ? file : '"$_d_box_dir/image.sqsh"'}
${FAILURES}
command -v enroot >/dev/null 2>&1 || _d_fail image "cannot run a container: there is no enroot on PATH on $(uname -n): install it, or name another container.runtime"
_d_remove() { enroot remove --force "$_d_box" >/dev/null 2>&1; }
# Sets _d_spec for --mount: SOURCE TARGET [,ro].
_d_bind() {
  case $1$2 in *:* | *[[:space:]]*) _d_fail image "enroot cannot mount $1: its name holds a colon or a blank" ;; esac
  _d_spec=$1:$2:none:x-create=auto,rbind\${3:-}
}
# Runs the script in directory $1 inside: $2 script|program. Sets _d_status.
_d_run_inside() {
  _d_at=$1 _d_how=$2
  rm -f "$_d_at/began"
  printf '#!/bin/sh\\nexec "$@"\\n' >"$_d_box_dir/rc"
  chmod 700 "$_d_box_dir/rc"
${startLines(spec, facts, names)}
  # A TERM goes to the whole group, the script's own process among it: its status is what counts.
  trap : TERM INT
  enroot "$@" "$_d_box" /bin/sh -c ${quoteShell(PHASE)} phase "$_d_at" "$_d_how" "$DROVER_WORK_DIR"
  _d_status=$?
  [ -e "$_d_at/began" ] || { _d_remove; _d_fail image "enroot start did not start the script in $_d_image (exit $_d_status); its words stand above"; }
}`
  const script = (text: string): string => `printf '%s' ${quoteShell(text)} >"$_d_here/script"\nchmod 700 "$_d_here/script"\n`
  return {
    setup: `${head}
(umask 077 && mkdir -p "$_d_box_dir/setup" "$_d_box_dir/run")
${isFile(spec.image) ? '[ -r "$_d_squash" ] || _d_fail image "there is no image $_d_squash on $(uname -n), or it cannot be read"' : importLines(spec.image)}
_d_remove
enroot create --name "$_d_box" "$_d_squash" >"$_d_box_dir/said" 2>&1 || {
  _d_last_line "$_d_box_dir/said"
  _d_fail image "cannot make a container of $_d_image: $_d_line"
}${
      inner.setup === undefined
        ? ''
        : `
_d_here=$_d_box_dir/setup
${script(inner.setup.text)}_d_run_inside "$_d_here" ${inner.setup.how}
[ "$_d_status" = 0 ] || _d_remove
exit "$_d_status"`
    }
`,
    run: {
      kind: 'script',
      text: `${head}
_d_here=$_d_box_dir/run
${script(inner.run.text)}_d_run_inside "$_d_here" ${inner.run.how}
_d_remove
exit "$_d_status"
`,
    },
  }
}

function validate(spec: ContainerSpec, facts: ContainerFacts): void {
  const refuse = (why: string, hint: string): never => {
    throw new InputError('unsupported', why, { hint })
  }
  if (facts.isArray) refuse('elements of an array are not run by enroot', 'Use container.runtime apptainer, podman or docker.')
  if (spec.network !== 'host') refuse(`enroot has no network ${spec.network}`, 'Leave out container.network: it is that of the node.')
  if (spec.shmSizeBytes !== undefined) refuse('enroot has no size of /dev/shm', 'Leave out container.shm_size: it is that of the node.')
  if (spec.globalOptions.length > 0) refuse('enroot has no options before its command', 'Leave out container.global_options.')
  if (spec.user !== 'caller' && spec.user !== 'root')
    refuse(`enroot cannot run as ${spec.user}`, 'Leave out container.user, or write root.')
}

/** Layers come from enroot's own cache where they are there. */
function importLines(image: string): string {
  return `printf 'drover: importing %s\\n' "$_d_image" >&2
rm -f "$_d_squash"
printf '1\\n' >"$_d_box_dir/pulled"
{ enroot import --output "$_d_squash" ${quoteShell(`docker://${enrootImage(image)}`)} 2>&1; printf '%s\\n' "$?" >"$_d_box_dir/pulled"; } | tee "$_d_box_dir/said" >&2
read -r _d_status <"$_d_box_dir/pulled"
if [ "$_d_status" != 0 ]; then
  _d_last_line "$_d_box_dir/said"
  _d_explain "$_d_line"
  _d_fail image "cannot import the image $_d_image: $_d_line$_d_why"
fi`
}

/** Arguments of `enroot start`. Devices, shared memory and network are the node's by enroot's own hooks. */
function startLines(spec: ContainerSpec, facts: ContainerFacts, names: readonly string[]): string {
  const nodePath = (path: string): string =>
    path === '~' || path.startsWith('~/') ? `"$HOME"${quoteShell(path.slice(1))}` : quoteShell(path)
  const bind = (source: string, target: string, mode = ''): string =>
    `  _d_bind ${source} ${target}${mode}\n  set -- "$@" --mount "$_d_spec"`
  return [
    `  set -- start --rw${spec.user === 'root' ? ' --root' : ''} --rc "$_d_box_dir/rc"`,
    bind('"$DROVER_ATTEMPT_DIR"', '"$DROVER_ATTEMPT_DIR"'),
    bind('"$DROVER_WORK_DIR"', '"$DROVER_WORK_DIR"'),
    ...spec.mounts.map(({ source, target, readOnly }) => bind(nodePath(source), quoteShell(target), readOnly ? ' ,ro' : '')),
    ...facts.fileMounts.map((path) => bind(nodePath(path), nodePath(path))),
    `  for _d_name in ${quoteArgv(names)} $(env | sed -n -e 's/^\\(DROVER_[A-Za-z0-9_]*\\)=.*/\\1/p' -e 's/^\\(SKYPILOT_[A-Za-z0-9_]*\\)=.*/\\1/p'); do
    [ "$_d_name" = SKYPILOT_DOCKER_PASSWORD ] || set -- "$@" --env "$_d_name"
  done`,
    spec.gpus === 'none' || (spec.gpus === 'job' && facts.gpus === 0) ? '  set -- "$@" --env NVIDIA_VISIBLE_DEVICES=void' : '',
    ...(spec.options.length === 0 ? [] : [`  set -- "$@" ${quoteArgv(spec.options)}`]),
  ]
    .filter((line) => line !== '')
    .join('\n')
}
