import { DroverError } from '../errors.ts'
import { nameHost, type SshOptions, typedCommand } from './ssh-options.ts'
import { fileError } from './transport-errors.ts'

interface Reading {
  readonly pattern: RegExp
  readonly what: string | ((options: SshOptions) => string)
  readonly transient: boolean
  readonly hint: (options: SshOptions) => string
}

/** Messages of OpenSSH 7.4 to 10 (`LogLevel=ERROR`), the more telling first. */
const READINGS: readonly Reading[] = [
  {
    // First of all: ssh then tries a connection of its own, whose failure is another matter.
    pattern: /open failed|session request failed|Session open refused|administratively prohibited/i,
    what: 'it refused another session on the connection',
    transient: true,
    hint: () =>
      "Set the target's max_sessions to MaxSessions of the host's sshd_config, or raise that. Other sessions on the same connection count too.",
  },
  {
    pattern: /REMOTE HOST IDENTIFICATION HAS CHANGED|Offending .* key in/i,
    what: 'its host key is not the one that is known',
    transient: false,
    hint: (options) =>
      `If the machine was installed anew: ssh-keygen -R ${hostKeyName(options)}, then ${typedCommand(options)} and compare the key. Otherwise someone may stand between.`,
  },
  {
    pattern: /Host key verification failed|host key is known for|No matching host key fingerprint/i,
    what: 'its host key is not known',
    transient: false,
    hint: (options) =>
      `Connect once by hand, compare the key and accept it: ${typedCommand(options)}. Or, where the network can be trusted: ssh-keyscan ${options.port === undefined ? '' : `-p ${options.port} `}${options.host} >> ~/.ssh/known_hosts`,
  },
  {
    pattern: /Permission denied[^\n]*(?:keyboard-interactive|password)/i,
    // The command stands in the message itself: a job that failed shows its message, not the hint.
    what: (options) =>
      `it wants a password or a one-time password, and no connection by "drover target login ${options.target ?? options.host}" is open`,
    transient: false,
    hint: (options) => `Run: drover target login ${options.target ?? options.host}`,
  },
  {
    pattern: /Permission denied|Too many authentication failures|No supported authentication methods/i,
    what: 'it accepts none of the keys offered for this user',
    transient: false,
    hint: (options) =>
      `Try ${typedCommand(options)}. Set the node's user or identity_file, add the key to the agent, or put the public key there with ssh-copy-id.`,
  },
  {
    pattern: /UNPROTECTED PRIVATE KEY FILE|bad permissions/i,
    what: 'the private key can be read by others, so ssh does not use it',
    transient: false,
    hint: () => 'chmod 600 the key file.',
  },
  {
    pattern: /Could not resolve hostname|Name or service not known|nodename nor servname/i,
    what: 'its name is not known',
    transient: true,
    hint: (options) => `Check the spelling of ${options.host}, the ssh configuration and the network.`,
  },
  {
    pattern: /Connection refused/i,
    what: 'it refused the connection',
    transient: true,
    hint: (options) =>
      `Is sshd running there${options.port === undefined ? '' : `, on port ${options.port}`}? Try ${typedCommand(options)}.`,
  },
  {
    pattern: /timed out|Timeout, server|not responding|banner exchange/i,
    what: 'it did not answer in time',
    transient: true,
    hint: (options) => `Is it up, and is the network? Try ${typedCommand(options)}.`,
  },
  {
    pattern: /No route to host|Network is unreachable|Host is down/i,
    what: 'it cannot be reached',
    transient: true,
    hint: (options) => `Is it up, and is the network (VPN, jump host)? Try ${typedCommand(options)}.`,
  },
  {
    pattern: /Connection (?:to .* )?(?:closed|reset)|Broken pipe|closed by remote host|kex_exchange_identification|mux_client/i,
    what: 'the connection was cut',
    transient: true,
    hint: () => 'Drover connects again by itself; the call can be repeated.',
  },
  {
    pattern: /Bad configuration option|terminating, \d+ bad configuration|Can't open user config file|no argument after keyword/i,
    what: 'the ssh configuration is wrong',
    transient: false,
    hint: () => 'Correct the file and line that ssh names.',
  },
  {
    pattern: /Unable to negotiate|no matching (?:cipher|host key type|key exchange|MAC)/i,
    what: 'client and host have no algorithm in common',
    transient: false,
    hint: () => 'Name one that the host offers in the ssh configuration (HostKeyAlgorithms, KexAlgorithms, Ciphers).',
  },
]

function hostKeyName(options: SshOptions): string {
  return options.port === undefined || options.port === 22 ? options.host : `'[${options.host}]:${options.port}'`
}

/**
 * The error for what ssh said when it could not do what it was asked: `ssh gpu1: cannot connect: its host key is not
 * known`. Unknown words are shown as they are and count as transient: only a connection that stands proves the opposite.
 */
export function sshError(options: SshOptions, doing: string, said: string, exitCode?: number): DroverError {
  const words = said.trim()
  const reading = READINGS.find(({ pattern }) => pattern.test(words))
  const last = words.split('\n').at(-1)?.trim() ?? ''
  const what = typeof reading?.what === 'function' ? reading.what(options) : reading?.what
  const why = what ?? (last === '' ? `ssh ended${exitCode === undefined ? '' : ` with ${exitCode}`}` : last)
  return new DroverError('transport_failed', `ssh ${nameHost(options)}: ${doing}: ${why}`, {
    level: 'transport',
    transient: reading?.transient ?? true,
    ...(exitCode === undefined ? {} : { exitCode }),
    ...(words === '' ? {} : { outputTail: words.split('\n').slice(-12).join('\n') }),
    command: typedCommand(options),
    hint: reading?.hint(options) ?? `Try ${typedCommand(options)}.`,
  })
}

/** True when the words say that the connection stands but has no room for another session. */
export function isRefusedSession(said: string): boolean {
  return /open failed|session request failed|Session open refused|administratively prohibited/i.test(said)
}

/** A failure of the transport itself on a host. */
export function transportFailure(
  options: SshOptions,
  why: string,
  details: { readonly transient: boolean; readonly hint?: string },
): DroverError {
  return new DroverError('transport_failed', `ssh ${nameHost(options)}: ${why}`, { level: 'transport', ...details })
}

const SYSTEM_WORDS: readonly (readonly [RegExp, string])[] = [
  [/No space left|write error: No space/i, 'ENOSPC'],
  [/Disk quota exceeded|quota/i, 'EDQUOT'],
  [/File too large/i, 'EFBIG'],
  [/Read-only file system/i, 'EROFS'],
  [/Permission denied/i, 'EACCES'],
  [/Operation not permitted/i, 'EPERM'],
  [/Stale (?:NFS )?file handle/i, 'ESTALE'],
  [/Input\/output error/i, 'EIO'],
  [/Is a directory/i, 'EISDIR'],
  [/Not a directory/i, 'ENOTDIR'],
  [/File exists/i, 'EEXIST'],
  [/No such file or directory|Directory nonexistent|nonexistent directory/i, 'ENOENT'],
]

/** The error for a file operation the host refused, by the words of its tools in the C locale: `gpu1: cannot write /x: no space left`. */
export function remoteFileError(options: SshOptions, verb: string, path: string, said: string): DroverError {
  const code = SYSTEM_WORDS.find(([pattern]) => pattern.test(said))?.[1]
  const cause = Object.assign(new Error(said.trim() || 'no message'), code === undefined ? {} : { code })
  const plain = fileError(verb, path, cause)
  const message = code === undefined ? `cannot ${verb} ${path}: ${said.trim().split('\n').at(-1) ?? ''}` : plain.message
  return new DroverError(plain.code, `${nameHost(options)}: ${message}`, { ...plain.details, outputTail: said.trim() })
}
