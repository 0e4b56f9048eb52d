import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

/**
 * Secrets of jobs that have not ended: one 0600 file each beside the store, so that a new supervisor can start a queued
 * job or a retry. Removed when the job has ended; a later `drover retry` needs them given again.
 */
export class SecretFiles {
  readonly #directory: string

  constructor(home: string) {
    this.#directory = join(home, 'secrets')
  }

  write(jobId: string, secrets: Readonly<Record<string, string>>): void {
    mkdirSync(this.#directory, { recursive: true, mode: 0o700 })
    const path = join(this.#directory, jobId)
    writeFileSync(`${path}.new`, JSON.stringify(secrets), { mode: 0o600 })
    renameSync(`${path}.new`, path)
  }

  /** Undefined when there is no file, or no whole one. */
  read(jobId: string): Readonly<Record<string, string>> | undefined {
    try {
      const value: unknown = JSON.parse(readFileSync(join(this.#directory, jobId), 'utf8'))
      if (typeof value !== 'object' || value === null) return undefined
      return Object.fromEntries(Object.entries(value).filter((entry): entry is [string, string] => typeof entry[1] === 'string'))
    } catch (error) {
      if (error instanceof SyntaxError || (error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
      throw error
    }
  }

  remove(jobId: string): void {
    rmSync(join(this.#directory, jobId), { force: true })
  }
}
