import { createHash } from 'node:crypto'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { quoteArgv } from '../driver/quote.ts'
import { DroverError } from '../errors.ts'

/** How one host is reached. Whatever is not said here, the user's own ssh configuration says. */
export interface SshOptions {
  /** A name, an address, or an alias of the ssh configuration. */
  readonly host: string
  readonly user?: string
  readonly port?: number
  readonly identityFile?: string
  /** As `ssh -J`: `user@jump:port`, several with commas. */
  readonly proxyJump?: string
  /** As `ssh -F`. Default: the user's and the system's own files. */
  readonly configFile?: string
  /** As `ssh -o`: `['Ciphers=aes128-gcm@openssh.com']`. */
  readonly options?: readonly string[]
  /** Private directory (0700) of Drover's control sockets. Default `drover-ssh-<uid>` in the system's temporary directory. */
  readonly controlDirectory?: string
  /** The target's name, for messages that say `drover target login NAME`. Default: the host. */
  readonly target?: string
  /** ms within which a connection must stand. Default 15 000. */
  readonly connectTimeoutMs?: number
  /** Most sessions at one time on the connection, at least 2: sshd's `MaxSessions`. Default 4, of the 10 that sshd allows by itself. */
  readonly maxSessions?: number
  /** The ssh program. Default `ssh`. */
  readonly program?: string
}

/** Longest path of a control socket: 108 bytes of a Unix socket less the 18 that ssh adds while it makes one. */
const LONGEST_SOCKET = 89

/** Refuses what ssh would read as something else. @throws DroverError `invalid_config` */
export function validateSshOptions(options: SshOptions): void {
  const refuse = (what: string, hint: string): never => {
    throw new DroverError('invalid_config', what, { level: 'config', hint })
  }
  const word = (name: string, value: string | undefined): void => {
    if (value === undefined) return
    if (value === '' || value.startsWith('-') || /[\0\n\r]/.test(value))
      refuse(
        `ssh: the ${name} ${JSON.stringify(value)} is empty, begins with "-" or holds a line break`,
        `Correct the ${name} of the node.`,
      )
  }
  word('host', options.host)
  if (/[\s'"`\\$;&<>|(){}]/.test(options.host))
    refuse(
      `ssh: ${JSON.stringify(options.host)} is no host name`,
      'Give a name, an address or an alias of the ssh configuration as the host.',
    )
  word('user', options.user)
  word('identity file', options.identityFile)
  word('jump host', options.proxyJump)
  word('configuration file', options.configFile)
  const { port } = options
  if (port !== undefined && (!Number.isInteger(port) || port < 1 || port > 65_535))
    refuse(`ssh: ${port} is no port`, 'A port is a number from 1 to 65535.')
}

/** The host as messages name it: `gpu1`, `ann@gpu1:2222`. */
export function nameHost(options: SshOptions): string {
  return `${options.user === undefined ? '' : `${options.user}@`}${options.host}${options.port === undefined ? '' : `:${options.port}`}`
}

/** What says where to go: `-F`, `-l`, `-p`, `-i`, `-J` and the user's own `-o`. */
export function compileAddress(options: SshOptions): readonly string[] {
  return [
    ...(options.configFile === undefined ? [] : ['-F', options.configFile]),
    ...(options.user === undefined ? [] : ['-l', options.user]),
    ...(options.port === undefined ? [] : ['-p', String(options.port)]),
    ...(options.identityFile === undefined ? [] : ['-i', options.identityFile]),
    ...(options.proxyJump === undefined ? [] : ['-J', options.proxyJump]),
    ...(options.options ?? []).flatMap((option) => ['-o', option]),
  ]
}

/**
 * What holds for each of Drover's connections: no question is ever asked, an unknown host key is refused, a dead line is
 * noticed within about ten seconds. First given wins in ssh, so that neither options nor files can change these.
 */
export function compileManners(options: SshOptions): readonly string[] {
  const seconds = Math.max(1, Math.ceil((options.connectTimeoutMs ?? 15_000) / 1000))
  const manners = [
    'BatchMode=yes',
    'StrictHostKeyChecking=yes',
    `ConnectTimeout=${seconds}`,
    'ConnectionAttempts=1',
    'ServerAliveInterval=5',
    'ServerAliveCountMax=2',
    'LogLevel=ERROR',
    'ForwardX11=no',
    'ClearAllForwardings=yes',
    'PermitLocalCommand=no',
    'RequestTTY=no',
    'RemoteCommand=none',
    'EscapeChar=none',
  ]
  return manners.flatMap((option) => ['-o', option])
}

/** Arguments of the process that makes a shared connection and goes to the background once it stands; 60 s after its last session it ends. */
export function compileMaster(options: SshOptions, socket: string): readonly string[] {
  const sharing = ['-o', 'ControlMaster=yes', '-o', `ControlPath=${escapePercent(socket)}`, '-o', 'ControlPersist=60']
  return [...sharing, ...compileManners(options), ...compileAddress(options), '-fNT', '--', options.host]
}

/** Arguments of one session over a shared connection; what it runs follows. */
export function compileSession(options: SshOptions, socket: string): readonly string[] {
  const sharing = ['-o', 'ControlMaster=no', '-o', `ControlPath=${escapePercent(socket)}`]
  return [...sharing, ...compileManners(options), ...compileAddress(options), '-T', '--', options.host]
}

/** Arguments of a question to a shared connection: does it live, end it. */
export function compileControl(options: SshOptions, socket: string, question: 'check' | 'exit'): readonly string[] {
  return ['-O', question, '-o', `ControlPath=${escapePercent(socket)}`, ...compileAddress(options), '--', options.host]
}

/** The directory of the control sockets. */
export function controlDirectory(options: SshOptions): string {
  if (options.controlDirectory !== undefined) return options.controlDirectory
  const name = `drover-ssh-${process.getuid?.() ?? 0}`
  const usual = join(tmpdir(), name)
  return Buffer.byteLength(usual) + 30 > LONGEST_SOCKET ? join('/tmp', name) : usual
}

/**
 * The socket on which `drover target login` leaves its connection, found again by whatever goes to the same place.
 *
 * @throws DroverError `invalid_config` when the directory's path leaves no room for a socket
 */
export function loginSocket(options: SshOptions): string {
  return socketPath(options, '')
}

/** A socket of this process's own. @throws DroverError as `loginSocket` */
export function ownSocket(options: SshOptions, distinction: string): string {
  return socketPath(options, `.${distinction}`)
}

function socketPath(options: SshOptions, suffix: string): string {
  const hash = createHash('sha256')
    .update(JSON.stringify([compileAddress(options), options.host]))
    .digest('hex')
  const path = join(controlDirectory(options), hash.slice(0, 12) + suffix)
  if (Buffer.byteLength(path) > LONGEST_SOCKET) {
    throw new DroverError('invalid_config', `the path of the ssh control sockets is too long: ${path}`, {
      level: 'config',
      hint: `Choose a control directory of at most ${LONGEST_SOCKET - 30} bytes.`,
    })
  }
  return path
}

/** `drover target login`: makes the shared connection with questions allowed; run with the user's terminal. */
export function compileLogin(options: SshOptions): readonly string[] {
  return [
    ...['-o', 'ControlMaster=yes', '-o', `ControlPath=${escapePercent(loginSocket(options))}`, '-o', 'ControlPersist=yes'],
    ...['-o', 'BatchMode=no', '-o', 'ServerAliveInterval=5', '-o', 'ServerAliveCountMax=2', '-o', 'ClearAllForwardings=yes'],
    ...compileAddress(options),
    ...['-fNT', '--', options.host],
  ]
}

/** The command a person types for the same host: for messages. */
export function typedCommand(options: SshOptions): string {
  return quoteArgv(['ssh', ...compileAddress(options), options.host])
}

function escapePercent(path: string): string {
  return path.replaceAll('%', '%%')
}
