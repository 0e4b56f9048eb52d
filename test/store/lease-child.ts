import { createInterface } from 'node:readline'
import { DroverError } from '../../src/errors.ts'
import { acquireLease, type Lease } from '../../src/store/lease.ts'

/** `lease-child.ts <home>`: answers `go` with whether it got the lease, `mine` and `release` with what they say. */
const [, , home = ''] = process.argv
let lease: Lease | undefined
const answer = (value: unknown) => console.log(JSON.stringify(value))

answer('ready')
for await (const line of createInterface(process.stdin)) {
  if (line === 'go') {
    try {
      lease = await acquireLease({ home, socket: `/s/${process.pid}`, droverVersion: '1' })
      answer({ won: lease.record.generation })
    } catch (error) {
      answer({ lost: error instanceof DroverError ? error.code : String(error) })
    }
  } else if (line === 'mine') {
    answer(lease?.isMine() ?? false)
  } else if (line === 'release') {
    await lease?.release()
    answer('released')
  }
}
