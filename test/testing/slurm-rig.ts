import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { expect } from 'vitest'
import { createFakeSlurm, type FakeSlurm } from '../../src/testing/fake-slurm/fake-slurm.ts'
import type { FakeSlurmOptions } from '../../src/testing/fake-slurm/slurm-options.ts'
import { until } from '../../src/testing/waiting.ts'
import { callFake, type Result } from './fake-call.ts'

/** A fake Slurm in a temporary directory, and a way to call its commands. */
export class SlurmRig {
  readonly slurm: FakeSlurm
  readonly directory: string
  #scripts = 0

  private constructor(slurm: FakeSlurm, directory: string) {
    this.slurm = slurm
    this.directory = directory
  }

  static async open(options: Omit<FakeSlurmOptions, 'directory'> = {}): Promise<SlurmRig> {
    const directory = await mkdtemp(`${tmpdir()}/fslurm-`)
    return new SlurmRig(await createFakeSlurm({ directory: `${directory}/slurm`, ...options }), directory)
  }

  async close(): Promise<void> {
    await this.slurm.close()
    await rm(this.directory, { recursive: true, force: true })
  }

  /** Runs one of the commands in the rig's directory. */
  run(command: string, ...argv: readonly string[]): Promise<Result> {
    return callFake(command, argv, this.slurm.env, this.directory)
  }

  /** stdout of a command that must succeed. */
  async out(command: string, ...argv: readonly string[]): Promise<string> {
    const { code, stdout, stderr } = await this.run(command, ...argv)
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    return stdout
  }

  /** Writes a script of these lines and resolves to its path. */
  async script(...lines: readonly string[]): Promise<string> {
    const path = `${this.directory}/job${++this.#scripts}.sh`
    await writeFile(path, ['#!/bin/sh', ...lines, ''].join('\n'))
    return path
  }

  /** Submits a script of these lines; resolves to its id. */
  async submit(lines: readonly string[], ...options: readonly string[]): Promise<string> {
    return (await this.out('sbatch', '--parsable', ...options, await this.script(...lines))).trim()
  }

  /** Waits for the state squeue would show. */
  async reaches(id: string, state: string): Promise<void> {
    await until(`job ${id} is ${state} (it is ${this.slurm.job(id)?.state})`, 20_000, () => this.slurm.job(id)?.state === state)
  }
}
