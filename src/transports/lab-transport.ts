import { DroverError } from '../errors.ts'
import type { Transport } from './transport.ts'

/**
 * Several machines as one transport: `at` gives a node's own. What names no node is asked of the head, the first. Each node
 * fails for itself. Closing closes all.
 */
export function createLabTransport(name: string, nodes: ReadonlyMap<string, Transport>): Transport {
  const [head] = nodes.values()
  if (head === undefined) throw new DroverError('invalid_config', `target ${name} has no node`, { level: 'config' })
  return {
    name,
    nodes: [...nodes.keys()],
    at(node) {
      const transport = nodes.get(node)
      if (transport !== undefined) return transport
      throw new DroverError('transport_failed', `target ${name} has no node ${node} any more`, {
        level: 'transport',
        hint: `Its nodes: ${[...nodes.keys()].join(', ')}. Jobs that ran there are found again when it is back in the configuration.`,
      })
    },
    run: (script, options) => head.run(script, options),
    write: (directories, files) => head.write(directories, files),
    read: (pieces) => head.read(pieces),
    watch: (path, onChange, signal) => head.watch(path, onChange, signal),
    putTree: (source, entries, destination) => head.putTree(source, entries, destination),
    getTree: (directory, globs, destination) => head.getTree(directory, globs, destination),
    remove: (paths) => head.remove(paths),
    spawn: (commands) => head.spawn(commands),
    kill: (processes, signalName, group) => head.kill(processes, signalName, group),
    alive: (processes) => head.alive(processes),
    async close() {
      await Promise.all([...nodes.values()].map((transport) => transport.close()))
    },
  }
}
