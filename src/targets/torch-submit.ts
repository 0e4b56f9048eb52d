import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { parse as parseYaml } from 'yaml'
import { DroverError, InputError } from '../errors.ts'

/** A machine as torch-submit 0.1 has it, in its configuration and in each job. */
export interface TorchSubmitNode {
  readonly publicIp: string
  readonly privateIp?: string
  readonly numGpus?: number
  readonly nproc?: number
  readonly user?: string
  /** The path of a private key, whatever its name there says (`ssh_pub_key_path`). */
  readonly keyPath?: string
  readonly port?: number
}

export interface TorchSubmitCluster {
  readonly name: string
  /** The head first. */
  readonly nodes: readonly TorchSubmitNode[]
}

export interface TorchSubmitDatabase {
  readonly name: string
  readonly address: string
  readonly port: number
  readonly username: string
  /** A secret; kept in plain text there. */
  readonly password?: string
  readonly type: 'postgres' | 'mysql'
}

/** A row of its `jobs` table. */
export interface TorchSubmitJob {
  readonly id: string
  readonly name: string
  /** Its own word: submitted, running, stopping, stopped, finished, crashed, unknown. Its `crashed` means nothing: every normal end shows it. */
  readonly status: string
  readonly nodes: readonly TorchSubmitNode[]
  readonly cluster: string
  readonly command: string
  readonly executor?: string
  readonly dockerImage?: string
  /** Public address of a node → pid of the shell's job there, where its start was recorded. */
  readonly pids: Readonly<Record<string, number>>
}

/** All that torch-submit knows on this machine. */
export interface TorchSubmitState {
  readonly clusters: readonly TorchSubmitCluster[]
  readonly databases: readonly TorchSubmitDatabase[]
  readonly jobs: readonly TorchSubmitJob[]
  /** What could not be read, a sentence each. */
  readonly warnings: readonly string[]
}

type Fields = Readonly<Record<string, unknown>>

/**
 * Reads `config.yaml` and `jobs.db` (SQLite, opened read-only) of a directory of torch-submit 0.1, usually
 * `~/.cache/torch-submit`. What is broken in it (a pid `None`, an IPv6 address between colons) costs that entry, with a warning.
 *
 * @throws InputError `missing_file` where neither file is there; DroverError `invalid_config` for one that cannot be read at all
 */
export function readTorchSubmit(directory: string): TorchSubmitState {
  const [config, database] = [join(directory, 'config.yaml'), join(directory, 'jobs.db')]
  if (!existsSync(config) && !existsSync(database))
    throw new InputError('missing_file', `there is nothing of torch-submit in ${directory}`, {
      hint: 'Name its directory: drover import torch-submit --dir PATH',
    })
  const warnings: string[] = []
  const { clusters, databases } = existsSync(config) ? readConfig(config, warnings) : { clusters: [], databases: [] }
  return { clusters, databases, jobs: existsSync(database) ? readJobs(database, clusters, warnings) : [], warnings }
}

const isFields = (value: unknown): value is Fields => typeof value === 'object' && value !== null && !Array.isArray(value)

/** A text or number as text; Python's None, in each of its spellings there, is undefined. */
function textOf(value: unknown): string | undefined {
  const text = typeof value === 'string' || typeof value === 'number' ? String(value).trim() : ''
  return text === '' || text === 'None' || text === 'null' ? undefined : text
}

function countOf(value: unknown): number | undefined {
  const text = textOf(value)
  return text !== undefined && /^\d+$/.test(text) ? Number(text) : undefined
}

function nodeOf(fields: Fields): TorchSubmitNode | undefined {
  const publicIp = textOf(fields['public_ip'])
  if (publicIp === undefined) return undefined
  const [privateIp, user, keyPath] = [textOf(fields['private_ip']), textOf(fields['ssh_user']), textOf(fields['ssh_pub_key_path'])]
  const [numGpus, nproc, port] = [countOf(fields['num_gpus']), countOf(fields['nproc']), countOf(fields['ssh_port'])]
  return {
    publicIp,
    ...(privateIp === undefined ? {} : { privateIp }),
    ...(numGpus === undefined ? {} : { numGpus }),
    ...(nproc === undefined ? {} : { nproc }),
    ...(user === undefined ? {} : { user }),
    ...(keyPath === undefined ? {} : { keyPath }),
    ...(port === undefined ? {} : { port }),
  }
}

function readConfig(path: string, warnings: string[]): Pick<TorchSubmitState, 'clusters' | 'databases'> {
  let read: unknown
  try {
    read = parseYaml(readFileSync(path, 'utf8'), { logLevel: 'error' })
  } catch (cause) {
    throw new DroverError('invalid_config', `cannot read ${path}: ${cause instanceof Error ? cause.message.split('\n')[0] : 'no YAML'}`, {
      level: 'config',
      cause,
    })
  }
  const section = (name: string): readonly [string, unknown][] => {
    const found = isFields(read) ? read[name] : undefined
    return isFields(found) ? Object.entries(found) : []
  }
  const clusters = section('clusters').flatMap(([name, value]): TorchSubmitCluster[] => {
    const workers = isFields(value) && Array.isArray(value['worker_nodes']) ? (value['worker_nodes'] as readonly unknown[]) : []
    const written = isFields(value) ? [value['head_node'], ...workers] : []
    const nodes = written.map((node) => (isFields(node) ? nodeOf(node) : undefined))
    const known = nodes.filter((node) => node !== undefined)
    if (known.length > 0 && known.length === nodes.length) return [{ name, nodes: known }]
    warnings.push(`cluster "${name}" is left out: a node of it has no public_ip`)
    return []
  })
  const databases = section('databases').flatMap(([name, value]): TorchSubmitDatabase[] => {
    const fields = isFields(value) ? value : {}
    const [address, username, type] = [textOf(fields['address']), textOf(fields['username']), textOf(fields['type']) ?? 'postgres']
    const port = countOf(fields['port'])
    if (address === undefined || username === undefined || port === undefined || (type !== 'postgres' && type !== 'mysql')) {
      warnings.push(`database "${name}" is left out: address, port, username or type is missing`)
      return []
    }
    const password = typeof fields['password'] === 'string' && fields['password'] !== '' ? fields['password'] : undefined
    return [{ name, address, port, username, type, ...(password === undefined ? {} : { password }) }]
  })
  return { clusters, databases }
}

function readJobs(path: string, clusters: readonly TorchSubmitCluster[], warnings: string[]): readonly TorchSubmitJob[] {
  let rows: readonly Fields[]
  try {
    const database = new DatabaseSync(path, { readOnly: true })
    try {
      rows = database.prepare('SELECT * FROM jobs').all()
    } finally {
      database.close()
    }
  } catch (cause) {
    throw new DroverError('invalid_config', `cannot read ${path}: ${cause instanceof Error ? cause.message : String(cause)}`, {
      level: 'config',
      cause,
      hint: 'Is it the jobs.db of torch-submit?',
    })
  }
  return rows.flatMap((row): TorchSubmitJob[] => {
    const [id, status, cluster] = [textOf(row['id']), textOf(row['status']), textOf(row['cluster'])]
    // The id becomes part of a path on the nodes; torch-submit makes it by uuid4.
    if (id === undefined || !/^[0-9a-fA-F-]{8,64}$/.test(id) || cluster === undefined) {
      warnings.push(`a job is left out: its id (${JSON.stringify(row['id'])}) is none of torch-submit's, or it has no cluster`)
      return []
    }
    const nodes = nodesOfRow(textOf(row['nodes']) ?? '') ?? clusters.find(({ name }) => name === cluster)?.nodes
    if (nodes === undefined) {
      warnings.push(`job ${id} is left out: its nodes cannot be read, and there is no cluster "${cluster}"`)
      return []
    }
    const pids: Record<string, number> = {}
    for (const pair of (textOf(row['pids']) ?? '').split(',')) {
      const colon = pair.lastIndexOf(':')
      const pid = countOf(pair.slice(colon + 1))
      if (colon > 0 && pid !== undefined && pid > 1) pids[pair.slice(0, colon)] = pid
    }
    const [executor, dockerImage] = [textOf(row['executor']), textOf(row['docker_image'])]
    return [
      {
        id,
        name: textOf(row['name']) ?? id,
        status: status ?? 'unknown',
        nodes,
        cluster,
        command: textOf(row['command']) ?? '',
        pids,
        ...(executor === undefined ? {} : { executor }),
        ...(dockerImage === undefined ? {} : { dockerImage }),
      },
    ]
  })
}

/**
 * Reads the column `nodes`: `public:private:gpus:nproc:user:key:port`, joined by commas, None where something is missing.
 * Undefined when a node has more or fewer parts (an IPv6 address has colons of its own).
 */
function nodesOfRow(text: string): readonly TorchSubmitNode[] | undefined {
  const nodes = text.split(',').map((part) => {
    const fields = part.split(':')
    if (fields.length !== 7) return undefined
    const [public_ip, private_ip, num_gpus, nproc, ssh_user, ssh_pub_key_path, ssh_port] = fields
    return nodeOf({ public_ip, private_ip, num_gpus, nproc, ssh_user, ssh_pub_key_path, ssh_port })
  })
  const known = nodes.filter((node) => node !== undefined)
  return known.length === nodes.length ? known : undefined
}
