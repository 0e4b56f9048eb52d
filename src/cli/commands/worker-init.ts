import { mkdirSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join, relative, resolve } from 'node:path'
import { InputError } from '../../errors.ts'
import { packageFacts } from '../../server/package-root.ts'
import { pythonTemplate } from '../../workers/templates/python-template.ts'
import { typescriptTemplate } from '../../workers/templates/typescript-template.ts'
import type { Cli } from '../cli.ts'

/** Flags of `drover worker init`. */
export interface InitFlags {
  readonly registry?: readonly string[]
  readonly python?: boolean
  readonly typescript?: boolean
}

/** Also a name in Python and in Tierkreis's interfaces. */
const NAME = /^[A-Za-z][A-Za-z0-9_]*$/

/** `drover worker init NAME`: a folder with a worker that works at once. Nothing that exists is touched. */
export async function initWorker(cli: Cli, name: string, flags: InitFlags): Promise<void> {
  if (!NAME.test(name)) {
    throw new InputError('invalid_argument', `"${name}" is no name for a worker`, { hint: 'A letter, then letters, digits and "_".' })
  }
  if (flags.python && flags.typescript) throw new InputError('invalid_argument', 'give one of --python and --typescript')
  const registry = resolve(cli.host.directory, flags.registry?.[0] ?? 'workers')
  const folder = join(registry, name)
  if (statSync(folder, { throwIfNoEntry: false }) !== undefined) {
    throw new InputError('conflict', `${folder} exists already`, { hint: 'Take another name, or remove it.' })
  }
  const kind = flags.python ? 'python' : 'typescript'
  const { root, version } = packageFacts()
  const files = kind === 'python' ? pythonTemplate(name) : typescriptTemplate(name, version)
  for (const { path, content, isExecutable } of files) {
    const target = join(folder, path)
    mkdirSync(dirname(target), { recursive: true })
    writeFileSync(target, content, { mode: isExecutable ? 0o755 : 0o644 })
  }
  const isLinked = kind === 'typescript' && linkPackage(folder, root)
  const shown = relative(cli.host.directory, folder) || folder
  await cli.print({
    json: { name, kind, path: folder, files: files.map(({ path }) => path) },
    ids: [folder],
    text: () => `${files.map(({ path }) => `${shown}/${path}\n`).join('')}`,
  })
  if (isLinked) await cli.say(`${shown}/node_modules/drover leads to this installation: npm install in ${shown} takes its place`)
  const registryFlag =
    registry === resolve(cli.host.directory, 'workers') ? '' : ` --registry ${relative(cli.host.directory, registry) || '.'}`
  await cli.say(`next: drover worker run ${name} greet -i subject=world${registryFlag}`)
}

/** Lets the new worker import `drover/worker` where no folder above has the package. */
function linkPackage(folder: string, root: string): boolean {
  try {
    createRequire(join(folder, 'main.ts')).resolve('drover/worker')
    return false
  } catch {
    mkdirSync(join(folder, 'node_modules'))
    symlinkSync(root, join(folder, 'node_modules', 'drover'))
    return true
  }
}
