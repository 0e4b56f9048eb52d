import { get, type Located, type LocatedMap, nodeText, refusal, set, textNode, without } from './located.ts'
import { either, flag, list, parsed, record, type Shape, text, word } from './shape.ts'
import { parseSize, SIZE_FORMS } from './sizes.ts'

/** Programs that run containers; `pyxis` is a part of Slurm's srun. */
export const CONTAINER_RUNTIMES = ['docker', 'podman', 'apptainer', 'enroot', 'pyxis'] as const
export type ContainerRuntime = (typeof CONTAINER_RUNTIMES)[number]

/** A directory or file of the node that the container sees. Paths are absolute; `source` may begin with `~/`. */
export interface ContainerMount {
  readonly source: string
  readonly target: string
  readonly readOnly: boolean
}

/** The image a task runs in, and how. */
export interface ContainerSpec {
  /** As the runtime names it, without `docker:`; for apptainer also an absolute path of a .sif file, or `oras://…`. */
  readonly image: string
  /** Undefined: docker where it answers, else podman. */
  readonly runtime?: ContainerRuntime
  readonly mounts: readonly ContainerMount[]
  /** `caller`: who runs the job, so that files belong to them (default). `image`: the image's own. Else a name, `uid` or `uid:gid`. */
  readonly user: string
  /** Default: half of the node's memory, as /dev/shm outside of a container has. */
  readonly shmSizeBytes?: number
  /** Default `host`: ports, peers and services are those of the node, as without a container. */
  readonly network: string
  /** `job`: the devices given to the job (default). `all`, `none`. */
  readonly gpus: 'job' | 'all' | 'none'
  /** When the image is pulled. Default `missing`. */
  readonly pull: 'missing' | 'always' | 'never'
  /** Further options of the runtime's `run` (apptainer: `exec`). */
  readonly options: readonly string[]
  /** Options of the runtime itself, before its command: podman's `--storage-driver=vfs`. */
  readonly globalOptions: readonly string[]
}

const IMAGE_FORMS = 'an image name as python:3.12, registry.example.org/team/image:tag, docker:IMAGE'
const isImage = (name: string): boolean => /^[^\s-][^\s]*$/.test(imageName(name)) && !name.includes('\0')
const image = text({ accept: (node) => isImage(node.text), allowed: IMAGE_FORMS })
const line = text({ accept: (node) => node.text !== '' && !/[\0\n]/.test(node.text), allowed: 'one line of text' })
const path = text({ accept: (node) => /^(?:\/|~\/)[^\0\n]*$/.test(node.text), allowed: 'a path that begins with / or ~/' })
const MOUNT = /^((?:\/|~\/)[^:\n]*):(\/[^:\n]*)(?::(ro|rw))?$/
const mount = either(
  'SOURCE:TARGET, SOURCE:TARGET:ro, or a mapping with source, target, read_only',
  text({
    accept: (node) => MOUNT.test(node.text),
    allowed: 'SOURCE:TARGET or SOURCE:TARGET:ro with paths that begin with / (SOURCE also ~/)',
  }),
  record({ source: path, target: path, read_only: flag }, { required: ['source'] }),
)

/** The keys `image` and `container` of a task. */
export const CONTAINER_SHAPES: Readonly<Record<string, Shape>> = {
  image,
  container: either(
    'an image name, or a mapping with image, runtime, mounts, user, shm_size, network, gpus, pull, options, global_options',
    image,
    record({
      image,
      runtime: word(...CONTAINER_RUNTIMES),
      mounts: list(mount),
      user: text({
        accept: (node) => /^[A-Za-z0-9_][A-Za-z0-9_.:-]*$/.test(node.text),
        allowed: 'caller, image, root, a name, "1000", "1000:1000"',
      }),
      shm_size: parsed('a size', SIZE_FORMS, (value) => parseSize(value) || undefined),
      network: text({
        accept: (node) => /^[A-Za-z0-9][A-Za-z0-9_.:-]*$/.test(node.text),
        allowed: 'host, none, bridge, or the name of a network',
      }),
      gpus: word('job', 'all', 'none'),
      pull: word('missing', 'always', 'never'),
      options: list(line),
      global_options: list(line),
    }),
  ),
}

/** Options that Drover sets itself → the key that does it, or why not. */
const RESERVED: Readonly<Record<string, string>> = {
  '--name': 'Drover finds its containers again by their names',
  '--rm': 'Drover removes the container itself',
  '--detach': 'Drover follows the container itself',
  '-d': 'Drover follows the container itself',
  '--interactive': 'the job has no input',
  '-i': 'the job has no input',
  '--tty': 'the job has no terminal',
  '-t': 'the job has no terminal',
  '--entrypoint': 'run and setup are what runs',
  '--restart': 'use retries',
  '--cidfile': 'Drover finds its containers again by their names',
  '--env': 'use envs or secrets',
  '-e': 'use envs or secrets',
  '--env-file': 'use envs or secrets',
  '--workdir': "the work directory is the job's",
  '-w': "the work directory is the job's",
  '--pwd': "the work directory is the job's",
  '--user': 'use container.user',
  '-u': 'use container.user',
  '--userns': 'use container.user',
  '--network': 'use container.network',
  '--net': 'use container.network',
  '--shm-size': 'use container.shm_size',
  '--gpus': 'use container.gpus and resources.accelerators',
  '--pull': 'use container.pull',
  '--help': 'it starts nothing',
}

/** `docker:IMAGE` and `docker://IMAGE` without what is before the image. */
export function imageName(written: string): string {
  return written.replace(/^docker:(?:\/\/)?/, '')
}

/** Image of SkyPilot's `resources.image_id`; undefined where it names a machine image of a cloud. */
export function containerImageOf(imageId: unknown): string | undefined {
  return typeof imageId === 'string' && imageId.startsWith('docker:') ? imageName(imageId) : undefined
}

/** A container of this image with every default. */
export function plainContainer(name: string): ContainerSpec {
  return {
    image: imageName(name),
    mounts: [],
    user: 'caller',
    network: 'host',
    gpus: 'job',
    pull: 'missing',
    options: [],
    globalOptions: [],
  }
}

/**
 * Reads the checked keys `image` and `container` of a task; undefined where it has neither, or no image (then
 * `resources.image_id` may name it).
 *
 * @throws InputError `invalid_task` for two images, and for options that Drover sets itself
 */
export function readContainer(task: LocatedMap): ContainerSpec | undefined {
  const short = get(task, 'image')
  const node = get(task, 'container')
  const own = node?.kind === 'map' ? get(node, 'image') : node
  if (short && own) throw refusal('image', short.origin, 'the task has image and container.image', 'Keep one of them.')
  const name = nodeText(own ?? short)
  if (node?.kind === 'map') {
    refuseReserved('container.options', get(node, 'options'))
    refuseReserved('container.global_options', get(node, 'global_options'))
  }
  if (name === undefined && node === undefined) return undefined
  const keys = node?.kind === 'map' ? node : undefined
  const value = (key: string) => (keys ? nodeText(get(keys, key)) : undefined)
  const shm = keys ? get(keys, 'shm_size') : undefined
  const shmSizeBytes = shm?.kind === 'scalar' ? parseSize(shm.value as string | number) : undefined
  const plain = plainContainer(name ?? '')
  const runtime = CONTAINER_RUNTIMES.find((one) => one === value('runtime')?.toLowerCase())
  return {
    ...plain,
    ...(runtime === undefined ? {} : { runtime }),
    mounts: readMounts(keys ? get(keys, 'mounts') : undefined),
    user: value('user') ?? plain.user,
    ...(shmSizeBytes === undefined ? {} : { shmSizeBytes }),
    network: value('network') ?? plain.network,
    gpus: (value('gpus')?.toLowerCase() ?? plain.gpus) as ContainerSpec['gpus'],
    pull: (value('pull')?.toLowerCase() ?? plain.pull) as ContainerSpec['pull'],
    options: readTexts(keys ? get(keys, 'options') : undefined),
    globalOptions: readTexts(keys ? get(keys, 'global_options') : undefined),
  }
}

/** Puts the image of a flag over that of a file, also over `resources.image_id`; what else its `container` says stays. */
export function imageOverride(task: LocatedMap, name: string): LocatedMap {
  const node = textNode(name, { flag: '--image' })
  const resources = get(task, 'resources')
  const free = resources?.kind === 'map' ? set(task, 'resources', without(resources, ['image_id'])) : task
  const container = get(free, 'container')
  if (container?.kind === 'map') return set(without(free, ['image']), 'container', set(container, 'image', node))
  return set(without(free, ['container']), 'image', node)
}

function readTexts(node: Located | undefined): readonly string[] {
  return node?.kind === 'list' ? node.items.map((item) => nodeText(item) ?? '') : []
}

function readMounts(node: Located | undefined): readonly ContainerMount[] {
  if (node?.kind !== 'list') return []
  return node.items.map((item) => {
    if (item.kind === 'map') {
      const source = nodeText(get(item, 'source')) ?? ''
      const readOnly = get(item, 'read_only')
      return { source, target: nodeText(get(item, 'target')) ?? source, readOnly: readOnly?.kind === 'scalar' && readOnly.value === true }
    }
    const [, source = '', target = '', mode] = MOUNT.exec(nodeText(item) ?? '') ?? []
    return { source, target, readOnly: mode === 'ro' }
  })
}

function refuseReserved(key: string, node: Located | undefined): void {
  if (node?.kind !== 'list') return
  let takesValue = false
  node.items.forEach((item, index) => {
    const option = nodeText(item) ?? ''
    const place = `${key}[${index}]`
    if (!option.startsWith('-')) {
      if (!takesValue)
        throw refusal(place, item.origin, `"${option}" is no option`, 'Write an option and its value as one entry: --memory=4g.')
      takesValue = false
      return
    }
    const [flagName = ''] = option.split('=', 1)
    // `-d`, and `-dit`: single letters may be written together.
    const letters = /^-[A-Za-z]+$/.test(flagName) ? [...flagName.slice(1)].map((letter) => `-${letter}`) : []
    const reserved = [flagName, ...(letters.length <= 3 ? letters : [])].find((name) => Object.hasOwn(RESERVED, name))
    if (reserved !== undefined) throw refusal(place, item.origin, `"${option}" is not allowed here: ${RESERVED[reserved]}`)
    if (option === '--' || option === '-') throw refusal(place, item.origin, `"${option}" is no option`)
    takesValue = !option.includes('=')
  })
}
