import { fchmodSync, fstatSync, statfsSync } from 'node:fs'

/** FUSE_SUPER_MAGIC of statfs(2), Linux 6.x `include/uapi/linux/magic.h`. */
const FUSE = 0x65735546
/** Whether the file system with a device number is a FUSE one. */
const isFuse = new Map<number, boolean>()

/**
 * Size of an open file, as its server has it. An NFS client asks at each open; a FUSE file system with cached attributes
 * (sshfs with `attr_timeout`) shows an old size, at which reading ends, until something about the file is set. So a file of
 * ours gets the mode that it has.
 */
export function freshSize(descriptor: number, path: string): number {
  const { dev, mode, uid, size } = fstatSync(descriptor)
  if (process.platform !== 'linux' || uid !== process.getuid?.()) return size
  let lags = isFuse.get(dev)
  if (lags === undefined) {
    lags = statfsSync(path).type === FUSE
    isFuse.set(dev, lags)
  }
  if (!lags) return size
  try {
    fchmodSync(descriptor, mode & 0o7777)
  } catch {
    // Mounted read-only: what is known must do.
    return size
  }
  return fstatSync(descriptor).size
}
