import { containerImageOf } from '../task/container.ts'
import type { KeyOutcome, ResolvedTask } from './executor.ts'

function amount(bytes: number): string {
  return `${(bytes / 1e9).toFixed(1)} GB`
}

/** What each key became on a target where Drover starts the nodes itself. `nodes`: how `num_nodes` is met there. */
export function keyOutcomes(task: ResolvedTask, attemptDir: string, width: number, nodes: string): readonly KeyOutcome[] {
  const { perNode, spec } = task
  const container = (): string => {
    const { image = '', runtime } = spec.container ?? {}
    const named = image || spec.resources.candidates.map(({ raw }) => containerImageOf(raw['image_id'])).find(Boolean)
    return `setup and run in a container of ${named ?? 'an image'}, by ${runtime ?? 'docker, else podman'}`
  }
  const known: Readonly<Record<string, () => string>> = {
    name: () => `job name "${task.name}"`,
    target: () => task.target,
    num_nodes: () => nodes,
    resources: () => {
      const shares = [
        `${perNode.cpus} core${perNode.cpus === 1 ? '' : 's'}`,
        ...(perNode.memoryBytes === undefined ? [] : [amount(perNode.memoryBytes)]),
        ...(perNode.gpus === 0 ? [] : [`${perNode.gpus} GPU by CUDA_VISIBLE_DEVICES`]),
        ...(spec.container === undefined && spec.resources.candidates.some(({ raw }) => containerImageOf(raw['image_id']))
          ? [container()]
          : []),
        ...(task.priority === 0 ? [] : [`priority ${task.priority}`]),
      ]
      return `${shares.join(', ')} per node, as slots`
    },
    envs: () => `${attemptDir}/env: ${Object.keys(task.envs).join(', ')}`,
    secrets: () => `${attemptDir}/env (0600, removed at the end): ${task.secretNames.join(', ')}`,
    workdir: () =>
      task.code === undefined
        ? 'a copy in the work directory'
        : task.code.kind === 'link'
          ? `runs in ${task.code.path}`
          : `bundle ${task.code.hash.slice(0, 12)}, copied to the work directory`,
    file_mounts: () => task.mounts.map((mount) => `${mount.destination} copied from ${mount.source}`).join('; '),
    setup: () => 'setup.sh on every node, before run on any',
    run: () => (task.run.kind === 'argv' ? 'run.sh: one command' : 'run.sh'),
    array: () => `${task.array?.positions?.length ?? task.array?.size ?? 0} elements in ${width} slots`,
    retries: () => `at most ${task.retries.max}, by the supervisor`,
    timeout: () => `${(task.timeoutMs ?? 0) / 1000} s, enforced by the node runner`,
    grace: () => `${task.graceMs / 1000} s from TERM to KILL`,
    after: () => spec.after.map((edge) => `${edge.task} (${edge.condition})`).join(', '),
    collect: () => `${task.collect.join(', ')} brought back at the end`,
    processes_per_node: () => `DROVER_PROCESSES_PER_NODE=${task.processesPerNode}`,
    cpus_per_process: () => `DROVER_CPUS_PER_PROCESS=${task.cpusPerProcess ?? 0}`,
    image: container,
    container,
    launcher: () => `${spec.launcher?.kind ?? 'single'}: its script in run.sh`,
    notify: () => 'run by the supervisor in the directory of the task file',
    event_callback: () => 'not run: use notify',
    api_server_access: () => 'nothing: there is no API server here',
  }
  return Object.keys(spec.written).map((key) => ({ key, became: known[key]?.() ?? 'checked; without effect on this target' }))
}
