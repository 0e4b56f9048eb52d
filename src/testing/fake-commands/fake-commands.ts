import { mkdirSync, rmSync } from 'node:fs'
import { installCommands } from './command-client.ts'
import { type AnswerCall, CommandServer } from './command-server.ts'

/** A fake's commands: programs in a directory for PATH, whose calls this process answers. */
export class FakeCommands {
  /** Directory of the commands. */
  readonly path: string
  /** This process's environment, with `path` first on PATH. */
  readonly env: Readonly<Record<string, string>>
  readonly #directory: string
  readonly #server: CommandServer

  private constructor(directory: string, path: string, server: CommandServer) {
    this.#directory = directory
    this.#server = server
    this.path = path
    const env: Record<string, string> = { PATH: `${path}:${process.env['PATH'] ?? '/usr/bin:/bin'}` }
    for (const [name, value] of Object.entries(process.env)) if (name !== 'PATH' && value !== undefined) env[name] = value
    this.env = env
  }

  /** Makes the directory where it is not there. */
  static async open(directory: string, commands: readonly string[], answer: AnswerCall): Promise<FakeCommands> {
    mkdirSync(directory, { recursive: true })
    const socketPath = `${directory}/socket`
    const server = await CommandServer.listen(socketPath, answer)
    return new FakeCommands(directory, installCommands(directory, socketPath, commands), server)
  }

  /** Cuts off calls under way; none is answered any more. */
  async close(): Promise<void> {
    await this.#server.close()
  }

  /** Removes what it wrote into the directory, and these things there too. */
  remove(...others: readonly string[]): void {
    for (const name of ['bin', 'client.cjs', 'socket', ...others]) rmSync(`${this.#directory}/${name}`, { recursive: true, force: true })
  }
}
