import { mkdirSync, realpathSync, statSync } from 'node:fs'
import { dirname } from 'node:path'
import { type Document, isMap, parseDocument, type YAMLMap } from 'yaml'
import { DroverError, InputError } from '../errors.ts'
import { readConfigFile, userConfigPath } from './config-files.ts'
import { type LoadedTargets, type LoadTargetsOptions, loadTargets } from './load-targets.ts'
import { replaceFile, withFileLock } from './replace-file.ts'
import { spliceText } from './splice-text.ts'

/** The text of a file that had none. */
const NEW_FILE = 'version: 1\n'

/**
 * Changes a configuration file: what is not touched keeps its order and its comments. The change is checked as a whole, with
 * the site's rules and all other files, before it takes the old text's place by a rename; a file that is wrong already is
 * refused and left alone. A new file is 0600 (the user's) or as the umask says (a project's, which others read). A link is
 * followed. Resolves to all targets as they are then.
 *
 * @throws InputError `invalid_argument` for a change that the parser refuses; DroverError `invalid_config` for a file that
 * was wrong before, `no_permission`, `no_space`, `conflict`
 */
export async function editConfigFile(
  options: LoadTargetsOptions & {
    readonly path: string
    /** A further check of what would be; what it throws stops the change. */
    readonly validate?: (after: LoadedTargets) => void
  },
  change: (document: Document) => void,
): Promise<LoadedTargets> {
  const { path } = options
  makeParents(path)
  return await withFileLock(realPath(path), () => {
    loadTargets(options)
    const before = readConfigFile(path) ?? NEW_FILE
    const document = parseDocument(before) as Document
    const clean = compileDocument(document, before)
    change(document)
    const text = spliceText(before, clean, compileDocument(document, before))
    const loaded = checkText(options, text)
    options.validate?.(loaded)
    writeConfig(options, text)
    return loaded
  })
}

/**
 * Puts a text that a person has edited in the place of the one it was made from.
 *
 * @throws DroverError `conflict` when the file is another one by then; `invalid_config` with the place in the new text
 */
export async function replaceConfigText(
  options: LoadTargetsOptions & { readonly path: string },
  before: string | undefined,
  text: string,
): Promise<LoadedTargets> {
  const { path } = options
  makeParents(path)
  return await withFileLock(realPath(path), () => {
    if (readConfigFile(path) !== before)
      throw new DroverError('conflict', `${path} was changed while it was being edited`, { level: 'config' })
    const loaded = loadTargets({ ...options, overlay: { path, text } })
    writeConfig(options, text)
    return loaded
  })
}

function makeParents(path: string): void {
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
  } catch (error) {
    throw new DroverError('no_permission', `cannot make the directory ${dirname(path)}`, {
      level: 'config',
      cause: error,
      hint: 'Make it writable for you, or set XDG_CONFIG_HOME.',
    })
  }
}

/** Where a file of settings kept elsewhere (a link) really lies: a rename must not take the link's place. */
function realPath(path: string): string {
  try {
    return realpathSync(path)
  } catch {
    // There is none yet.
    return path
  }
}

function writeConfig({ path, environment }: LoadTargetsOptions & { readonly path: string }, text: string): void {
  const real = realPath(path)
  const mode = statSync(real, { throwIfNoEntry: false })?.mode
  replaceFile(real, text, mode === undefined ? (path === userConfigPath(environment) ? 0o600 : 0o666) : mode & 0o777)
}

/** Checks a text that was not written by hand: the place in it means nothing to anybody. */
function checkText(options: LoadTargetsOptions & { readonly path: string }, text: string): LoadedTargets {
  try {
    return loadTargets({ ...options, overlay: { path: options.path, text } })
  } catch (error) {
    if (!(error instanceof DroverError) || error.details.location?.file !== options.path) throw error
    const { hint } = error.details
    throw new InputError('invalid_argument', error.message, { cause: error, ...(hint === undefined ? {} : { hint }) })
  }
}

/** The document as text, in the habits of the text it was made from: `{a: 1}` or `{ a: 1 }`, lists indented or not. */
function compileDocument(document: Document, before: string): string {
  return document.toString({
    lineWidth: 0,
    flowCollectionPadding: /[{,] \w[^{}\n]*: [^{}\n]* \}/.test(before),
    indentSeq: !/^( *)[^\s#-][^\n]*:[ \t]*\n\1- /m.test(before),
  })
}

/** The mapping under a key of the file, made where it is missing or empty. Throws for a file that holds something else. */
export function mapAt(document: Document, path: readonly string[]): YAMLMap {
  if (!isMap(document.contents)) document.contents = document.createNode({ version: 1 })
  const found = path.length === 0 ? document.contents : document.getIn(path)
  if (isMap(found)) return found
  const made = document.createNode({})
  made.flow = false
  document.setIn(path, made)
  return made
}
