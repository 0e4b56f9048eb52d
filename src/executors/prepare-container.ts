import { compileContainer } from '../containers/compile-container.ts'
import { InputError } from '../errors.ts'
import { type ContainerSpec, containerImageOf, plainContainer } from '../task/container.ts'
import type { ResourceCandidate, RunSpec, TaskSpec } from '../task/task-spec.ts'

/**
 * The container a task asks for: `container` or `image`, else `resources.image_id: docker:IMAGE`; undefined: none.
 * Throws InputError `invalid_task` where both name an image and they differ, and for a `container` without any image.
 */
export function containerOf(spec: TaskSpec, candidate: ResourceCandidate): ContainerSpec | undefined {
  const fromResources = containerImageOf(candidate.raw['image_id'])
  const { container } = spec
  if (container === undefined) return fromResources === undefined ? undefined : plainContainer(fromResources)
  if (container.image === '') {
    if (fromResources !== undefined) return { ...container, image: fromResources }
    throw new InputError('invalid_task', `task ${spec.name ?? ''}: container has no image`.replace('task :', 'task:'), {
      hint: 'Add container.image, or resources.image_id: docker:IMAGE.',
    })
  }
  if (fromResources !== undefined && fromResources !== container.image) {
    throw new InputError(
      'invalid_task',
      `the task names two images: ${JSON.stringify(container.image)}, and ${JSON.stringify(fromResources)} in resources.image_id`,
      { hint: 'Keep one of them.' },
    )
  }
  return container
}

/** Setup and run inside the task's container, where it has one; else as they are. Pure. */
export function prepareContainer(
  spec: TaskSpec,
  candidate: ResourceCandidate,
  run: RunSpec,
  gpus: number,
): { readonly setup?: string; readonly run: RunSpec } {
  const container = containerOf(spec, candidate)
  const setup = spec.setup === undefined ? {} : { setup: spec.setup }
  // The scheduler's launcher starts that one, around the node runner.
  if (container === undefined || container.runtime === 'pyxis') return { ...setup, run }
  const parameters = spec.array?.elements.kind === 'matrix' ? spec.array.elements.parameters.map(({ name }) => name) : []
  return compileContainer(
    container,
    { ...setup, run },
    {
      isArray: spec.array !== undefined,
      gpus,
      graceSeconds: spec.graceMs / 1000,
      variables: [...Object.keys(spec.envs), ...Object.keys(spec.secrets), ...parameters],
      fileMounts: spec.fileMounts.map(({ destination }) => destination).filter((path) => path.startsWith('/') || path.startsWith('~')),
    },
  )
}
