import type { SshRig } from '../engines/ssh-rig.ts'

/** Attributes, listings and "there is none" are believed for as long as NFS clients believe them by default. */
const CACHING =
  'dcache_timeout=60,dcache_stat_timeout=60,dcache_dir_timeout=60,attr_timeout=30,entry_timeout=30,negative_timeout=10,auto_cache'

/** Puts a directory of the compute nodes over itself on the login machine, by sshfs: what is read there may be old. */
export function mountBySshfs(rig: SshRig, directory: string): Disposable {
  const [user, group] = rig.as('login', 'sh', '-c', 'id -u; id -g').trim().split('\n')
  const options = `allow_other,uid=${user ?? ''},gid=${group ?? ''},${CACHING}`
  rig.on('login', 'sshfs', '-F', rig.configFile, `node1:${directory}`, directory, '-o', options)
  return {
    [Symbol.dispose]() {
      rig.on('login', 'umount', '-l', directory)
    },
  }
}
