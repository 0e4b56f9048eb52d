import { enrootImage } from '../../containers/enroot-image.ts'
import { InputError } from '../../errors.ts'
import type { BatchRequest } from '../batch/scheduler.ts'
import type { ResolvedTask } from '../executor.ts'

/**
 * Options by which pyxis (NVIDIA, 0.11 and later) makes srun start every phase in a container; undefined: the task has none, or
 * another runtime. One container of this name per node: what setup installs is there when run begins. The job's directory and
 * the work directory are the node's.
 * Throws InputError `unsupported` for what pyxis cannot do.
 */
export function pyxisOf(
  task: ResolvedTask,
  { nativeName, attemptDir, workDir, array }: BatchRequest<unknown>,
): { readonly words: readonly string[] } | undefined {
  const { container } = task.spec
  if (container?.runtime !== 'pyxis') return undefined
  const refuse = (why: string, hint: string): never => {
    throw new InputError('unsupported', `task ${task.name}: ${why}`, { hint })
  }
  if (array !== undefined)
    refuse(
      'elements of an array are not started by srun, so pyxis cannot put them into a container',
      'Use the runtime apptainer, podman or enroot.',
    )
  if (container.network !== 'host')
    refuse(`pyxis has no network ${container.network}`, 'Leave out container.network: it is that of the node.')
  if (container.gpus !== 'job') refuse(`pyxis gives a container the devices of the job, not ${container.gpus}`, 'Leave out container.gpus.')
  if (container.shmSizeBytes !== undefined) refuse('pyxis has no size of /dev/shm', 'Leave out container.shm_size: it is that of the node.')
  if (container.globalOptions.length > 0) refuse('pyxis has no options before its command', 'Leave out container.global_options.')
  if (!['caller', 'root'].includes(container.user))
    refuse(`pyxis cannot run as ${container.user}`, 'Leave out container.user, or write root.')
  const mounts = [
    `${attemptDir.replace(/\/jobs\/.*$/, '')}:${attemptDir.replace(/\/jobs\/.*$/, '')}`,
    ...(workDir.startsWith(attemptDir.replace(/\/jobs\/.*$/, '/')) ? [] : [`${workDir}:${workDir}`]),
    ...container.mounts.map(({ source, target, readOnly }) => `${source}:${target}${readOnly ? ':ro' : ''}`),
  ]
  const odd = mounts.find((each) => /[,\0\n]/.test(each) || each.startsWith('~'))
  if (odd !== undefined) refuse(`pyxis cannot mount ${JSON.stringify(odd)}`, 'Paths must be absolute and hold no comma.')
  return {
    words: [
      `--container-image=${enrootImage(container.image)}`,
      `--container-name=${nativeName}`,
      `--container-mounts=${mounts.join(',')}`,
      `--container-workdir=${workDir}`,
      '--no-container-mount-home',
      container.user === 'root' ? '--container-remap-root' : '--no-container-remap-root',
      '--container-writable',
      ...container.options,
    ],
  }
}
