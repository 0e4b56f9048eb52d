import { quoteArgv, quoteShell } from '../driver/quote.ts'
import type { ContainerSpec } from '../task/container.ts'
import type { RunSpec } from '../task/task-spec.ts'
import { compileApptainer } from './apptainer-script.ts'
import { BOX } from './box-script.ts'
import { compileEnroot } from './enroot-script.ts'
import { FAILURES, OWN_RANK } from './failure-script.ts'
import { KEEPER, PHASE } from './inside-script.ts'

/** What a wrapper needs to know of the job beside the image. */
export interface ContainerFacts {
  /** Elements run one by one in the container of their node. */
  readonly isArray: boolean
  /** Devices per node. */
  readonly gpus: number
  /** TERM to KILL. */
  readonly graceSeconds: number
  /** Names of the task's own variables and secrets; DROVER_* and SKYPILOT_* are found by themselves. */
  readonly variables: readonly string[]
  /** Destinations of file mounts outside of the work directory: absolute, or below the home (`~/…`). */
  readonly fileMounts: readonly string[]
}

/** The two scripts of a job in a container. Setup is there also where the task has none: it pulls the image and starts the container. */
export interface ContainerScripts {
  readonly setup: string
  readonly run: RunSpec
}

/** Variables that every job's scripts have beside those of its own. */
const COMMON = ['PYTHONUNBUFFERED', 'CUDA_VISIBLE_DEVICES', 'CUDA_DEVICE_ORDER', 'USER', 'LOGNAME', 'OMP_NUM_THREADS']

/** A script with the shell that it asks for: `program` is executed itself. */
export interface InnerScript {
  readonly text: string
  readonly how: 'script' | 'program'
}

/**
 * Wraps setup and run of a task so that both run inside one container per node: setup.sh pulls the image where it is missing,
 * starts a container named `drover-<job>-<attempt>-<rank>` and runs the task's setup in it; run.sh runs the task's script in
 * the same container and removes it. Both are POSIX sh and rely on the job's environment alone.
 *
 * `echo hi` in `busybox` becomes, in run.sh, `_d_image=busybox … printf '%s' 'echo hi' >"$_d_at/script" … _d_run_inside`, in
 * the container: `bash script` where the image has one, else `sh script`. Variables go to the container by name
 * (`--env NAME`), so that no value stands on a command line or in what the runtime shows of the container.
 *
 * Options as of docker 20.10 and podman 4.3. Throws InputError `invalid_argument` on NUL.
 */
export function compileContainer(
  spec: ContainerSpec,
  inner: { readonly setup?: string; readonly run: RunSpec },
  facts: ContainerFacts,
): ContainerScripts {
  const setup = inner.setup === undefined ? undefined : innerScript({ kind: 'script', text: inner.setup })
  const run = innerScript(inner.run)
  if (spec.runtime === 'apptainer') return compileApptainer(spec, { ...(setup === undefined ? {} : { setup }), run }, facts)
  if (spec.runtime === 'enroot')
    return compileEnroot(spec, { ...(setup === undefined ? {} : { setup }), run }, facts, [...COMMON, ...facts.variables])
  return {
    setup: `${head(spec, facts)}
(umask 077 && mkdir -p "$_d_box_dir/setup" "$_d_box_dir/run" "$_d_box_dir/home")
_d_choose ${quoteArgv(spec.runtime === undefined ? ['docker', 'podman'] : [spec.runtime])}
_d_remove_old
_d_pull
${startLines(spec, facts)}${
  setup === undefined
    ? ''
    : `
printf '%s' ${quoteShell(setup.text)} >"$_d_box_dir/setup/script"
chmod 700 "$_d_box_dir/setup/script"
_d_run_inside "$_d_box_dir/setup" ${setup.how} ''
if [ "$_d_status" != 0 ]; then
  _d_remove
  exit "$_d_status"
fi`
}
`,
    run: {
      kind: 'script',
      text: `${head(spec, facts)}
read -r _d_runtime <"$_d_box_dir/runtime" || _d_fail driver 'the setup of this job has started no container'
_d_find_host
_d_here=$_d_box_dir/run${
        facts.isArray
          ? `$DROVER_ARRAY_INDEX
(umask 077 && mkdir -p "$_d_here")`
          : ''
      }
printf '%s' ${quoteShell(run.text)} >"$_d_here/script"
chmod 700 "$_d_here/script"
_d_run_inside "$_d_here" ${run.how} ${facts.isArray ? "''" : 1}
${facts.isArray ? '' : '_d_remove\n'}exit "$_d_status"
`,
    },
  }
}

/** A command becomes a script of one line; what has a `#!` line is executed itself. */
function innerScript(run: RunSpec): InnerScript {
  if (run.kind === 'argv') return { text: `exec ${quoteArgv(run.argv)}\n`, how: 'script' }
  const text = run.text.endsWith('\n') ? run.text : `${run.text}\n`
  return { text, how: text.startsWith('#!') ? 'program' : 'script' }
}

/** What both scripts begin with. */
function head(spec: ContainerSpec, facts: ContainerFacts): string {
  const globals = spec.globalOptions.length === 0 ? '' : ` ${quoteArgv(spec.globalOptions)}`
  const names = [...new Set([...COMMON, ...facts.variables.filter((name) => name !== 'SKYPILOT_DOCKER_PASSWORD')])]
  return `# Setup and run of this job happen in a container of this image; made by Drover.
${OWN_RANK}
_d_image=${quoteShell(spec.image)}
_d_box=drover-$DROVER_JOB_ID-$DROVER_ATTEMPT-$_d_own
_d_box_dir=$DROVER_ATTEMPT_DIR/container/$_d_own
_d_own_names=${quoteShell(names.join(' '))}
_d_pull_when=${spec.pull}
# TERM to KILL, and how long this wrapper waits for the end after a TERM: seconds.
_d_grace=${Math.ceil(facts.graceSeconds)} _d_patience=${Math.max(facts.graceSeconds - 1, facts.graceSeconds / 2)}
_d_call() { "$_d_runtime"${globals} "$@"; }
_d_exec() { _d_in_session "$_d_runtime"${globals} exec "$@"; }
${
  spec.user === 'caller'
    ? `# The caller's home in the container is a directory of the job; root has the image's own.
if [ "$(id -u)" = 0 ]; then _d_home_target=/dev/null; else _d_home_target=$HOME _d_own_names="$_d_own_names HOME"; fi`
    : '_d_home_target=/dev/null'
}
${FAILURES}${BOX}
_d_phase_text=${quoteShell(PHASE)}`
}

/** Lines that start the container. */
function startLines(spec: ContainerSpec, facts: ContainerFacts): string {
  const lines = [
    'set -- run --detach --rm --name "$_d_box" --label "drover.job=$DROVER_JOB_ID" --label "drover.attempt=$DROVER_ATTEMPT" --label "drover.rank=$_d_own"',
    `set -- "$@" --network ${quoteShell(spec.network)}`,
    ...shmLines(spec),
    ...userLines(spec),
    'if [ "$_d_runtime" = podman ]; then set -- "$@" --security-opt label=disable; fi',
    ...(spec.user === 'caller'
      ? ['if [ "$_d_home_target" != /dev/null ] && _d_bind "$_d_box_dir/home" "$_d_home_target"; then set -- "$@" --mount "$_d_spec"; fi']
      : []),
    'if _d_bind "$DROVER_ATTEMPT_DIR" "$DROVER_ATTEMPT_DIR"; then set -- "$@" --mount "$_d_spec"; fi',
    'if _d_bind "$DROVER_WORK_DIR" "$DROVER_WORK_DIR"; then set -- "$@" --mount "$_d_spec"; fi',
    ...spec.mounts.map(({ source, target, readOnly }) => bindLine(nodePath(source), quoteShell(target), readOnly)),
    ...facts.fileMounts.map((path) => bindLine(nodePath(path), nodePath(path), false)),
    `for _d_name in $(env | sed -n 's/^\\(DROVER_UPSTREAM_[A-Za-z0-9_]*\\)=.*/\\1/p'); do
  eval "_d_value=\\$$_d_name"
  if [ -d "$_d_value" ] && _d_bind "$_d_value" "$_d_value"; then set -- "$@" --mount "$_d_spec"; fi
done`,
    ...gpuLines(spec, facts),
    ...(spec.options.length === 0 ? [] : [`set -- "$@" ${quoteArgv(spec.options)}`]),
    `if ! _d_call "$@" --entrypoint /bin/sh "$_d_image" -c ${quoteShell(KEEPER)} keeper "$DROVER_ATTEMPT_DIR/exit/job" "$DROVER_ATTEMPT_DIR/exit/$_d_own" >/dev/null 2>"$_d_box_dir/said"; then
  cat "$_d_box_dir/said" >&2
  _d_last_line "$_d_box_dir/said"
  _d_explain "$_d_line"
  _d_remove
  _d_fail image "cannot start a container of $_d_image: $_d_line$_d_why"
fi`,
  ]
  return lines.join('\n')
}

function bindLine(source: string, target: string, readOnly: boolean): string {
  return `if _d_bind ${source} ${target}${readOnly ? ' ,readonly' : ''}; then set -- "$@" --mount "$_d_spec"; fi`
}

/** A path of the node as a shell word; `~` is the home of who runs the job. */
function nodePath(path: string): string {
  return path === '~' || path.startsWith('~/') ? `"$HOME"${quoteShell(path.slice(1))}` : quoteShell(path)
}

function shmLines({ shmSizeBytes, options }: ContainerSpec): readonly string[] {
  if (shmSizeBytes !== undefined) return [`set -- "$@" --shm-size ${shmSizeBytes}`]
  // The host's own /dev/shm has its own size.
  if (options.some((option) => option === '--ipc' || option.startsWith('--ipc='))) return []
  return ['_d_find_shm', 'set -- "$@" --shm-size "$_d_shm"']
}

function userLines({ user }: ContainerSpec): readonly string[] {
  if (user === 'image') return []
  if (user !== 'caller') return [`set -- "$@" --user ${quoteShell(user)}`]
  return [
    `if [ "$_d_runtime" = podman ]; then
  [ "$(id -u)" = 0 ] || set -- "$@" --userns keep-id
  set -- "$@" --user "$(id -u):$(id -g)"
else
  # In rootless docker root is the caller.
  case $(_d_call info --format '{{.SecurityOptions}}' 2>/dev/null) in
    *name=rootless*) set -- "$@" --user 0:0 ;;
    *)
      set -- "$@" --user "$(id -u):$(id -g)"
      for _d_group in $(id -G); do set -- "$@" --group-add "$_d_group"; done
      ;;
  esac
fi`,
  ]
}

/** The devices given to the job; slots of an array share a container, so it has all, and each slot's variable names its own. */
function gpuLines({ gpus }: ContainerSpec, facts: ContainerFacts): readonly string[] {
  const all = gpus === 'all' || facts.isArray
  if (gpus === 'none' || (gpus === 'job' && facts.gpus === 0)) return []
  if (all) return ['if [ "$_d_runtime" = podman ]; then set -- "$@" --device nvidia.com/gpu=all; else set -- "$@" --gpus all; fi']
  return [
    `if [ -n "\${CUDA_VISIBLE_DEVICES:-}" ]; then
  if [ "$_d_runtime" = docker ]; then set -- "$@" --gpus "\\"device=$CUDA_VISIBLE_DEVICES\\""; fi
  _d_devices='' _d_count=0 _d_ifs=$IFS IFS=,
  for _d_each in $CUDA_VISIBLE_DEVICES; do
    [ "$_d_runtime" = docker ] || set -- "$@" --device "nvidia.com/gpu=$_d_each"
    _d_devices="$_d_devices,$_d_count" _d_count=$((_d_count + 1))
  done
  IFS=$_d_ifs
  printf '%s\\n' "\${_d_devices#,}" >"$_d_box_dir/devices"
fi`,
  ]
}
