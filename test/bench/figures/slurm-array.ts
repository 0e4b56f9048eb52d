import { createTaskFile, settled, until } from '../../../src/testing/index.ts'
import { SlurmHome } from '../../engines/slurm-home.ts'
import type { SshRig } from '../../engines/ssh-rig.ts'
import { type Figure, showTimes } from '../measure.ts'
import { openQuestionLog } from '../question-log.ts'

const ELEMENTS = 10_000

/**
 * One array of 10,000 elements on a cluster that has room for sixteen: how often `sbatch` is called, and how many questions it
 * takes until all states are known: once while it runs, once after a person has cancelled it at the scheduler.
 */
export async function measureSlurmArray(rig: SshRig, rounds: number): Promise<readonly Figure[]> {
  const home = await new SlurmHome(rig, 'ssh').start()
  using log = openQuestionLog(rig)
  const times = { known: [] as number[], ended: [] as number[] }
  const counts = { sbatch: [] as number[], known: [] as number[], ended: [] as number[] }
  try {
    // Opening the target asks Slurm what it is.
    const [warm] = await home.drover.submit(createTaskFile('hpc', { run: 'true' }))
    await settled(home.drover, warm?.id ?? '', 60_000)
    for (let round = 0; round < rounds; round += 1) {
      const before = log.calls().length
      const start = performance.now()
      const array = { elements: { kind: 'count', count: ELEMENTS } as const, size: ELEMENTS }
      const [job] = await home.drover.submit(createTaskFile('hpc', { array, run: 'exec sleep 600' }))
      const id = job?.id ?? ''
      await until('the states of all elements', 120_000, async () => {
        const { elements, native_word, state, cause } = await home.drover.get(id)
        if (state === 'failed') throw new Error(JSON.stringify(cause))
        // It is in the queue for Drover from the start; that Slurm has said so shows in its word.
        return native_word !== null && elements !== null && elements.queued + elements.running === ELEMENTS
      })
      times.known.push(performance.now() - start)
      const made = log.calls().slice(before)
      counts.sbatch.push(made.filter(({ command }) => command === 'sbatch').length)
      counts.known.push(made.filter(({ command }) => command !== 'sbatch').length)
      // Behind Drover's back: it learns of the end by asking alone.
      const asked = log.calls().length
      rig.as('login', 'scancel', '-u', 'drover')
      const cancelled = performance.now()
      const ended = await until('the end of all elements', 120_000, async () => {
        const seen = await home.drover.get(id)
        return (seen.state === 'cancelled' || seen.state === 'failed') && seen
      })
      times.ended.push(performance.now() - cancelled)
      counts.ended.push(log.calls().length - asked)
      if (ended.elements?.cancelled !== ELEMENTS) throw new Error(`elements at the end: ${JSON.stringify(ended.elements)}`)
    }
    const most = (values: readonly number[]): number => Math.max(...values)
    return [
      {
        what: 'one array of 10,000 elements: submissions',
        measured: `${most(counts.sbatch)}`,
        target: '1',
        ok: most(counts.sbatch) === 1,
      },
      {
        what: 'the same: until the states of all elements are known, from submit',
        measured: `${most(counts.known)} question: ${showTimes(times.known, 's', 1000)}`,
        target: 'one poll',
        ok: most(counts.known) === 1,
      },
      {
        what: 'the same, cancelled by scancel: until the ends of all elements are known (queue, then history)',
        measured: `${most(counts.ended)} questions: ${showTimes(times.ended, 's', 1000)}`,
        target: 'one poll',
        ok: most(counts.ended) <= 2,
      },
    ]
  } finally {
    await home.close()
    rig.as('login', 'scancel', '-u', 'drover')
  }
}
