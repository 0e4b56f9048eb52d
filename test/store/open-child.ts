import { createInterface } from 'node:readline'
import { DroverError } from '../../src/errors.ts'
import { openSqliteStore } from '../../src/store/sqlite-store.ts'

/** `open-child.ts <path>`: opens the store, answers `open` or the error's code; each line `race <n>` makes n transitions. */
const [, , path = ''] = process.argv
const answer = (value: unknown) => console.log(JSON.stringify(value))
try {
  const store = await openSqliteStore(path)
  answer('open')
  for await (const line of createInterface(process.stdin)) {
    const [, count = '0'] = line.split(' ')
    let made = 0
    for (let n = 0; n < Number(count); n++) {
      const event = { type: 'state', data: { by: process.pid } }
      const [won] = await store.apply([{ jobId: `j${n}`, at: n, from: 'created', attempt: 1, to: 'running', events: [event] }])
      if (won) made++
    }
    answer(made)
  }
} catch (error) {
  answer({ code: error instanceof DroverError ? error.code : String(error) })
}
