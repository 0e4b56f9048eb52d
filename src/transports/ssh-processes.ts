import { DroverError } from '../errors.ts'
import type { SshAgent } from './ssh-agent.ts'
import { agentCall } from './ssh-agent-script.ts'
import { transportFailure } from './ssh-errors.ts'
import { nameHost, type SshOptions } from './ssh-options.ts'
import type { ProcessIdentity, SpawnRequest, SpawnResult } from './transport.ts'

/** Processes in one line of the answer. */
const MOST_PER_LINE = 1000

/** Starts detached processes, all in one request. @throws DroverError for the first that cannot start, after all were answered */
export async function spawnRemote(
  options: SshOptions,
  agent: SshAgent,
  commands: readonly SpawnRequest[],
): Promise<readonly SpawnResult[]> {
  if (commands.length === 0) return []
  for (const { argv, logPath, cwd } of commands) {
    if (argv.length === 0 || [...argv, logPath, cwd].some((word) => word.includes('\0')))
      throw new DroverError('invalid_argument', 'cannot start a process: an empty command, or a NUL in its words', { level: 'internal' })
  }
  const calls = commands.map(({ logPath, cwd, argv }, at) => agentCall('s', [String(at), '', logPath, cwd, ...argv]))
  const { content } = await agent.work(`${calls.join('\n')}\n`)
  const lines = content.toString().split('\n')
  const bootId = agent.hello?.bootId ?? '-'
  return commands.map((command, at) => {
    const [, word, detail = '', startTime = '-'] = lines.find((line) => line.startsWith(`${at} `))?.split(' ') ?? []
    if (word === 's') return { pid: Number(detail), startTime, bootId }
    throw startError(options, command, detail)
  })
}

/** One bit per process by the agent's function `k` or `a`; a process of another boot is gone without asking. */
export async function askProcesses(
  agent: SshAgent,
  processes: readonly ProcessIdentity[],
  question: readonly string[],
): Promise<readonly boolean[]> {
  const results = new Array<boolean>(processes.length).fill(false)
  const bootId = agent.hello?.bootId
  const asked = processes.map((identity, position) => ({ ...identity, position })).filter((one) => one.bootId === bootId && one.pid > 1)
  const [name = '', ...words] = question
  const calls: string[] = []
  for (let from = 0; from < asked.length; from += MOST_PER_LINE) {
    const chunk = asked.slice(from, from + MOST_PER_LINE)
    calls.push(agentCall(name, [String(from), ...words, ...chunk.flatMap(({ pid, startTime }) => [String(pid), startTime])]))
  }
  if (calls.length === 0) return results
  const { content } = await agent.request(`${calls.join('\n')}\n`)
  const bits = content
    .toString()
    .split('\n')
    .map((line) => line.split(' ')[2] ?? '')
    .join('')
  if (bits.length !== asked.length) throw new Error(`the agent answered ${bits.length} of ${asked.length} processes`)
  asked.forEach((one, index) => {
    results[one.position] = bits[index] === '1'
  })
  return results
}

function startError(options: SshOptions, request: SpawnRequest, word: string): DroverError {
  const program = request.argv[0] ?? ''
  const what = `${nameHost(options)}: cannot start ${program}`
  if (word === 'cwd')
    return new DroverError('staging_failed', `${what}: directory ${request.cwd} is missing or closed to you`, {
      level: 'staging',
      command: program,
      hint: 'Make the directory there, or name another as the working directory.',
    })
  if (word === 'log')
    return new DroverError('no_permission', `${what}: cannot write its log ${request.logPath}`, {
      level: 'staging',
      command: program,
      hint: 'Check that the directory exists there, is yours, and that its disk is not full.',
    })
  if (word === 'program')
    return new DroverError('missing_file', `${what}: no such program there, or not executable`, {
      level: 'staging',
      command: program,
      hint: 'Install it there, or give its absolute path.',
    })
  return transportFailure(options, `cannot start ${program}: no answer; whether it started is not known`, { transient: true })
}
