import { afterAll, afterEach, beforeAll, test } from 'vitest'
import { cutTogether, startCutHome } from './network-cuts.ts'
import type { SshHome } from './ssh-home.ts'
import { SshRig } from './ssh-rig.ts'

/** A network that is cut in each phase of a job and healed again. Five minutes are cut by `npm run soak`. */
const rig = new SshRig('private')
let home: SshHome

beforeAll(async () => {
  home = await startCutHome(rig)
})
afterAll(() => home.close())
afterEach(() => {
  rig.fault('heal-all')
})

test('for 20 s: staging, submit, setup, run', () =>
  cutTogether(home, [
    ['staging', 20],
    ['submit', 20],
    ['setup', 20],
    ['run', 20],
  ]))

test('for 20 s: collecting; for 1 s: staging, submit, setup', () =>
  cutTogether(home, [
    ['collecting', 20],
    ['staging', 1],
    ['submit', 1],
    ['setup', 1],
  ]))

test('for 1 s: run, collecting', () =>
  cutTogether(home, [
    ['run', 1],
    ['collecting', 1],
  ]))
