import type { NodeEdit } from './edit-target.ts'
import { type DatabaseAddress, formatDatabaseUri } from './parse-database.ts'
import type { TorchSubmitCluster, TorchSubmitDatabase, TorchSubmitJob, TorchSubmitNode, TorchSubmitState } from './torch-submit.ts'
import { usableName } from './torch-submit-names.ts'

/** A cluster of torch-submit as a target of kind `ssh`. */
export interface ImportedTarget {
  readonly name: string
  /** As torch-submit names it. */
  readonly cluster: string
  readonly nodes: readonly NodeEdit[]
}

export interface ImportedDatabase {
  readonly name: string
  /** Without the password. */
  readonly uri: string
  /** A secret. */
  readonly password?: string
}

/** A job and the target on whose nodes it is. */
export interface ImportedJob {
  readonly job: TorchSubmitJob
  readonly target: string
}

/** What an import would make. */
export interface TorchSubmitPlan {
  readonly targets: readonly ImportedTarget[]
  readonly databases: readonly ImportedDatabase[]
  readonly jobs: readonly ImportedJob[]
  readonly warnings: readonly string[]
}

/**
 * Turns what torch-submit has into targets, databases and jobs. A job whose nodes are not those of its cluster any more gets
 * no target, and a warning: nobody would look for it in the right place.
 */
export function planTorchSubmit(state: TorchSubmitState): TorchSubmitPlan {
  const warnings = [...state.warnings]
  const names = new Set<string>()
  const named = (name: string): string => {
    const usable = usableName(name, names)
    if (usable !== name) warnings.push(`"${name}" becomes "${usable}": letters, digits, "_", "." and "-" are usable`)
    return usable
  }
  const targets = state.clusters.map((cluster) => planTarget(cluster, named(cluster.name), warnings))
  names.clear()
  const databases = state.databases.map((database) => planDatabase(database, named(database.name)))
  const jobs = state.jobs.flatMap((job): ImportedJob[] => {
    const cluster = state.clusters.find(({ name }) => name === job.cluster)
    const target = targets.find((one) => one.cluster === job.cluster)
    const hosts = (nodes: readonly TorchSubmitNode[] | undefined): string =>
      JSON.stringify((nodes ?? []).map((node) => node.publicIp).sort())
    if (target !== undefined && hosts(cluster?.nodes) === hosts(job.nodes)) return [{ job, target: target.name }]
    const why = target === undefined ? `there is no cluster "${job.cluster}" any more` : `cluster "${job.cluster}" has other nodes since`
    warnings.push(`job ${job.name} (${job.id}) is left out: ${why}`)
    return []
  })
  return { targets, databases, jobs, warnings }
}

function planTarget(cluster: TorchSubmitCluster, name: string, warnings: string[]): ImportedTarget {
  const names = new Set<string>()
  const nodes = cluster.nodes.map((node): NodeEdit => {
    // A host is its own name, unless it is there twice.
    const own = names.has(node.publicIp) ? usableName(node.publicIp, names) : node.publicIp
    names.add(own)
    const { privateIp, numGpus, nproc, user, keyPath, port } = node
    const key = keyPath?.replace(/\.pub$/, '')
    if (key !== keyPath) warnings.push(`cluster "${cluster.name}": ${keyPath} is a public key; ${key} is used`)
    const usable = key === undefined || /^(\/|~\/)/.test(key)
    if (!usable) warnings.push(`cluster "${cluster.name}": the key path ${key} is neither absolute nor below ~/ and is left out`)
    return {
      host: node.publicIp,
      ...(own === node.publicIp ? {} : { name: own }),
      ...(user === undefined ? {} : { user }),
      ...(port === undefined || port === 22 ? {} : { port }),
      ...(key === undefined || !usable ? {} : { identity_file: key }),
      ...(numGpus === undefined ? {} : { gpus: numGpus }),
      ...(nproc === undefined || nproc === 0 ? {} : { cpus: nproc }),
      ...(privateIp === undefined ? {} : { private_ip: privateIp }),
    }
  })
  return { name, cluster: cluster.name, nodes }
}

/** As torch-submit makes it: psycopg2 for PostgreSQL, SQLAlchemy's default for MySQL, and a database called torch_submit. */
function planDatabase({ address, port, username, password, type }: TorchSubmitDatabase, name: string): ImportedDatabase {
  const host = address.includes(':') && !address.startsWith('[') ? `[${address}]` : address
  const place: DatabaseAddress = {
    scheme: type === 'postgres' ? 'postgresql+psycopg2' : 'mysql',
    user: username,
    host: `${host}:${port}`,
    rest: '/torch_submit',
  }
  return { name, uri: formatDatabaseUri(place), ...(password === undefined ? {} : { password }) }
}
