import { type ChildProcess, spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { lstatSync, mkdirSync, type Stats, writeFileSync } from 'node:fs'
import { lstat, mkdir, readlink, rename, rm, symlink, unlink } from 'node:fs/promises'
import { hostname } from 'node:os'
import { isAbsolute, join, posix } from 'node:path'
import { setImmediate } from 'node:timers/promises'
import { quoteArgv, quoteShell } from '../driver/quote.ts'
import { DroverError } from '../errors.ts'
import { compileGlob } from './glob.ts'
import { type AgentHello, agentCommand, encodeProgram } from './ssh-agent-script.ts'
import { remoteFileError, sshError } from './ssh-errors.ts'
import { controlDirectory, nameHost, type SshOptions } from './ssh-options.ts'
import { runClient } from './ssh-run-client.ts'
import type { CommandResult } from './transport.ts'
import { fileError } from './transport-errors.ts'

/** How far the transfer of a tree has come. */
export interface TreeProgress {
  readonly bytes: number
  /** 0 to 100. */
  readonly percent: number
}

/** What the transfer of trees needs of its transport. */
export interface TreeHost {
  readonly options: SshOptions
  hello(): Promise<AgentHello>
  run(script: string): Promise<CommandResult>
  sessionArguments(): Promise<readonly string[]>
  /** Waits for one of the sessions; the result gives it back. */
  takeSession(): Promise<() => void>
  readonly signal: AbortSignal
}

/** Bundles beside a new one that rsync compares with. */
const BASES = 3
/** Entries looked at before other work gets its turn. */
const ENTRIES_PER_TURN = 200

/**
 * Puts entries of a directory to a new directory of the host: by rsync where both sides have it (files that an earlier
 * bundle beside it holds, or an attempt that was cut off, are not sent again), else by tar.
 *
 * @throws DroverError `conflict` when something is there; else as `remoteFileError` or `sshError`
 */
export async function putRemoteTree(
  host: TreeHost,
  source: string,
  entries: readonly string[],
  destination: string,
  onProgress?: (progress: TreeProgress) => void,
): Promise<void> {
  for (const entry of entries) {
    if (isAbsolute(entry) || entry.split('/').includes('..'))
      throw new DroverError('internal', `the entry ${entry} leaves ${source}`, { level: 'internal' })
  }
  await refuseUncopyable(source, entries)
  const parent = posix.dirname(destination)
  const key = createHash('sha256')
    .update(JSON.stringify([hostname(), process.getuid?.(), source, parent]))
    .digest('hex')
    .slice(0, 16)
  const part = posix.join(parent, `.part-${key}`)
  const prepared = await host.run(prepareScript(destination, part))
  if (prepared.code === 3)
    throw new DroverError('conflict', `${nameHost(host.options)}: cannot put a directory at ${destination}: it exists already`, {
      level: 'staging',
    })
  if (prepared.code !== 0) throw remoteFileError(host.options, 'make directory', part, prepared.stderr)
  const [resuming, ...bases] = prepared.stdout.split('\n').filter((line) => line !== '')
  const resumes = resuming === 'resumes'
  const list = Buffer.from(entries.map((entry) => `${entry}\0`).join(''))
  if (await useRsync(host)) {
    const copy = [`../.base-${key}`, ...bases.map((base) => `../${base}`)].map((base) => `--copy-dest=${base}`)
    // By content: a file changed within the second, to the same size, looks unchanged by its time. Where there is nothing
    // to compare with, reading all of it once more tells nothing.
    const compare = bases.length === 0 && !resumes ? [] : ['--checksum', ...copy]
    await rsync(host, ['-lptd', '--partial', ...compare], source, `remote:${part}/`, list, destination, onProgress)
  } else await putByTar(host, source, list, part, destination)
  const placed = await host.run(
    `rm -rf ${quoteShell(posix.join(parent, `.base-${key}`))}; if [ -e ${quoteShell(destination)} ]; then exit 3; fi; mv ${quoteShell(part)} ${quoteShell(destination)}`,
  )
  if (placed.code === 3)
    throw new DroverError('conflict', `${nameHost(host.options)}: cannot put a directory at ${destination}: it exists already`, {
      level: 'staging',
    })
  if (placed.code !== 0) throw remoteFileError(host.options, 'place', destination, placed.stderr)
}

/**
 * Prints `resumes` where a cut-off attempt left something, which becomes a base of its own, else `anew`; then the names of
 * earlier bundles, the newest first. Exit 3: something is there.
 */
function prepareScript(destination: string, part: string): string {
  const base = part.replace(/\.part-([^/]*)$/, '.base-$1')
  return `export LC_ALL=C
umask 077
d=${quoteShell(destination)} p=${quoteShell(part)} b=${quoteShell(base)}
mkdir -p -- "\${d%/*}" || exit 1
if [ -e "$d" ] || [ -L "$d" ]; then rmdir -- "$d" 2>/dev/null || exit 3; fi
if [ -e "$p" ]; then rm -rf "$b"; mv "$p" "$b" || exit 1; fi
if [ -e "$b" ]; then echo resumes; else echo anew; fi
mkdir "$p" || exit 1
cd "\${d%/*}" || exit 1
n=0
ls -t | while IFS= read -r f; do
  case $f in *[!0-9A-Za-z_-]* | '') continue ;; esac
  [ -d "$f" ] && [ $n -lt ${BASES} ] && echo "$f" && n=$((n + 1))
done
exit 0
`
}

async function refuseUncopyable(source: string, entries: readonly string[]): Promise<void> {
  for (const [at, entry] of entries.entries()) {
    const path = join(source, entry)
    let found: Stats
    try {
      // A call of its own through the thread pool takes ten times as long.
      found = lstatSync(path)
    } catch (error) {
      throw fileError('read', path, error)
    }
    if (at % ENTRIES_PER_TURN === ENTRIES_PER_TURN - 1) await setImmediate()
    if (!found.isFile() && !found.isDirectory() && !found.isSymbolicLink())
      throw new DroverError('staging_failed', `cannot copy ${path}: it is neither a file, a directory nor a link`, {
        level: 'staging',
        hint: 'Name it in .droverignore.',
      })
  }
}

/**
 * Brings what matches the globs, as `getLocalTree` does: directories whole, links only when they lead inside. What was
 * brought before a connection was cut stays for the next try.
 *
 * @throws InputError for an unusable glob; DroverError as `remoteFileError` or `sshError`
 */
export async function getRemoteTree(
  host: TreeHost,
  directory: string,
  globs: readonly string[],
  destination: string,
): Promise<readonly string[]> {
  const patterns = globs.map(compileGlob)
  const matches = (path: string): boolean => {
    if (patterns.some((pattern) => pattern.test(path))) return true
    const parent = posix.dirname(path)
    return parent !== '.' && matches(parent)
  }
  const names = (await listFiles(host, directory)).filter((name) => matches(name.toString()))
  if (names.length === 0) return []
  const list = Buffer.concat(names.flatMap((name) => [name, Buffer.from('\0')]))
  const key = createHash('sha256')
    .update(JSON.stringify([nameHost(host.options), directory]))
    .digest('hex')
    .slice(0, 16)
  const staging = join(destination, `.drover-part-${key}`)
  await mkdir(staging, { recursive: true, mode: 0o700 })
  if (await useRsync(host)) await rsync(host, ['-lpt', '--partial'], `remote:${directory}/`, staging, list, directory)
  else await getByTar(host, directory, list, staging)
  const found: string[] = []
  for (const name of names) if (await place(name, directory, staging, destination)) found.push(name.toString())
  await rm(staging, { recursive: true, force: true })
  return found.sort()
}

async function listFiles(host: TreeHost, directory: string): Promise<readonly Buffer[]> {
  const script = `export LC_ALL=C
[ -e ${quoteShell(directory)} ] || exit 0
cd ${quoteShell(directory)} && exec find . '(' -type f -o -type l ')' -print0`
  const { code, stdout, stderr } = await stream(host, script)
  if (code !== 0) throw remoteFileError(host.options, 'read', directory, stderr)
  const names: Buffer[] = []
  for (let from = 0; from < stdout.length; ) {
    const end = stdout.indexOf(0, from)
    if (end < 0) break
    names.push(stdout.subarray(from + 2, end))
    from = end + 1
  }
  return names
}

/** Moves one file or link from where it arrived to its place; false for what vanished meanwhile and for links that lead outside. */
async function place(name: Buffer, directory: string, staging: string, destination: string): Promise<boolean> {
  const from = Buffer.concat([Buffer.from(`${staging}/`), name])
  const to = Buffer.concat([Buffer.from(`${destination}/`), name])
  try {
    const entry = await lstat(from)
    const text = entry.isSymbolicLink() ? await readlink(from) : undefined
    const link = posix.join(directory, name.toString())
    const target = text === undefined ? directory : posix.resolve(posix.dirname(link), text)
    if (target !== directory && !target.startsWith(`${directory.replace(/\/+$/, '')}/`)) return false
    const slash = to.lastIndexOf('/')
    await mkdir(to.subarray(0, slash), { recursive: true })
    if (text !== undefined && isAbsolute(text)) {
      await unlink(to).catch(() => undefined)
      await symlink(posix.relative(posix.dirname(link), text), to)
    } else await rename(from, to)
    return true
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return false
    throw fileError('bring', to.toString(), error)
  }
}

let localRsync: Promise<boolean> | undefined

async function useRsync(host: TreeHost): Promise<boolean> {
  // rsync 3 only: the rsync of macOS cannot protect names from the far shell.
  localRsync ??= runClient(['rsync', '--version'], { limitMs: 5000 }).then(
    ({ code, stdout }) => code === 0 && /version [3-9]/.test(stdout.toString()),
  )
  return (await localRsync) && (await host.hello()).rsync
}

async function rsync(
  host: TreeHost,
  flags: readonly string[],
  from: string,
  to: string,
  list: Uint8Array,
  what: string,
  onProgress?: (progress: TreeProgress) => void,
): Promise<void> {
  const give = await host.takeSession()
  try {
    const shell = await writeRemoteShell(host)
    const argv = [
      'rsync',
      ...flags,
      ...['-s', '--files-from=-', '--from0', '-e', `sh "${shell}"`],
      ...(onProgress === undefined ? [] : ['--info=progress2', '--no-human-readable', '--outbuf=L']),
      '--',
      from.startsWith('remote:') ? from : `${from.replace(/\/+$/, '')}/`,
      to,
    ]
    let bytes = 0
    const { code, stderr } = await runClient(argv, {
      stdin: list,
      signal: host.signal,
      onStdout: (chunk) => {
        const last = [...chunk.toString().matchAll(/(\d+)\s+(\d+)%/g)].at(-1)
        if (last === undefined) return
        bytes = Number(last[1])
        onProgress?.({ bytes, percent: Number(last[2]) })
      },
    })
    // 24: files vanished while they were read, which is for the caller to judge.
    if (code === 0 || code === 24) {
      // rsync says nothing of a transfer that is over at once.
      onProgress?.({ bytes, percent: 100 })
      return
    }
    throw transferError(host, stderr, code, to.startsWith('remote:') ? 'write' : 'read', what)
  } finally {
    give()
  }
}

function transferError(host: TreeHost, stderr: string, code: number | undefined, verb: string, path: string): DroverError {
  const cut = code === undefined || code === 12 || code === 30 || code === 35 || code === 255
  if (/No space left|quota exceeded|Read-only file system/i.test(stderr)) return remoteFileError(host.options, verb, path, stderr)
  return cut ? sshError(host.options, `cannot ${verb} ${path}`, stderr, code) : remoteFileError(host.options, verb, path, stderr)
}

/**
 * Writes the program by which rsync reaches the host, and resolves to its path. Where start-up files print, what they print
 * is passed over.
 */
async function writeRemoteShell(host: TreeHost): Promise<string> {
  const ssh = quoteArgv(await host.sessionArguments())
  const { noisy } = await host.hello()
  const mark = 'drover-begins-7f3a9c'
  const text = noisy
    ? `shift\n${ssh} "exec /bin/sh -c 'echo; echo ${mark}; exec $*'" | { while IFS= read -r line; do case $line in ${mark}) break ;; esac; done; exec cat; }\n`
    : `shift\nexec ${ssh} "$@"\n`
  const directory = controlDirectory(host.options)
  mkdirSync(directory, { recursive: true, mode: 0o700 })
  const path = join(directory, `rsh-${createHash('sha256').update(text).digest('hex').slice(0, 16)}`)
  writeFileSync(path, text, { mode: 0o600 })
  return path
}

/** Runs a script in a session of its own, stdout as bytes; what start-up files print before is passed over. */
async function stream(
  host: TreeHost,
  script: string,
  stdin: Uint8Array = new Uint8Array(0),
): Promise<{ code: number | undefined; stdout: Buffer; stderr: string }> {
  const give = await host.takeSession()
  try {
    const argv = [...(await host.sessionArguments()), agentCommand('sh')]
    const program = encodeProgram(`printf '\\n%s\\n' ${STREAM_MARK}\n${script}`)
    const { code, stdout, stderr } = await runClient(argv, { stdin: Buffer.concat([Buffer.from(program), stdin]), signal: host.signal })
    if (code === 255 || code === undefined) throw sshError(host.options, 'cannot read a directory', stderr, code)
    const mark = Buffer.from(`\n${STREAM_MARK}\n`)
    const at = stdout.indexOf(mark)
    return { code, stdout: at < 0 ? Buffer.alloc(0) : stdout.subarray(at + mark.length), stderr }
  } finally {
    give()
  }
}

const STREAM_MARK = 'drover-stream-5d20b1'

async function putByTar(host: TreeHost, source: string, list: Uint8Array, part: string, destination: string): Promise<void> {
  await needTar(host)
  const give = await host.takeSession()
  try {
    const far = spawnPiped([...(await host.sessionArguments()), agentCommand('sh')])
    const near = spawnPiped(['tar', '-C', source, '--no-recursion', '--null', '-T', '-', '-cf', '-'])
    far.child.stdin?.write(encodeProgram(`export LC_ALL=C; umask 077; cd ${quoteShell(part)} && exec tar -xpf -`))
    if (far.child.stdin !== null) near.child.stdout?.pipe(far.child.stdin)
    far.child.stdout?.resume()
    near.child.stdin?.end(list)
    const [here, there] = await Promise.all([near.ended, far.ended])
    if (there.code !== 0) throw transferError(host, there.stderr, there.code, 'write', destination)
    if (here.code !== 0) throw fileError('read', source, new Error(here.stderr.trim()))
  } finally {
    give()
  }
}

async function getByTar(host: TreeHost, directory: string, list: Buffer, staging: string): Promise<void> {
  await needTar(host)
  // By lines, the only form that busybox's tar reads; only GNU tar takes names with a line break. A name may not begin with a dash.
  const withBreaks = list.includes(10)
  const names = list
    .subarray(0, -1)
    .toString('latin1')
    .split('\0')
    .map((name) => `./${name}${withBreaks ? '\0' : '\n'}`)
  const script = `export LC_ALL=C; cd ${quoteShell(directory)} || exit 2
${withBreaks ? 'tar --null -T /dev/null -cf /dev/null || exit 2; exec tar --null' : 'exec tar'} -T - -cf -`
  const { code, stdout, stderr } = await stream(host, script, Buffer.from(names.join(''), 'latin1'))
  // 1 (GNU tar): a file changed while it was read.
  if (code !== 0 && code !== 1) throw transferError(host, stderr, code, 'read', directory)
  const unpacked = await runClient(['tar', '-C', staging, '-xpf', '-'], { stdin: stdout, signal: host.signal })
  if (unpacked.code !== 0)
    throw fileError(
      'write',
      staging,
      Object.assign(new Error(unpacked.stderr.trim()), /No space/.test(unpacked.stderr) ? { code: 'ENOSPC' } : {}),
    )
}

async function needTar(host: TreeHost): Promise<void> {
  if ((await host.hello()).tar) return
  throw new DroverError('transport_failed', `ssh ${nameHost(host.options)}: it has neither rsync nor tar`, {
    level: 'transport',
    hint: 'Install rsync there.',
  })
}

function spawnPiped(argv: readonly string[]): {
  readonly child: ChildProcess
  readonly ended: Promise<{ code: number | undefined; stderr: string }>
} {
  const [program = '', ...rest] = argv
  const child = spawn(program, rest, { stdio: ['pipe', 'pipe', 'pipe'], detached: true })
  let stderr = ''
  child.stderr?.setEncoding('utf8')
  child.stderr?.on('data', (text: string) => {
    stderr = `${stderr}${text}`.slice(-65_536)
  })
  child.stdin?.on('error', () => undefined)
  const ended = new Promise<{ code: number | undefined; stderr: string }>((resolve) => {
    child.once('error', (error) => resolve({ code: undefined, stderr: error.message }))
    child.once('close', (code) => resolve({ code: code ?? undefined, stderr }))
  })
  return { child, ended }
}
