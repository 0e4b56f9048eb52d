import { PBS_VERSION, SERVER } from './pbs-options.ts'
import type { PbsServer } from './pbs-server.ts'
import { printDuration } from './pbs-times.ts'

function serverAttributes(server: PbsServer): Readonly<Record<string, string>> {
  const { settings } = server
  return {
    server_state: 'Active',
    server_host: SERVER,
    scheduling: 'True',
    total_jobs: String(server.known(true).length),
    default_queue: settings.queues[0] ?? 'workq',
    'resources_default.ncpus': '1',
    FLicenses: '20000000',
    pbs_version: PBS_VERSION,
    ...(server.history ? { job_history_enable: 'True', job_history_duration: printDuration(settings.historyMs) } : {}),
    max_array_size: String(settings.maxArraySize),
  }
}

/** `qstat -B -f`, `qstat -Q -f`; `qmgr` prints the server's attributes in the same form. */
export function printServer(server: PbsServer, what: 'server' | 'queues' | 'qmgr', names?: readonly string[]): string {
  if (what === 'queues') {
    return server.settings.queues
      .map((name) => `Queue: ${name}\n    queue_type = Execution\n    total_jobs = 0\n    enabled = True\n    started = True\n\n`)
      .join('')
  }
  const chosen = Object.entries(serverAttributes(server)).filter(([name]) => names === undefined || names.includes(name))
  const lines = chosen
    .toSorted(([a], [b]) => (names === undefined ? 0 : a.localeCompare(b)))
    .map(([name, value]) => `    ${name} = ${value}\n`)
  return `${what === 'qmgr' ? 'Server ' : 'Server: '}${SERVER}\n${lines.join('')}\n`
}

/** `pbsnodes -a`. */
export function printNodes(server: PbsServer): string {
  return server.settings.nodes
    .map(({ name, ncpus, memKb, ngpus }) =>
      [
        name,
        `     Mom = ${name}`,
        '     Port = 15002',
        `     pbs_version = ${PBS_VERSION}`,
        '     ntype = PBS',
        '     state = free',
        `     pcpus = ${ncpus}`,
        '     resources_available.arch = linux',
        `     resources_available.host = ${name}`,
        `     resources_available.mem = ${memKb}kb`,
        `     resources_available.ncpus = ${ncpus}`,
        ...(ngpus > 0 ? [`     resources_available.ngpus = ${ngpus}`] : []),
        `     resources_available.vnode = ${name}`,
        '     resources_assigned.ncpus = 0',
        '     sharing = default_shared',
        '',
        '',
      ].join('\n'),
    )
    .join('')
}
