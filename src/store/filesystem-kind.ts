import { statfs } from 'node:fs/promises'

/** `network`: byte-range locks may work, memory shared between processes does not. */
export type FilesystemKind = 'local' | 'network'

/** Magic numbers of statfs(2), Linux 6.x `include/uapi/linux/magic.h`; Lustre, GPFS and BeeGFS from their own clients. */
const NETWORK_TYPES: ReadonlySet<number> = new Set([
  0x6969, // NFS
  0x517b, // SMB
  0xff534d42, // CIFS
  0xfe534d42, // SMB2
  0x65735546, // FUSE: sshfs, gcsfuse, glusterfs; also some local ones, for which exclusive locking does no harm
  0x0bd00bd0, // Lustre
  0x47504653, // GPFS
  0x19830326, // BeeGFS
  0x00c36400, // Ceph
  0x01021997, // 9p
  0x5346414f, // AFS
])

/** What kind of file system an existing directory lies on. Rejects as statfs(2) does. */
export async function detectFilesystem(directory: string): Promise<FilesystemKind> {
  // Systems other than Linux number their types otherwise; there every directory counts as local.
  if (process.platform !== 'linux') return 'local'
  return classifyFilesystem((await statfs(directory)).type)
}

/** Kind by statfs type. Some kernels hand the 32-bit number over sign-extended. */
export function classifyFilesystem(type: number | bigint): FilesystemKind {
  return NETWORK_TYPES.has(Number(BigInt.asUintN(32, BigInt(type)))) ? 'network' : 'local'
}
