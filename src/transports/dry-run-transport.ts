import type { FileToWrite, ProcessIdentity, SpawnRequest, Transport } from './transport.ts'

/** One thing that would have been done. */
export type DryRunAction =
  | { readonly kind: 'run'; readonly script: string }
  | { readonly kind: 'write'; readonly directories: readonly string[]; readonly files: readonly FileToWrite[] }
  | { readonly kind: 'put'; readonly source: string; readonly entries: readonly string[]; readonly destination: string }
  | { readonly kind: 'get'; readonly directory: string; readonly globs: readonly string[]; readonly destination: string }
  | { readonly kind: 'remove'; readonly paths: readonly string[] }
  | { readonly kind: 'spawn'; readonly commands: readonly SpawnRequest[] }
  | { readonly kind: 'kill'; readonly processes: readonly ProcessIdentity[]; readonly signalName: string; readonly group: boolean }

/**
 * A transport that performs nothing and records, in order, what would have been done. Every file is missing, every
 * command ends with 0 and no output, nothing lives, nothing changes; processes get the pids -1, -2, ….
 */
export function createDryRunTransport(): Transport & { readonly actions: readonly DryRunAction[] } {
  const actions: DryRunAction[] = []
  let started = 0
  return {
    name: 'dry run',
    actions,
    async run(script) {
      actions.push({ kind: 'run', script })
      return { code: 0, stdout: '', stderr: '' }
    },
    async write(directories, files) {
      actions.push({ kind: 'write', directories, files })
    },
    async read(pieces) {
      return pieces.map(({ path, offset }) => ({ path, offset, bytes: new Uint8Array(0), size: 0, missing: true }))
    },
    watch() {},
    async putTree(source, entries, destination) {
      actions.push({ kind: 'put', source, entries, destination })
    },
    async getTree(directory, globs, destination) {
      actions.push({ kind: 'get', directory, globs, destination })
      return []
    },
    async remove(paths) {
      actions.push({ kind: 'remove', paths })
    },
    async spawn(commands) {
      actions.push({ kind: 'spawn', commands })
      return commands.map(() => ({ pid: -++started }))
    },
    async kill(processes, signalName, group) {
      actions.push({ kind: 'kill', processes, signalName, group })
    },
    async alive(processes) {
      return processes.map(() => false)
    },
    async close() {},
  }
}
