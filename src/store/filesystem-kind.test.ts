import { expect, test } from 'vitest'
import { classifyFilesystem } from './filesystem-kind.ts'

test.each([
  ['ext4', 0xef53, 'local'],
  ['xfs', 0x58465342, 'local'],
  ['tmpfs', 0x01021994, 'local'],
  ['NFS', 0x6969, 'network'],
  ['SMB', 0x517b, 'network'],
  ['CIFS', 0xff534d42, 'network'],
  ['CIFS, sign-extended', 0xff534d42 - 2 ** 32, 'network'],
  ['SMB2', 0xfe534d42, 'network'],
  ['FUSE', 0x65735546, 'network'],
  ['Lustre', 0x0bd00bd0, 'network'],
  ['GPFS', 0x47504653, 'network'],
  ['BeeGFS', 0x19830326, 'network'],
] as const)('%s is %s', (_, type, kind) => {
  expect(classifyFilesystem(type)).toBe(kind)
})
