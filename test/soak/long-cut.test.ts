import { afterAll, expect, test } from 'vitest'
import { cutTogether, startCutHome } from '../engines/network-cuts.ts'
import type { SshHome } from '../engines/ssh-home.ts'
import { SshRig } from '../engines/ssh-rig.ts'

/** The four machines of test/engines/rig; `cluster.sh up --ssh-only --home private` brings them up. */
const missing = process.env['DROVER_RIG_PRIVATE'] === undefined
if (missing) console.log('skipped: the network that is cut for five minutes, because DROVER_RIG_PRIVATE names no machines')
let home: SshHome | undefined

afterAll(async () => {
  if (missing) return
  new SshRig('private').fault('heal-all')
  await home?.close()
})

test.skipIf(missing)('a network cut for five minutes in each phase: jobs end as if nothing had been, and run once', async () => {
  home = await startCutHome(new SshRig('private'))
  const begun = Date.now()
  await cutTogether(home, [
    ['staging', 300],
    ['submit', 300],
    ['run', 300],
    ['collecting', 300],
  ])
  console.log(`four jobs cut for 300 s: ended after ${Math.round((Date.now() - begun) / 1000)} s`)
  expect(Date.now() - begun).toBeGreaterThan(300_000)
})
