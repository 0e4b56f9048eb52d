import type { Chunk, PbsJob, PbsRequest } from './pbs-job.ts'
import type { PbsSettings } from './pbs-options.ts'

/** Where the chunks of a job go, or why they do not. */
export type Placement =
  | { readonly kind: 'placed'; readonly hosts: readonly string[] }
  | { readonly kind: 'no_room'; readonly comment: string }

interface Room {
  readonly name: string
  ncpus: number
  ngpus: number
  memKb: number
}

/** First fit, in the order of the nodes; `scatter`: each chunk on a host of its own. */
export function placeJob(settings: PbsSettings, request: PbsRequest, busy: readonly PbsJob[]): Placement {
  const empty = (): Room[] => settings.nodes.map(({ name, ncpus, ngpus, memKb }) => ({ name, ncpus, ngpus, memKb }))
  const rooms = empty()
  for (const job of busy) {
    for (const [at, host] of job.hosts.entries()) {
      const room = rooms.find((each) => each.name === host)
      const chunk = job.request.chunks[at]
      if (room && chunk) take(room, chunk)
    }
  }
  const scatter = request.place.includes('scatter')
  const hosts = roomFor(rooms, request.chunks, scatter)
  if (hosts) return { kind: 'placed', hosts }
  const asked = request.chunks.reduce((sum, chunk) => sum + chunk.ncpus, 0)
  const total = settings.nodes.reduce((sum, node) => sum + node.ncpus, 0)
  const free = rooms.reduce((sum, room) => sum + Math.max(0, room.ncpus), 0)
  const never = roomFor(empty(), request.chunks, scatter) === undefined
  const numbers = `(R: ${asked} A: ${never ? total : free} T: ${total})`
  return { kind: 'no_room', comment: `${never ? 'Can Never Run' : 'Not Running'}: Insufficient amount of resource: ncpus ${numbers}` }
}

function take(room: Room, chunk: Chunk): void {
  room.ncpus -= chunk.ncpus
  room.ngpus -= chunk.ngpus
  room.memKb -= chunk.memKb
}

function roomFor(rooms: readonly Room[], chunks: readonly Chunk[], scatter: boolean): readonly string[] | undefined {
  const hosts: string[] = []
  for (const chunk of chunks) {
    const room = rooms.find(
      (each) =>
        each.ncpus >= chunk.ncpus && each.ngpus >= chunk.ngpus && each.memKb >= chunk.memKb && !(scatter && hosts.includes(each.name)),
    )
    if (!room) return undefined
    take(room, chunk)
    hosts.push(room.name)
  }
  return hosts
}
