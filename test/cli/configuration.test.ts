import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { databaseUri } from '../../src/targets/databases.ts'
import { fakeDrover } from '../server/fake-drover.ts'
import { type CliRun, runFakeCli } from './fake-host.ts'

let base = ''
let environment: Record<string, string> = {}
beforeEach(() => {
  base = mkdtempSync(join(tmpdir(), 'drover-configuration-'))
  mkdirSync(join(base, 'project'))
  environment = {
    PATH: process.env['PATH'] ?? '',
    HOME: base,
    DROVER_HOME: join(base, 'home'),
    XDG_CONFIG_HOME: join(base, 'config'),
    DROVER_SITE_CONFIG: join(base, 'site.yaml'),
  }
})
afterEach(() => {
  vi.unstubAllEnvs()
  rmSync(base, { recursive: true, force: true })
})

const userFile = () => join(base, 'config/drover/config.yaml')
const projectFile = () => join(base, 'project/drover.yaml')
const put = (path: string, text: string): void => {
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(path, text)
}
const drover = (argv: readonly string[], stdin = ''): Promise<CliRun> =>
  runFakeCli(fakeDrover().drover, argv, { environment, directory: join(base, 'project'), readStdin: async () => stdin })
const line = (text: string, stdin = ''): Promise<CliRun> => drover(text.split(' '), stdin)
const user = (): string => readFileSync(userFile(), 'utf8')

describe('drover target', () => {
  test('add, change and remove by flags', async () => {
    const added = await line(
      'target add lab --kind ssh --node gpu1 --node user@gpu2:2222,gpus=4,private_ip=10.0.0.2 --root /scratch --shared-home --option max_sessions=4',
    )
    expect(added).toMatchObject({ code: 0, stdout: `added target lab (ssh, 2 nodes) in ${userFile()}\n` })
    expect(added.stderr).toContain('drover target check lab')
    expect(user()).toBe(`version: 1
targets:
  lab:
    kind: ssh
    root: /scratch
    max_sessions: 4
    shared_home: true
    nodes:
      - gpu1
      - {host: gpu2, user: user, port: 2222, gpus: 4, private_ip: 10.0.0.2}
`)
    expect(statSync(userFile()).mode & 0o777).toBe(0o600)
    const edited = await line('target edit lab --node gpu1,gpus=0+2 --node gpu2,private_ip= --no-shared-home --unset max_sessions -o json')
    expect(JSON.parse(edited.stdout)).toEqual({
      name: 'lab',
      kind: 'ssh',
      root: '/scratch',
      prologue: null,
      options: {
        nodes: [
          { host: 'gpu1', gpus: [0, 2] },
          { host: 'gpu2', user: 'user', port: 2222, gpus: 4 },
        ],
        shared_home: false,
      },
      file: userFile(),
    })
    expect((await line('target edit lab --remove-node gpu1 -o quiet')).stdout).toBe('lab\n')
    expect(JSON.parse((await line('target remove lab -o json')).stdout)).toEqual({ removed: 'lab', file: userFile(), still_in: null })
    expect(user()).not.toContain('lab')
  })

  test.each([
    ['target add lab --kind ssh', /target "lab" of kind ssh needs nodes\n {2}Name its hosts, the head first: --node/],
    ['target add lab --node gpu1', /target "lab" needs a kind\n {2}One of: local, .*ssh/],
    ['target add lab --kind shs --node gpu1', /Did you mean "ssh"/],
    ['target add a/b --kind ssh --node gpu1', /the target name "a\/b" is not usable/],
    ['target add lab --kind ssh --node gpu1,gpu=4', /nodes\[0\]\.gpu must be written "gpus"/],
    ['target add lab --kind ssh --node gpu1 --option cpus', /--option "cpus": it takes KEY=VALUE/],
    ['target add lab --kind ssh --node gpu1 --option sharedhome=true', /Did you mean "shared_home"/],
    ['target add lab --kind ssh --node gpu1 --root scratch', /root must be absolute/],
    ['target add local --kind local', /there is a target "local" already\n {2}Change it: drover target edit local/],
    ['target edit lap --root /x', /no target "lap"/],
    ['target remove lap', /no target "lap"/],
    ['target remove local', /"local" is always there/],
  ])('%s', async (text, says) => {
    const run = await line(text)
    expect(run).toMatchObject({ code: 125, stdout: '' })
    expect(run.stderr).toMatch(says)
    expect(existsSync(userFile())).toBe(false)
  })

  test('an existing name is refused with the way to change it', async () => {
    await line('target add lab --kind ssh --node gpu1')
    const before = user()
    const again = await line('target add lab --kind ssh --node gpu2')
    expect(again.code).toBe(125)
    expect(again.stderr).toContain(`there is a target "lab" already (${userFile()})\n  Change it: drover target edit lab`)
    expect(user()).toBe(before)
  })

  test("a project's file: made where there is none, found above, and edited where only it has the target", async () => {
    await line('target add lab --kind ssh --node gpu1 --project')
    expect(readFileSync(projectFile(), 'utf8')).toContain('lab:')
    expect(existsSync(userFile())).toBe(false)
    await line('target edit lab --root /scratch')
    expect(readFileSync(projectFile(), 'utf8')).toContain('root: /scratch')
    expect((await line('target remove lab')).stdout).toContain(projectFile())
  })

  test("what the site's file has is extended in one's own", async () => {
    put(join(base, 'site.yaml'), 'targets: {lab: {kind: ssh, nodes: [gpu1, {host: gpu2, gpus: 4}]}}\n')
    expect((await line('target edit lab --node gpu2,gpus=2')).code).toBe(0)
    expect(user()).toContain('kind: ssh\n    nodes:\n      - gpu1\n      - {host: gpu2, gpus: 2}\n')
    const removed = JSON.parse((await line('target remove lab -o json')).stdout) as unknown
    expect(removed).toEqual({ removed: 'lab', file: userFile(), still_in: join(base, 'site.yaml') })
    expect((await line('target remove lab')).stderr).toContain(`It is in ${join(base, 'site.yaml')}.`)
  })

  test('the rules of the site hold, and its file is named', async () => {
    put(join(base, 'site.yaml'), 'limits:\n  roots: [/scratch]\n  options: {ssh: [nodes]}\n')
    const root = await line('target add lab --kind ssh --node gpu1 --root /home/x')
    expect(root.stderr).toMatch(/its root \/home\/x is outside those that .*site\.yaml allows\n {2}Set root to one of these/)
    const implied = await line('target add lab --kind ssh --node gpu1')
    expect(implied.stderr).toMatch(/its root ~\/\.drover is outside/)
    const option = await line('target add lab --kind ssh --node gpu1 --root /scratch/me --shared-home')
    expect(option.stderr).toMatch(/the option shared_home may not be set here, says .*site\.yaml\n {2}Those that may: nodes\./)
    expect((await line('target add lab --kind ssh --node gpu1 --root /scratch/me')).code).toBe(0)
    put(projectFile(), 'limits: {roots: [/]}\n')
    expect((await line('target edit lab --root /scratch')).stderr).toMatch(/drover\.yaml:1:10: limits\.roots and .* the site's file only/)
  })

  describe('edit without flags opens an editor', () => {
    const editor = (script: string): void => {
      put(join(base, 'editor.sh'), `#!/bin/sh\n${script}\n`)
      chmodSync(join(base, 'editor.sh'), 0o755)
      environment['EDITOR'] = join(base, 'editor.sh')
    }
    beforeEach(async () => {
      await line('target add lab --kind ssh --node gpu1')
    })

    test('and takes what is right', async () => {
      editor('sed -i "s/gpu1/gpu9/" "$1"')
      expect(await line('target edit lab')).toMatchObject({ code: 0, stdout: `changed target lab (ssh, 1 node) in ${userFile()}\n` })
      expect(user()).toContain('gpu9')
    })
    test('and keeps what is wrong beside it, with the place', async () => {
      editor('sed -i "s/nodes/noodes/" "$1"')
      const before = user()
      const run = await line('target edit lab')
      expect(run).toMatchObject({ code: 125, stdout: '' })
      const [, kept, row] = /drover: (\S+):(\d+):5: target "lab" \(ssh\): key "noodes" is not known/.exec(run.stderr) ?? []
      expect([row, run.stderr]).toEqual(['5', expect.stringContaining(`Nothing was changed; your text is kept in ${kept}.`)])
      expect(readFileSync(kept ?? '', 'utf8')).toContain('noodes')
      rmSync(dirname(kept ?? ''), { recursive: true })
      expect(user()).toBe(before)
    })
    test('an editor that fails changes nothing', async () => {
      editor('echo broken > "$1"; exit 3')
      const before = user()
      expect((await line('target edit lab')).stderr).toMatch(/ended with 3; nothing was changed/)
      expect(user()).toBe(before)
    })
    test('an editor that changes nothing says so', async () => {
      editor('true')
      expect(JSON.parse((await line('target edit lab -o json')).stdout)).toEqual({ name: 'lab', file: userFile(), changed: false })
    })
    test('a file that is wrong can be mended', async () => {
      put(userFile(), 'targets: {lab: {knd: ssh, nodes: [gpu1]}}\n')
      expect((await line('target edit lab --root /x')).stderr).toMatch(/config\.yaml:1:11: target "lab" needs a kind/)
      editor('sed -i "s/knd/kind/" "$1"')
      const run = await line('target edit lab')
      expect(run.code, run.stderr).toBe(0)
      expect(user()).toContain('{kind: ssh')
    })
    test('a change by somebody else meanwhile is not lost', async () => {
      editor(`echo '# theirs' >> ${userFile()}; sed -i "s/gpu1/gpu9/" "$1"`)
      expect((await line('target edit lab')).stderr).toMatch(/was changed while it was being edited/)
      expect(user()).toContain('# theirs')
    })
  })
})

describe('drover target login', () => {
  /** Stands for ssh: a file in place of its control socket; `gpu9` refuses. */
  const SSH = `#!/bin/sh
for a; do case $a in ControlPath=*) s=\${a#ControlPath=} ;; esac; last=$a; done
echo "$*" >>"$HOME/asked"
case "$*" in
  *'-O check'*) [ -e "$s" ] ;;
  *'-O exit'*) rm "$s" ;;
  *-fNT*) [ "$last" != gpu9 ] && echo >"$s" ;;
  *) exit 9 ;;
esac`
  const login = async (flags = ''): Promise<unknown> => {
    const run = await line(`target login lab -o json${flags}`)
    return [run.code, JSON.parse(run.stdout) as unknown]
  }
  beforeEach(async () => {
    vi.stubEnv('TMPDIR', base)
    put(join(base, 'bin/ssh'), SSH)
    chmodSync(join(base, 'bin/ssh'), 0o755)
    environment['PATH'] = `${join(base, 'bin')}:${environment['PATH']}`
    await line('target add lab --kind ssh --node gpu1,identity_file=~/key --node gpu2 --option ssh_config=~/conf')
  })

  test('opens each node once, says when it is open, and when it has expired', async () => {
    expect(await login(' --check')).toEqual([
      125,
      [
        { node: 'gpu1', state: 'expired' },
        { node: 'gpu2', state: 'expired' },
      ],
    ])
    expect(await login()).toEqual([
      0,
      [
        { node: 'gpu1', state: 'opened' },
        { node: 'gpu2', state: 'opened' },
      ],
    ])
    expect(await login()).toEqual([
      0,
      [
        { node: 'gpu1', state: 'open' },
        { node: 'gpu2', state: 'open' },
      ],
    ])
    const [directory = ''] = readdirSync(base).filter((name) => name.startsWith('drover-ssh-'))
    expect(statSync(join(base, directory)).mode & 0o777).toBe(0o700)
    for (const socket of readdirSync(join(base, directory)).slice(0, 1)) rmSync(join(base, directory, socket))
    expect((await line('target login lab --check')).stdout).toMatch(/is not open \(expired, cut, or never opened\)/)
    expect(await login(' --close')).toEqual([
      0,
      [
        { node: 'gpu1', state: 'closed' },
        { node: 'gpu2', state: 'closed' },
      ],
    ])
    expect(await login(' --check')).toEqual([125, expect.anything()])
    const asked = readFileSync(join(base, 'asked'), 'utf8')
    expect(asked).toContain(`-F ${join(base, 'conf')} -i ${join(base, 'key')}`)
    expect(asked).toMatch(/BatchMode=no .*-fNT -- gpu2\n/)
  })

  test('a node that refuses is named; the others are open', async () => {
    await line('target edit lab --node gpu9')
    expect(await login()).toEqual([
      125,
      [
        { node: 'gpu1', state: 'opened' },
        { node: 'gpu2', state: 'opened' },
        { node: 'gpu9', state: 'failed' },
      ],
    ])
  })

  test('where there is nothing to log in to, and where others could listen', async () => {
    expect((await line('target login local')).stderr).toMatch(/"local" is of kind local: there is nothing to log in to/)
    expect((await line('target login lap')).stderr).toMatch(/no target "lap"\n {2}Did you mean "lab"/)
    await login()
    const [directory = ''] = readdirSync(base).filter((name) => name.startsWith('drover-ssh-'))
    chmodSync(join(base, directory), 0o777)
    expect((await line('target login lab')).stderr).toMatch(/is open to others or not yours/)
  })
})

describe('drover db', () => {
  const secret = 'p@ss/w:ord %41 ü'
  const uri = (name: string) =>
    databaseUri(name, { home: environment['DROVER_HOME'] ?? '', environment, clientDirectory: join(base, 'project') })
  const everything = (): string =>
    readdirSync(base, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile() && !entry.parentPath.endsWith('/secrets'))
      .map((entry) => readFileSync(join(entry.parentPath, entry.name), 'utf8'))
      .join('\n')

  test('a password is kept apart, and stands in the URI of the job alone', async () => {
    const added = await line('db add studies --uri postgresql://ada@db.lab:5432/optuna?sslmode=require --password-stdin', `${secret}\n`)
    expect(added).toMatchObject({ code: 0, stderr: '' })
    const listed = await line('db list -o json')
    expect(JSON.parse(listed.stdout)).toEqual([
      { name: 'studies', uri: 'postgresql://ada@db.lab:5432/optuna?sslmode=require', password: 'stored', file: userFile() },
    ])
    const stored = join(base, 'home/secrets/database-studies.json')
    expect([statSync(stored).mode & 0o777, statSync(dirname(stored)).mode & 0o777]).toEqual([0o600, 0o700])
    for (const text of [added.stdout, listed.stdout, (await line('db list')).stdout, everything()]) expect(text).not.toContain(secret)
    const full = await uri('studies')
    expect(full).toBe(`postgresql://ada:${encodeURIComponent(secret)}@db.lab:5432/optuna?sslmode=require`)
    expect(decodeURIComponent(new URL(full).password)).toBe(secret)
    await line('db remove studies')
    expect(existsSync(stored)).toBe(false)
    await expect(uri('studies')).rejects.toThrow('no database "studies"')
  })

  test('by parts, changed by parts', async () => {
    await line('db add studies --type mysql --host db.lab --port 3306 --user ada')
    expect(await uri('studies')).toBe('mysql://ada@db.lab:3306/studies')
    await line('db edit studies --port 3307 --database optuna')
    expect(await uri('studies')).toBe('mysql://ada@db.lab:3307/optuna')
    await line('db edit studies --host 2001:db8::1')
    expect(await uri('studies')).toBe('mysql://ada@[2001:db8::1]:3307/optuna')
  })

  test('a stored password does not go to another host', async () => {
    await line('db add studies --uri postgresql://ada@db.lab/x --password-stdin', 'secret')
    put(projectFile(), 'databases: {studies: {uri: "postgresql://ada@elsewhere/x"}}\n')
    expect(await uri('studies')).toBe('postgresql://ada@elsewhere/x')
    rmSync(projectFile())
    const edited = await line('db edit studies --host elsewhere')
    expect(edited.stderr).toContain('the stored password was for another account')
    expect(await uri('studies')).toBe('postgresql://ada@elsewhere/x')
  })

  test('a command gives the password when it is needed', async () => {
    await drover(['db', 'add', 'studies', '--uri', 'postgresql://ada@db.lab/x', '--password-command', 'printf "%s\\n" "a b"'])
    expect(await uri('studies')).toBe('postgresql://ada:a%20b@db.lab/x')
    await drover(['db', 'edit', 'studies', '--password-command', 'echo no >&2; exit 4'])
    await expect(uri('studies')).rejects.toMatchObject({ code: 'missing_secret', message: expect.stringContaining('(exit 4)') })
    await drover(['db', 'edit', 'studies', '--password-command', 'true'])
    await expect(uri('studies')).rejects.toThrow('printed nothing')
  })

  test('a password in a URI moves, and is said', async () => {
    const added = await line('db add studies --uri postgres://ada:secret@db.lab/x')
    expect(added.stderr).toContain('--password-stdin')
    expect(user()).toContain('postgresql://ada@db.lab/x')
    expect(everything()).not.toContain('secret')
    expect(await uri('studies')).toBe('postgresql://ada:secret@db.lab/x')
  })

  test.each([
    ['db add studies', /needs --uri/],
    ['db add studies --uri sqlite:///x', /no address of a PostgreSQL or MySQL/],
    ['db add studies --uri postgresql://ada:se/cret@db/x', /%2F/],
    ['db add studies --uri postgresql://db/x --port 1', /give it alone/],
    ['db add a/b --uri postgresql://db/x', /not usable/],
    ['db edit studies --port 1', /no database "studies"/],
    ['db add studies --uri postgresql://db/x --password-stdin', /holds no password/],
  ])('%s is refused', async (text, says) => {
    const run = await line(text)
    expect(run.code).toBe(125)
    expect(run.stderr).toMatch(says)
    expect(run.stderr).not.toContain('cret')
    expect(existsSync(userFile())).toBe(false)
  })

  test('a password in the file is refused without showing it', async () => {
    for (const entry of ['uri: "postgresql://ada:secret@db/x"', 'uri: "postgresql://db/x", password: secret']) {
      put(userFile(), `databases: {studies: {${entry}}}\n`)
      const run = await line('db list')
      expect(run.stderr).toMatch(/config\.yaml:1:\d+: database "studies": the password does not belong into this file/)
      expect(run.stderr).not.toContain('secret')
    }
  })
})

describe('drover import torch-submit', () => {
  const ID = '3f0c2c4e-8f1b-4c58-9a43-0d3a1f2b6c7d'
  interface Imported {
    readonly lines: readonly { readonly what: string; readonly outcome: string; readonly detail: string }[]
  }
  const imported = async (flags = ''): Promise<readonly string[]> => {
    const run = await line(`import torch-submit -o json${flags}`)
    expect(run.code, run.stderr).toBe(0)
    return (JSON.parse(run.stdout) as Imported).lines.map(({ what, outcome, detail }) => `${what}: ${outcome} (${detail})`)
  }
  beforeEach(() => {
    const from = join(base, '.cache/torch-submit')
    put(
      join(from, 'config.yaml'),
      'clusters: {lab: {head_node: {public_ip: 127.0.0.1, ssh_port: 1, num_gpus: 2}, worker_nodes: []}}\n' +
        'databases: {studies: {address: db, port: 5432, username: ada, password: secret, type: postgres}}\n',
    )
    const database = new DatabaseSync(join(from, 'jobs.db'))
    database.exec('CREATE TABLE jobs (id TEXT, name TEXT, status TEXT, working_dir TEXT, nodes TEXT, cluster TEXT)')
    database.prepare('INSERT INTO jobs VALUES (?, ?, ?, ?, ?, ?)').run(ID, 'brave-otter-1', 'crashed', '/z', '', 'lab')
    database.close()
  })

  test('says what it would do, does it, and does nothing twice', async () => {
    const dry = ['target: would be imported (127.0.0.1)', 'database: would be imported (postgresql+psycopg2://ada@db:5432/torch_submit)']
    expect(await imported(' --dry-run')).toEqual([...dry, 'job: would be looked at (torch-submit: crashed)'])
    expect(existsSync(userFile())).toBe(false)
    expect(await imported(' --no-jobs')).toEqual(dry.map((text) => text.replace('would be imported', 'imported')))
    expect(user()).toContain('{host: 127.0.0.1, port: 1, gpus: 2}')
    expect(user()).not.toContain('secret')
    const places = { home: environment['DROVER_HOME'] ?? '', environment }
    expect(await databaseUri('studies', places)).toBe('postgresql+psycopg2://ada:secret@db:5432/torch_submit')
    const before = user()
    expect(await imported(' --no-jobs')).toEqual(dry.map((text) => text.replace('would be imported', 'there already')))
    expect(user()).toBe(before)
  })

  test('a job whose nodes cannot be asked gets no state', async () => {
    expect((await imported())[2]).toMatch(/^job: unknown \(ssh 127\.0\.0\.1:1: cannot connect: .*; torch-submit: crashed\)$/)
  })

  test('a target of the same name with other nodes is left alone, and nobody looks for the job there', async () => {
    await line('target add lab --kind ssh --node elsewhere')
    const [target, , job] = await imported()
    expect([target, job]).toEqual([
      'target: there already (127.0.0.1)',
      'job: unknown (the target lab that is there has other nodes; rename it, then import again)',
    ])
    expect(user()).toContain('elsewhere')
  })

  test('where there is nothing of it', async () => {
    expect((await line('import torch-submit --dir nowhere')).stderr).toMatch(
      /nothing of torch-submit in .*project\/nowhere\n {2}Name its directory/,
    )
  })
})
