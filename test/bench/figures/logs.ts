import { createTaskFile } from '../../../src/testing/index.ts'
import { LocalHome } from '../../conformance/local-home.ts'
import { type Figure, residentBytes } from '../measure.ts'

const PIECES = 50
const PIECE_BYTES = 5_000_000

/** Follows a log that grows by about 50 MB/s for five seconds. */
export async function measureFollowing(): Promise<readonly Figure[]> {
  const home = await new LocalHome().start()
  try {
    const run = `i=0; while [ $i -lt ${PIECES} ]; do head -c ${PIECE_BYTES} /dev/zero; sleep 0.09; i=$((i + 1)); done`
    const start = performance.now()
    const [job] = await home.drover.submit(createTaskFile('local', { run }))
    const memoryBefore = residentBytes(home.supervisorPid)
    let [bytes, memory] = [0, 0]
    for await (const chunk of home.drover.logs(job?.id ?? '', { streams: ['stdout'], follow: true })) {
      bytes += chunk.bytes.length
      memory = Math.max(memory, residentBytes(home.supervisorPid))
    }
    const seconds = (performance.now() - start) / 1000
    const ended = await home.drover.get(job?.id ?? '')
    const lagMs = Date.now() - Date.parse(ended.ended_at ?? '')
    const whole = bytes === PIECES * PIECE_BYTES
    return [
      {
        what: 'following a log written at 50 MB/s',
        measured: `${(bytes / 1e6 / seconds).toFixed(0)} MB/s, ${whole ? 'whole' : `only ${bytes} bytes`}, done ${lagMs} ms after the job's end`,
        target: 'keeps up (done within 1 s)',
        ok: whole && lagMs <= 1_000,
      },
      {
        what: 'memory of the supervisor meanwhile',
        measured: `${(memory / 1e6).toFixed(0)} MB, ${((memory - memoryBefore) / 1e6).toFixed(0)} MB more than before`,
        target: 'flat (at most 60 MB more)',
        ok: memory - memoryBefore <= 60e6,
      },
    ]
  } finally {
    await home.close()
  }
}
