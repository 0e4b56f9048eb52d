import { randomBytes } from 'node:crypto'
import type { CommandResult, Transport } from '../../transports/transport.ts'
import { GroupHead } from './group-head.ts'

/** Scripts sent together. More would let the first wait for the last. */
const GROUP_SIZE = 20
/** Groups under way at one time: a controller takes requests one by one. */
const GROUPS_AT_ONCE = 2

/** How long a submit that is under way may go on when the supervisor stops, ms; then it is in doubt, and looked for by the next one. */
const STOP_MS = 3_000

/** Makes a script when its group is sent; what it shares with the others goes into their head. */
export type MakeScript = (head: GroupHead) => string

interface Waiting {
  readonly script: MakeScript
  resolve(result: CommandResult): void
  reject(error: unknown): void
}

/**
 * One script of several, each in a subshell of its own: what one costs is little more than what it does. Its errors stand among
 * its output, in which answers are told by their lengths.
 */
export function groupScript(scripts: readonly string[], mark: string): string {
  return scripts
    .map((script, part) => `echo '${mark} ${part}'\n(\n${script}\n) 2>&1\nprintf '\\n%s %s %s\\n' '${mark}' ${part} "$?"\n`)
    .join('')
}

/** The answer to each script of a group. One that was cut off has what came of it, and no code. */
export function groupResults(stdout: string, count: number, mark: string): readonly CommandResult[] {
  return Array.from({ length: count }, (_, part) => {
    const begin = `${mark} ${part}\n`
    const from = stdout.indexOf(begin)
    if (from < 0) return { code: undefined, stdout: '', stderr: '' }
    const rest = stdout.slice(from + begin.length)
    const end = new RegExp(`\\n${mark} ${part} (\\d+)\\n`).exec(rest)
    return { code: end === null ? undefined : Number(end[1]), stdout: end === null ? rest : rest.slice(0, end.index), stderr: '' }
  })
}

/** Sends what is to be submitted together, as far as it comes together; alone at once. */
export class SubmitGroups {
  readonly #waiting: Waiting[] = []
  #underWay = 0
  #scheduled = false

  /**
   * Runs a script there; resolves to its own answer. Rejects with what the transport says of the group, or the maker throws.
   * `signal`: the supervisor stops.
   */
  run(script: MakeScript, transport: Transport, signal: AbortSignal): Promise<CommandResult> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ script, resolve, reject })
      if (this.#scheduled) return
      this.#scheduled = true
      // Those that start in one turn of the event loop go together.
      setImmediate(() => {
        this.#scheduled = false
        this.#send(transport, signal)
      })
    })
  }

  #send(transport: Transport, signal: AbortSignal): void {
    while (this.#waiting.length > 0 && this.#underWay < GROUPS_AT_ONCE) {
      const group = this.#waiting.splice(0, GROUP_SIZE)
      this.#underWay += 1
      void this.#perform(group, transport, signal).finally(() => {
        this.#underWay -= 1
        this.#send(transport, signal)
      })
    }
  }

  async #perform(waiting: readonly Waiting[], transport: Transport, signal: AbortSignal): Promise<void> {
    const mark = `drover-group-${randomBytes(8).toString('hex')}`
    const head = new GroupHead()
    const scripts: string[] = []
    const group = waiting.filter((each) => {
      try {
        scripts.push(each.script(head))
        return true
      } catch (error) {
        each.reject(error)
        return false
      }
    })
    if (group.length === 0) return
    const late = new AbortController()
    let timer: NodeJS.Timeout | undefined
    const stop = (): void => {
      timer = setTimeout(() => late.abort(), STOP_MS)
    }
    if (signal.aborted) stop()
    else signal.addEventListener('abort', stop, { once: true })
    try {
      // By stdin: a command line is seen by all on the host, and is short.
      const { stdout, stderr } = await transport.run('exec sh', {
        stdin: `${head}${groupScript(scripts, mark)}`,
        signal: late.signal,
      })
      const results = groupResults(stdout, group.length, mark)
      for (const [index, each] of group.entries()) each.resolve({ code: undefined, stdout: '', ...results[index], stderr })
    } catch (error) {
      for (const each of group) each.reject(error)
    } finally {
      clearTimeout(timer)
      signal.removeEventListener('abort', stop)
    }
  }
}
