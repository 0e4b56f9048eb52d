import { setImmediate } from 'node:timers/promises'
import { makeDirectory, readPiece, writeFileInPlace } from './local-files.ts'
import { getLocalTree, putLocalTree, removeTree } from './local-trees.ts'
import { createSpawner, type Spawner } from './spawner.ts'
import type { FilePiece, Transport } from './transport.ts'
import { watchFile } from './watch-file.ts'

/** Pieces read before other work gets its turn. */
const PIECES_PER_TURN = 200

/**
 * The transport of this machine: files by node:fs, processes by a spawner. Small files are written synchronously, which
 * is several times faster than through the thread pool. A spawner that was given stays open at `close`.
 */
export function createLocalTransport(options: { readonly spawner?: Spawner } = {}): Transport {
  const spawner = options.spawner ?? createSpawner()
  const watches = new AbortController()
  return {
    name: 'local',
    run: (script, runOptions) => spawner.run(script, runOptions),
    async write(directories, files) {
      for (const directory of directories) makeDirectory(directory)
      for (const file of files) writeFileInPlace(file)
    },
    async read(pieces) {
      const found: FilePiece[] = []
      for (const piece of pieces) {
        found.push(readPiece(piece))
        if (found.length % PIECES_PER_TURN === 0) await setImmediate()
      }
      return found
    },
    watch(path, onChange, signal) {
      watchFile(path, onChange, AbortSignal.any([signal, watches.signal]))
    },
    putTree: putLocalTree,
    getTree: getLocalTree,
    async remove(paths) {
      for (const path of paths) await removeTree(path)
    },
    spawn: (commands) => spawner.start(commands),
    async kill(processes, signalName, group) {
      await spawner.kill(processes, signalName, group)
    },
    alive: (processes) => spawner.alive(processes),
    async close() {
      watches.abort()
      if (options.spawner === undefined) await spawner.close()
    },
  }
}
