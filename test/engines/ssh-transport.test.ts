import { execFileSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import {
  chmodSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { DroverError } from '../../src/errors.ts'
import type { SshOptions } from '../../src/transports/ssh-options.ts'
import { createSshTransport, type SshTransport } from '../../src/transports/ssh-transport.ts'
import { SshRig } from './ssh-rig.ts'

const rig = new SshRig('private')
let local = ''
let far = ''
let transport: SshTransport
const open: SshTransport[] = []

function connect(options: Partial<SshOptions> = {}): SshTransport {
  const made = createSshTransport({ host: 'node1', configFile: rig.configFile, controlDirectory: join(local, 'c'), ...options })
  open.push(made)
  return made
}

beforeEach(() => {
  local = mkdtempSync(join(tmpdir(), 'drover-ssh-t-'))
  far = `/scratch/t-${randomBytes(6).toString('hex')}`
  rig.as('node1', 'mkdir', '-m', '700', far)
  transport = connect()
})
afterEach(async () => {
  await Promise.all(open.splice(0).map((each) => each.close()))
  rig.on('node1', 'rm', '-rf', far)
  rmSync(local, { recursive: true, force: true })
})

async function until(condition: () => boolean | Promise<boolean>, limitMs = 10_000): Promise<void> {
  const deadline = Date.now() + limitMs
  while (!(await condition())) {
    if (Date.now() > deadline) throw new Error(`not within ${limitMs} ms`)
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}
async function failureOf(promise: Promise<unknown>): Promise<DroverError> {
  const error = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  )
  if (!(error instanceof DroverError)) throw new Error(`no DroverError but ${String(error)}`)
  return error
}
const pieceOf = (path: string, offset = 0, maxBytes = 1_000_000) => ({ path, offset, maxBytes })
const textOf = async (each: SshTransport, path: string): Promise<string> =>
  Buffer.from((await each.read([pieceOf(path)]))[0]!.bytes).toString()

describe('commands', () => {
  test('code, output apart, stdin, hostile text', async () => {
    expect(await transport.run("printf 'a\\0b\\n'; echo err >&2; exit 3")).toEqual({ code: 3, stdout: 'a\0b\n', stderr: 'err\n' })
    expect(await transport.run('cat', { stdin: 'x\ny' })).toEqual({ code: 0, stdout: 'x\ny', stderr: '' })
    expect((await transport.run('cat | wc -c')).stdout.trim()).toBe('0')
    expect((await transport.run('kill -9 $$')).code).toBe(137)
    const long = `# ${"'\n$(x)`!\\".repeat(20_000)}`
    expect((await transport.run(`: <<'_END_'\n${long}\n_END_\necho still here`)).stdout).toBe('still here\n')
    const binary = randomBytes(3_000_000)
    const sum = await transport.run('cksum', { stdin: binary })
    expect(sum.stdout.split(' ')[1]!.trim()).toBe('3000000')
  })

  test('a limit and an abort end the whole group', async () => {
    const error = await failureOf(transport.run('sleep 4711 & sleep 4711', { timeoutMs: 400 }))
    expect(error).toMatchObject({ code: 'transport_failed', level: 'transport', transient: true })
    const controller = new AbortController()
    setTimeout(() => controller.abort(), 300)
    expect(await failureOf(transport.run("trap '' TERM; sleep 4712; sleep 4712; sleep 4712", { signal: controller.signal }))).toMatchObject(
      { code: 'aborted' },
    )
    await until(() => !rig.processes('node1').some((line) => /471[12]/.test(line)))
  })

  test('many at once stay below MaxSessions and do not hold up what answers at once', async () => {
    const slow = Promise.all(Array.from({ length: 12 }, (_, at) => transport.run(`sleep 0.5; echo ${at}`)))
    await transport.hello()
    const start = performance.now()
    await transport.write([], [{ path: `${far}/f`, mode: 0o600, content: 'x' }])
    expect(await textOf(transport, `${far}/f`)).toBe('x')
    expect(performance.now() - start).toBeLessThan(450)
    expect(await slow).toEqual(Array.from({ length: 12 }, (_, at) => ({ code: 0, stdout: `${at}\n`, stderr: '' })))
  })

  test('what a script leaves running writes into no later answer', async () => {
    await transport.run('(sleep 0.3; echo stray; echo stray >&2) &')
    for (let tries = 0; tries < 20; tries++)
      expect(await transport.run('sleep 0.05; echo own')).toEqual({ code: 0, stdout: 'own\n', stderr: '' })
  })
})

describe('files', () => {
  test('write: modes, parents, in place, never through a link', async () => {
    const path = `${far}/a/b/f`
    await transport.write([`${far}/a/b`], [{ path, mode: 0o600, content: 'one' }])
    const stat = (): string => rig.on('node1', 'stat', '-c', '%a %i %U', path, `${far}/a`)
    const before = stat()
    expect(before).toMatch(/^600 \d+ drover\n700 /)
    await transport.write([], [{ path, mode: 0o755, content: 'two' }])
    expect(stat()).toBe(before.replace('600', '755'))
    await transport.run(`echo untouched >${far}/outside; ln -sf ${far}/outside ${path}`)
    await transport.write([], [{ path, mode: 0o600, content: 'three' }])
    expect([await textOf(transport, `${far}/outside`), await textOf(transport, path)]).toEqual(['untouched\n', 'three'])
  })

  test('contents and names that are hostile', async () => {
    const contents = ["'; echo $(id) `id` !! \\n %s", '\n\n', '', 'ä€\u{1f600}', '-n', '\\', `${'x'.repeat(40_000)}\n'`, '#3']
    const files = contents.map((content, at) => ({ path: `${far}/ -x'"$\n!*${at}`, mode: 0o600, content }))
    await transport.write([], files)
    const found = await transport.read(files.map(({ path }) => pieceOf(path)))
    expect(found.map(({ bytes }) => Buffer.from(bytes).toString())).toEqual(contents)
    const bytes = Buffer.from(Array.from({ length: 1024 }, (_, at) => at % 256))
    await transport.write([], [{ path: `${far}/bytes`, mode: 0o600, content: bytes }])
    expect(Buffer.from((await transport.read([pieceOf(`${far}/bytes`)]))[0]!.bytes)).toEqual(bytes)
  })

  test('10 MB there and back, in pieces too', async () => {
    const bytes = randomBytes(10_000_000)
    const path = `${far}/large`
    await transport.write([], [{ path, mode: 0o600, content: bytes }])
    const [whole] = await transport.read([pieceOf(path, 0, 20_000_000)])
    expect(Buffer.from(whole!.bytes).equals(bytes)).toBe(true)
    const parts = await transport.read([pieceOf(path, 9_999_990, 100), pieceOf(path, 5_000_001, 1_000_000), pieceOf(path, 20_000_000, 5)])
    expect(parts.map((part) => [part.bytes.length, part.size])).toEqual([
      [10, 10_000_000],
      [1_000_000, 10_000_000],
      [0, 10_000_000],
    ])
    expect(Buffer.from(parts[1]!.bytes).equals(bytes.subarray(5_000_001, 6_000_001))).toBe(true)
  })

  test('500 pieces in one call, some missing, some grown', async () => {
    await transport.run(
      `cd ${far}; i=0; while [ $i -lt 500 ]; do [ $((i % 10)) = 3 ] || printf 'content of %s\\n' $i >p$i; i=$((i + 1)); done`,
    )
    const start = performance.now()
    const pieces = await transport.read(Array.from({ length: 500 }, (_, at) => pieceOf(`${far}/p${at}`, at % 10 === 4 ? 8 : 0, 100)))
    const tookMs = performance.now() - start
    pieces.forEach((piece, at) => {
      expect(piece.missing).toBe(at % 10 === 3)
      const text = `content of ${at}\n`
      expect(Buffer.from(piece.bytes).toString()).toBe(at % 10 === 3 ? '' : at % 10 === 4 ? text.slice(8) : text)
    })
    expect(tookMs).toBeLessThan(3000)
  })

  test('files that grow and shrink while they are read are never mixed up', async () => {
    const writer = await transport.spawn([
      {
        argv: [
          'sh',
          '-c',
          'i=0; while :; do for f in a b c; do echo "$f line $i" >>$f; done; i=$((i + 1)); [ $((i % 50)) = 0 ] && : >b; done',
        ],
        logPath: '/dev/null',
        cwd: far,
      },
    ])
    try {
      await until(async () => (await transport.read([pieceOf(`${far}/c`)]))[0]!.size > 0)
      for (let round = 0; round < 60; round++) {
        const found = await transport.read(['a', 'b', 'c'].map((name) => pieceOf(`${far}/${name}`, 0, 10_000_000)))
        found.forEach(({ bytes }, at) => {
          const lines = Buffer.from(bytes).toString().split('\n').slice(0, -1)
          expect(lines.filter((line) => !line.startsWith(`${'abc'[at]} line `))).toEqual([])
        })
      }
    } finally {
      await transport.kill(writer as never, 'KILL', true)
    }
  })

  test('refused: no right, no directory, a directory in the way, a full disk', async () => {
    rig.on(
      'node1',
      'sh',
      '-c',
      `mkdir -m 700 ${far}/closed; echo x >${far}/closed/f; echo x >${far}/unreadable; chmod 600 ${far}/unreadable; chown root: ${far}/closed ${far}/unreadable`,
    )
    const refused = async (promise: Promise<unknown>, code: string, what: RegExp): Promise<void> => {
      const error = await failureOf(promise)
      expect([error.code, error.level, error.message.match(what) === null ? error.message : 'named']).toEqual([code, 'staging', 'named'])
    }
    await refused(transport.read([pieceOf(`${far}/closed/f`)]), 'no_permission', /node1: cannot read .*closed\/f: permission denied/)
    await refused(transport.read([pieceOf(`${far}/unreadable`)]), 'no_permission', /unreadable/)
    await refused(transport.write([`${far}/closed/d`], []), 'no_permission', /make directory/)
    await refused(transport.write([], [{ path: `${far}/closed/f`, mode: 0o600, content: '' }]), 'no_permission', /closed\/f/)
    await refused(
      transport.write([], [{ path: `${far}/none/f`, mode: 0o600, content: randomBytes(500_000) }]),
      'staging_failed',
      /no such file/,
    )
    await refused(transport.write([], [{ path: `${far}/closed`, mode: 0o600, content: '' }]), 'staging_failed', /closed/)
    await refused(transport.remove([`${far}/closed`]), 'no_permission', /remove/)
    rig.on('node1', 'chown', 'drover:', `${far}/closed`, `${far}/unreadable`)
    rig.fault('fill-disk', '1')
    try {
      await refused(transport.write([], [{ path: `${far}/small`, mode: 0o600, content: 'x'.repeat(20_000) }]), 'no_space', /no space left/)
      await refused(
        transport.write([], [{ path: `${far}/binary`, mode: 0o600, content: randomBytes(900_000) }]),
        'no_space',
        /no space left/,
      )
      await refused(
        transport.write([], [{ path: `${far}/inline`, mode: 0o600, content: randomBytes(50_000) }]),
        'no_space',
        /no space left/,
      )
      // Commands still run and still tell what they print.
      expect((await transport.run('echo alive; head -c 100000 /dev/zero | tr "\\0" x')).stdout.length).toBe(100_006)
      mkdirSync(join(local, 'tree'))
      writeFileSync(join(local, 'tree/f'), randomBytes(200_000))
      await refused(transport.putTree(join(local, 'tree'), ['f'], `${far}/to`), 'no_space', /no space left/)
    } finally {
      rig.fault('free-disk', '1')
    }
    await transport.write([], [{ path: `${far}/small`, mode: 0o600, content: 'fits' }])
    expect(await textOf(transport, `${far}/small`)).toBe('fits')
  })

  test('remove: missing, read-only, hostile names; never the root', async () => {
    await transport.run(`mkdir -p ${far}/ro/d; touch ${far}/ro/d/f; chmod 500 ${far}/ro/d ${far}/ro; mkdir '${far}/-rf x'`)
    await transport.remove([`${far}/ro`, `${far}/never`, `${far}/-rf x`])
    expect((await transport.run(`ls -A ${far}`)).stdout).toBe('')
    for (const path of ['/', '//', '/.', 'relative', '/x/../..']) expect((await failureOf(transport.remove([path]))).code).toBe('internal')
  })
})

describe('watch', () => {
  for (const how of ['perl', 'shell'] as const) {
    test(`awaits a missing file, hears growth and replacement, ends on abort (${how})`, async () => {
      if (how === 'shell') rig.hideTool('node1', 'perl')
      try {
        const controller = new AbortController()
        let calls = 0
        transport.watch(`${far}/later/f`, () => calls++, controller.signal)
        transport.watch(`${far}/other`, () => {}, controller.signal)
        await transport.hello()
        for (const step of [
          `mkdir ${far}/later; echo x >${far}/later/f`,
          `echo y >>${far}/later/f`,
          `echo new >${far}/g; mv ${far}/g ${far}/later/f`,
        ]) {
          const heard = calls
          await transport.run(step)
          await until(() => calls > heard)
        }
        // One process looks at all files.
        const watching = rig.processes('node1').filter((line) => line.includes(how === 'perl' ? 'perl -e' : 'sleep 0.2'))
        expect(watching.length).toBeLessThanOrEqual(1)
        controller.abort()
        await until(async () => !rig.processes('node1').some((line) => line.includes('perl -e')))
        const heard = calls
        await transport.run(`echo z >>${far}/later/f`)
        await new Promise((resolve) => setTimeout(resolve, 600))
        expect(calls).toBe(heard)
      } finally {
        if (how === 'shell') restoreStartup()
      }
    })
  }
})

const startup = (text: string): void => rig.startup('node1', text)
const restoreStartup = (): void => rig.startup('node1', undefined)

describe('accounts', () => {
  test('noisy start-up files change no answer, and no tree', async () => {
    startup('echo "Welcome, 100% of \\\\n you!"; echo warning >&2; printf "no newline"; head -c 3000 /dev/urandom\n')
    try {
      expect((await transport.hello()).noisy).toBe(true)
      expect(await transport.run('echo own; echo err >&2')).toEqual({ code: 0, stdout: 'own\n', stderr: 'err\n' })
      await putAndCompare(transport)
      rig.on('node1', 'sh', '-c', `mkdir -p ${far}/out; echo brought >${far}/out/x`)
      expect(await transport.getTree(`${far}/out`, ['**'], join(local, 'got'))).toEqual(['x'])
    } finally {
      restoreStartup()
    }
  })

  test('start-up files that exit, or wait, are named', async () => {
    startup('echo "account closed"; exit 4\n')
    try {
      const error = await failureOf(transport.hello())
      expect(error.message).toMatch(/login shell ended before it answered \(exit 4\).*account closed/)
    } finally {
      restoreStartup()
    }
  })

  for (const shell of ['/usr/bin/fish', '/usr/bin/tcsh', '/bin/dash', '/bin/sh']) {
    test(`login shell ${shell}`, async () => {
      const own = rig.on('node1', 'getent', 'passwd', 'drover').trim()
      rig.on(
        'node1',
        'sh',
        '-c',
        `sed 's#^drover:.*#${own.replace(/[^:]*$/, shell)}#' /etc/passwd >/tmp/passwd; chmod 644 /tmp/passwd; mount --bind /tmp/passwd /etc/passwd`,
      )
      try {
        expect(await transport.run('echo "$0" $(id -un); exit 5')).toMatchObject({ code: 5, stdout: 'sh drover\n' })
        expect((await transport.run('getent passwd drover')).stdout.trim().endsWith(shell)).toBe(true)
        await putAndCompare(transport)
      } finally {
        rig.on('node1', 'umount', '/etc/passwd')
      }
    })
  }
})

function treeFiles(): { readonly source: string; readonly entries: readonly string[] } {
  const source = join(local, 'source')
  rmSync(source, { recursive: true, force: true })
  mkdirSync(join(source, 'ro/deep'), { recursive: true })
  const names = ['plain', '-rf', 'new\nline', "it's $HOME `x` \\ *", 'ä €', 'ro/deep/x', '.hidden', 'empty']
  for (const name of names) writeFileSync(join(source, name), name === 'empty' ? '' : `content of ${name}`)
  chmodSync(join(source, 'plain'), 0o755)
  symlinkSync('ro/deep/x', join(source, 'link'))
  symlinkSync('/nowhere', join(source, 'dangling'))
  chmodSync(join(source, 'ro'), 0o500)
  return { source, entries: ['ro', 'ro/deep', ...names, 'link', 'dangling'] }
}

async function putAndCompare(each: SshTransport): Promise<void> {
  const { source, entries } = treeFiles()
  const to = `${far}/tree-${randomBytes(3).toString('hex')}`
  await each.putTree(source, entries, to)
  const listing = (machine: string | undefined, at: string): string => {
    const script = `cd '${at}' && find . -mindepth 1 ! -type l -printf '%p %y %m\\0' | sort -z | tr '\\0' '|'; find . -type l -printf '%p %l\\0' | sort -z | tr '\\0' '|'; find . -type f -exec md5sum {} + | sort`
    return machine === undefined ? execFileSync('sh', ['-c', script], { encoding: 'utf8' }) : rig.as(machine, 'sh', '-c', script)
  }
  expect(listing('node1', to)).toBe(listing(undefined, source))
  expect(rig.on('node1', 'sh', '-c', `cd ${far}; ls -A | grep -E '^\\.(part|base)' || true`)).toBe('')
  expect(await failureOf(each.putTree(source, ['plain'], to))).toMatchObject({ code: 'conflict' })
  await each.remove([to])
}

describe('trees', () => {
  for (const tool of ['rsync', 'tar'] as const) {
    test(`put: names, modes, links; what exists is a conflict (${tool})`, async () => {
      if (tool === 'tar') rig.hideTool('node1', 'rsync')
      try {
        expect((await transport.hello()).rsync).toBe(tool === 'rsync')
        await putAndCompare(transport)
      } finally {
        restoreStartup()
      }
    })

    test(`get: globs, whole directories, nothing from outside, no name harmed (${tool})`, async () => {
      if (tool === 'tar') rig.hideTool('node1', 'rsync')
      try {
        await transport.run(`cd ${far}; mkdir -p w/out/deep w/model; echo s >secret
          for f in out/a.json out/deep/b.json out/c.txt top.json model/-w; do echo "$f" >w/$f; done; chmod 755 w/out/c.txt
          ln -s ../../secret w/out/leak.json; ln -s a.json w/out/latest.json; ln -s ${far}/w/top.json w/out/absolute.json; ln -s ${far} w/up; mkfifo w/out/pipe.json`)
        const get = (...globs: string[]): Promise<readonly string[]> => transport.getTree(`${far}/w`, globs, join(local, 'got'))
        expect(await get('**/*.json')).toEqual(['out/a.json', 'out/absolute.json', 'out/deep/b.json', 'out/latest.json', 'top.json'])
        expect(await get('model/', 'out/*.{txt,md}')).toEqual(['model/-w', 'out/c.txt'])
        expect(await get('up/**')).toEqual([])
        expect(await get('nothing')).toEqual([])
        expect(await transport.getTree(`${far}/never`, ['**'], join(local, 'got'))).toEqual([])
        expect([readlinkSync(join(local, 'got/out/latest.json')), readlinkSync(join(local, 'got/out/absolute.json'))]).toEqual([
          'a.json',
          '../top.json',
        ])
        expect(statSync(join(local, 'got/out/c.txt')).mode & 0o777).toBe(0o755)
        expect(readFileSync(join(local, 'got/model/-w'), 'utf8')).toBe('model/-w\n')
        expect(readdirSync(join(local, 'got')).filter((name) => name.startsWith('.'))).toEqual([])
        await expect(get('../*')).rejects.toMatchObject({ code: 'invalid_argument' })
        if (tool === 'rsync') {
          await transport.run(`cd ${far}/w; mkdir odd; printf x >"odd/$(printf 'b\\377d')"; printf y >"odd/$(printf 'new\\nline')"`)
          expect((await get('odd')).length).toBe(2)
          expect(readdirSync(join(local, 'got/odd'), { encoding: 'buffer' }).some((name) => name.includes(0xff))).toBe(true)
          expect(lstatSync(join(local, 'got/odd/new\nline')).size).toBe(1)
        }
      } finally {
        restoreStartup()
      }
    })
  }

  test('a second tree sends what changed; a cut transfer goes on', async () => {
    const source = join(local, 'many')
    mkdirSync(source)
    const names = Array.from({ length: 40 }, (_, at) => `f${at}`)
    for (const name of names) writeFileSync(join(source, name), randomBytes(100_000))
    await transport.putTree(source, names, `${far}/bundles/one`)
    const sentBytes = (): number => Number(rig.on('node1', 'cat', '/sys/class/net/eth0/statistics/rx_bytes'))
    const { atime, mtime } = statSync(join(source, 'f7'))
    writeFileSync(join(source, 'f7'), randomBytes(100_000))
    // Neither its size nor its time tells.
    utimesSync(join(source, 'f7'), atime, mtime)
    const before = sentBytes()
    let percent = 0
    await transport.putTree(source, names, `${far}/bundles/two`, (progress) => {
      percent = progress.percent
    })
    expect(sentBytes() - before).toBeLessThan(400_000)
    expect(percent).toBe(100)
    expect(rig.on('node1', 'cmp', `${far}/bundles/two/f7`, `${far}/bundles/two/f7`)).toBe('')
    expect(rig.on('node1', 'md5sum', `${far}/bundles/two/f7`).slice(0, 32)).toBe(
      execFileSync('md5sum', [join(source, 'f7')], { encoding: 'utf8' }).slice(0, 32),
    )
    expect(rig.on('node1', 'sh', '-c', `ls ${far}/bundles/two | wc -l`).trim()).toBe('40')
  })
})

describe('processes', () => {
  test('spawned ones live on after the connection; identity is checked', async () => {
    const started = await transport.spawn([
      { argv: ['sh', '-c', 'echo begun; exec sleep 4713'], logPath: `${far}/log`, cwd: far },
      { argv: ['/bin/sleep', '4713'], logPath: `${far}/log`, cwd: '/' },
    ])
    const identities = started.map(({ pid, startTime, bootId }) => ({ pid, startTime: startTime!, bootId: bootId! }))
    await until(async () => (await textOf(transport, `${far}/log`)) === 'begun\n')
    await transport.close()
    const again = connect()
    expect(await again.alive([...identities, { ...identities[0]!, startTime: '1' }, { ...identities[0]!, bootId: 'another' }])).toEqual([
      true,
      true,
      false,
      false,
    ])
    await again.kill([{ ...identities[0]!, startTime: '1' }], 'KILL', true)
    expect(await again.alive(identities)).toEqual([true, true])
    await again.kill(identities, 'TERM', true)
    await until(async () => !(await again.alive(identities)).includes(true))
  })

  test('what cannot start is named', async () => {
    const start = (argv: string[], cwd: string, logPath: string): Promise<DroverError> =>
      failureOf(transport.spawn([{ argv, cwd, logPath }]))
    expect((await start(['sleep', '1'], `${far}/none`, `${far}/l`)).message).toMatch(/node1: cannot start sleep: directory .*none/)
    expect((await start(['sleep', '1'], far, `${far}/none/l`)).code).toBe('no_permission')
    expect((await start(['no-such-program'], far, `${far}/l`)).code).toBe('missing_file')
  })

  test('close leaves nothing behind, there and here', async () => {
    transport.watch(`${far}/f`, () => {}, new AbortController().signal)
    const outputs = await Promise.all([1, 2, 3].map(() => transport.run('readlink /proc/$$/fd/1; sleep 0.1')))
    await transport.close()
    // The process that keeps a user's namespaces for rootless podman stays as long as the machine.
    await until(() => rig.processes('node1').every((line) => /podman|catatonit/.test(line)), 3000)
    for (const { stdout } of outputs)
      expect(rig.on('node1', 'sh', '-c', `ls -d '${dirname(stdout.trim())}' 2>/dev/null || echo gone`)).toBe('gone\n')
    expect(execFileSync('sh', ['-c', `ps -eo args | grep -F '${local}' | grep -v grep || true`], { encoding: 'utf8' })).toBe('')
    expect(readdirSync(join(local, 'c')).filter((name) => !name.startsWith('rsh-'))).toEqual([])
    expect(await failureOf(transport.run('true'))).toMatchObject({ code: 'transport_failed', transient: false })
  })
})

describe('connections', () => {
  test('dropped sessions: calls in flight are transient failures, the next works, watchers hear what changed meanwhile', async () => {
    let calls = 0
    transport.watch(`${far}/w`, () => calls++, new AbortController().signal)
    await transport.write([], [{ path: `${far}/w`, mode: 0o600, content: '1' }])
    await until(() => calls > 0)
    const inFlight = failureOf(transport.run('sleep 60'))
    await new Promise((resolve) => setTimeout(resolve, 200))
    rig.fault('drop-ssh', '1')
    expect(await inFlight).toMatchObject({ code: 'transport_failed', level: 'transport', transient: true })
    const heard = calls
    rig.as('node1', 'sh', '-c', `echo 2 >>${far}/w`)
    await until(() => calls > heard, 15_000)
    expect((await transport.run('echo back')).stdout).toBe('back\n')
    rig.on('node1', 'sh', '-c', 'pkill -f "^sleep 60" || true')
  })

  test('a cut network is found within seconds and healed', async () => {
    let calls = 0
    transport.watch(`${far}/w`, () => calls++, new AbortController().signal)
    await transport.run('true')
    rig.fault('cut-network', '1')
    try {
      const start = performance.now()
      const error = await failureOf(transport.read([pieceOf(`${far}/w`)]))
      expect(error).toMatchObject({ code: 'transport_failed', transient: true })
      expect(performance.now() - start).toBeLessThan(20_000)
    } finally {
      rig.fault('heal-network', '1')
    }
    rig.as('node1', 'sh', '-c', `echo 2 >${far}/w`)
    await until(() => calls > 0, 30_000)
    expect((await transport.run('echo back')).stdout).toBe('back\n')
  })

  test('a restarted sshd is reached again', async () => {
    await transport.run('true')
    rig.fault('stop-sshd', '1')
    rig.fault('drop-ssh', '1')
    try {
      await until(async () => /refused the connection/.test((await failureOf(transport.run('true'))).message), 20_000)
    } finally {
      rig.fault('start-sshd', '1')
    }
    await until(async () => (await transport.run('echo back').catch(() => undefined))?.stdout === 'back\n', 20_000)
  })

  test('refused before anything runs: host key unknown or changed, user, key, port, name', async () => {
    const empty = join(local, 'empty')
    writeFileSync(empty, '')
    const other = join(local, 'other')
    execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', other])
    const changed = join(local, 'changed')
    writeFileSync(changed, `node1 ${readFileSync(`${other}.pub`, 'utf8')}`)
    const refusal = async (options: Partial<SshOptions>): Promise<string> => {
      const error = await failureOf(connect({ connectTimeoutMs: 3000, ...options }).run('true'))
      expect([error.code, error.level]).toEqual(['transport_failed', 'transport'])
      return `${error.display} ${error.transient ? 'transient' : 'lasting'}`
    }
    const key = (file: string): Partial<SshOptions> => ({ options: [`UserKnownHostsFile=${file}`] })
    expect(await refusal(key(empty))).toMatch(/node1: cannot connect: its host key is not known\n.*ssh .*node1.*ssh-keyscan.* lasting/s)
    expect(await refusal(key(changed))).toMatch(/host key is not the one that is known\n.*ssh-keygen -R node1.* lasting/s)
    expect(await refusal({ user: 'nobody' })).toMatch(/none of the keys offered.* lasting/s)
    const config = join(local, 'config')
    writeFileSync(config, readFileSync(rig.configFile, 'utf8').replace(/IdentityFile .*/g, `IdentityFile ${other}`))
    expect(await refusal({ configFile: config })).toMatch(/none of the keys offered.*ssh-copy-id.* lasting/s)
    expect(await refusal({ port: 2 })).toMatch(/refused the connection\n.*port 2.* transient/s)
    expect(await refusal({ host: 'no-such-host.invalid' })).toMatch(/name is not known.* transient/s)
    expect(await refusal({ configFile: join(local, 'none') })).toMatch(/configuration is wrong.* lasting/s)
    rig.fault('hang-node', '2')
    try {
      expect(await refusal({ host: 'node2' })).toMatch(/did not answer in time.* transient/s)
    } finally {
      rig.fault('thaw-node', '2')
    }
  })

  test("the user's own connection is used and left alone; a login's too", async () => {
    const own = join(local, 'own')
    const config = join(local, 'config')
    writeFileSync(config, `Host node1\n  ControlPath ${own}\n${readFileSync(rig.configFile, 'utf8')}`)
    execFileSync('ssh', ['-F', config, '-M', '-f', '-N', '-o', 'ControlPersist=yes', 'node1'], { stdio: 'ignore' })
    const check = (): number =>
      Number(execFileSync('sh', ['-c', `ssh -F ${config} -O check node1 2>/dev/null; echo $?`], { encoding: 'utf8' }))
    try {
      const shared = connect({ configFile: config })
      expect((await shared.run('echo mine')).stdout).toBe('mine\n')
      expect(readdirSync(join(local, 'c'))).toEqual([])
      await shared.close()
      expect(check()).toBe(0)
    } finally {
      execFileSync('ssh', ['-F', config, '-O', 'exit', 'node1'], { stdio: 'ignore' })
    }
  })
})
