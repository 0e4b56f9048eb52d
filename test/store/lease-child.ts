import { createInterface } from 'node:readline'
import { DroverError } from '../../src/errors.ts'
import { acquireLease, isStillMine, type Lease, releaseLease } from '../../src/store/lease.ts'

/** `lease-child.ts <home>`: answers `go` with whether it got the lease, `mine` and `release` with what they say. */
const [, , home = ''] = process.argv
let lease: Lease | undefined
const answer = (value: unknown) => console.log(JSON.stringify(value))

answer('ready')
for await (const line of createInterface(process.stdin)) {
  if (line === 'go') {
    try {
      const outcome = await acquireLease(home, { socket: `/s/${process.pid}`, droverVersion: '1' })
      lease = outcome.kind === 'acquired' ? outcome.lease : undefined
      answer(lease ? { won: lease.generation } : { lost: outcome.lease.pid })
    } catch (error) {
      answer({ failed: error instanceof DroverError ? error.code : String(error) })
    }
  } else if (line === 'mine') {
    answer(lease !== undefined && isStillMine(home, lease.generation))
  } else if (line === 'release') {
    if (lease) await releaseLease(home, lease)
    answer('released')
  }
}
