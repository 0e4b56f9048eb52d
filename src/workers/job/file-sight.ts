import { readFile, stat } from 'node:fs/promises'
import { hostname } from 'node:os'
import type { TargetView } from '../../jobs/drover.ts'

/** `shared`: jobs of the target read and write the run's directory itself. `staged`: files travel with the job, and back. */
export type FileSight = 'shared' | 'staged'

/**
 * Whether a target sees the run's directory. The local one does. A scheduler does where its commands are run on this machine and the
 * run lies on the file system of the target's own root, which its nodes must see. Of all others it isn't known, and files are staged.
 */
export async function fileSightOf(target: Pick<TargetView, 'kind' | 'site'>, root: string): Promise<FileSight> {
  if (target.kind === 'local') return 'shared'
  const { site } = target
  if (site?.scheduler === undefined) return 'staged'
  if (site.hostname !== hostname() || site.bootId !== (await bootId())) return 'staged'
  const [theirs, ours] = await Promise.all([deviceOf(site.root), deviceOf(root)])
  return theirs !== undefined && theirs === ours ? 'shared' : 'staged'
}

async function bootId(): Promise<string | undefined> {
  try {
    return (await readFile('/proc/sys/kernel/random/boot_id', 'utf8')).trim()
  } catch {
    // Not on Linux: then it isn't known whether the target is this machine.
    return undefined
  }
}

async function deviceOf(path: string): Promise<number | undefined> {
  try {
    return (await stat(path)).dev
  } catch {
    return undefined
  }
}
