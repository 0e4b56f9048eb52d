import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { createTaskFile } from '../../../src/testing/index.ts'
import { SlurmHome } from '../../engines/slurm-home.ts'
import type { SshRig } from '../../engines/ssh-rig.ts'
import { type Figure, interleave, median, showTimes } from '../measure.ts'
import { openQuestionLog, type QuestionLog } from '../question-log.ts'
import { mountBySshfs } from '../sshfs-mount.ts'

/** Longer than the first question after a submit is waited for. */
const RUN = 'sleep 3; exec date +%s%N >"$END"'

/** Ends of scripts, and when a waiting client knew of them. */
class Ends {
  readonly #home: SlurmHome
  readonly #log: QuestionLog
  /** Questions that were put between the end of a script and the answer to the client. */
  questions = 0

  constructor(home: SlurmHome, log: QuestionLog) {
    this.#home = home
    this.#log = log
  }

  async time(): Promise<number> {
    const end = join(this.#home.directory, 'end')
    const [job] = await this.#home.drover.submit(createTaskFile('hpc', { run: RUN, envs: { END: end } }))
    const { state, cause } = await this.#home.drover.wait(job?.id ?? '')
    const known = Date.now()
    if (state !== 'succeeded') throw new Error(`the job ended as ${state}: ${JSON.stringify(cause)}`)
    const ended = Number(readFileSync(end, 'utf8')) / 1e6
    this.questions += this.#log.calls().filter(({ command, at }) => command !== 'sbatch' && at >= ended && at <= known).length
    return known - ended
  }
}

/** From the end of a job's script until a client that waits for the job knows that it has succeeded, on three kinds of home. */
export async function measureSlurmEnd(rig: SshRig, rounds: number): Promise<readonly Figure[]> {
  using log = openQuestionLog(rig)
  const homes: SlurmHome[] = []
  const open = async (way: 'ssh' | 'login', home = new SlurmHome(rig, way)): Promise<Ends> => {
    homes.push(home)
    home.environment['PATH'] = `${log.path}:${home.environment['PATH'] ?? ''}`
    return new Ends(await home.start(), log)
  }
  const mounted = new SlurmHome(rig, 'login')
  const mount = mountBySshfs(rig, mounted.root)
  try {
    const ends = { disk: await open('login'), ssh: await open('ssh'), sshfs: await open('login', mounted) }
    // The first job of each also opens its target.
    for (const each of Object.values(ends)) await each.time()
    for (const each of Object.values(ends)) each.questions = 0
    const samples = await interleave(rounds, {
      disk: () => ends.disk.time(),
      ssh: () => ends.ssh.time(),
      sshfs: () => ends.sshfs.time(),
    })
    const figure = (name: keyof typeof ends, where: string): Figure => {
      const times = samples[name] ?? []
      const { questions } = ends[name]
      return {
        what: `from the end of a job's script to \`succeeded\` in a waiting client, ${where}`,
        measured: `${showTimes(times)}; ${questions} questions to the scheduler in ${times.length} such spans`,
        target: 'below 1 s, by no question',
        // One of the steady ones may fall into a span by chance.
        ok: median(times) < 1_000 && questions <= times.length / 4,
      }
    }
    return [
      figure('disk', 'Drover on the login node, home on its disk'),
      figure('ssh', 'Drover elsewhere, login node by ssh'),
      figure('sshfs', 'Drover on the login node, home behind the caches of sshfs'),
    ]
  } finally {
    for (const home of homes) await home.stop()
    mount[Symbol.dispose]()
    for (const home of new Set([...homes, mounted])) await home.close()
  }
}
