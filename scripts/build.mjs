// Bundles the CLI, the library and the testing entry into dist/. `--types` also writes declarations.
import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync, rmSync, symlinkSync } from 'node:fs'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { build } from 'esbuild'

const root = fileURLToPath(new URL('..', import.meta.url))
process.chdir(root)
rmSync('dist', { recursive: true, force: true })

/**
 * Takes node: modules as objects. An ES import of one reads every named export, and with it what Node loads lazily:
 * 25 ms for node:http alone.
 */
const builtinModules = {
  name: 'builtin-modules',
  setup(plugin) {
    plugin.onResolve({ filter: /^node:/ }, ({ path }) => ({ path, namespace: 'builtin' }))
    plugin.onLoad({ filter: /.*/, namespace: 'builtin' }, ({ path }) => ({
      contents: `module.exports = process.getBuiltinModule(${JSON.stringify(path)})`,
    }))
  },
}
/** What commands import and few of them use: loaded when one of its exports is first asked for, which saves 20 ms. */
const SELDOM_USED = /^(?:node:(?:child_process|crypto|http|net|sqlite|zlib)|yaml)$/
/** Text of a CommonJS module whose exports are those of another, taken one by one when they are used. */
const whenUsed = (load) => `let loaded
module.exports = Object.create(
  new Proxy({}, { get: (_, name) => (name === '__esModule' ? undefined : (loaded ??= ${load})[name]) }),
)`
const loadedWhenUsed = {
  name: 'loaded-when-used',
  setup(plugin) {
    plugin.onResolve({ filter: SELDOM_USED }, ({ path, namespace }) =>
      namespace === 'when-used' ? undefined : { path, namespace: 'when-used' },
    )
    plugin.onLoad({ filter: /.*/, namespace: 'when-used' }, ({ path }) => ({
      contents: whenUsed(
        path.startsWith('node:') ? `process.getBuiltinModule(${JSON.stringify(path)})` : `require(${JSON.stringify(path)})`,
      ),
      resolveDir: root,
    }))
  },
}
/** The library that lays out drawings is half of all code: a file of its own, which the commands that draw load. */
const LAYOUT = 'elkjs/lib/elk.bundled.js'
const layoutApart = {
  name: 'layout-apart',
  setup(plugin) {
    plugin.onResolve({ filter: /^elkjs[/]/ }, ({ kind }) => (kind === 'dynamic-import' ? { path: './elk.js', external: true } : undefined))
  },
}
/** Puts the text of Python programs in the place of reading them: `readFileSync(new URL('./x.py', import.meta.url), 'utf8')`. */
const programText = {
  name: 'program-text',
  setup(plugin) {
    plugin.onLoad({ filter: /[/]worker-host-text[.]ts$/ }, ({ path }) => {
      const read = (_, name) => JSON.stringify(readFileSync(new URL(name, pathToFileURL(path)), 'utf8'))
      const contents = readFileSync(path, 'utf8').replace(/readFileSync\(new URL\('([^']+)', import[.]meta[.]url\), 'utf8'\)/g, read)
      return { contents, loader: 'ts' }
    })
  },
}
const shared = {
  outdir: 'dist',
  bundle: true,
  // Names stay, for stack traces: keeping them beside shorter ones would cost a call wherever a function is made.
  minifyWhitespace: true,
  minifySyntax: true,
  // A stack trace prints the whole line it points at.
  lineLimit: 160,
  platform: 'node',
  format: 'esm',
  target: 'node22',
  sourcemap: 'linked',
  plugins: [builtinModules, programText],
  // For dependencies in CommonJS.
  banner: { js: "const require = process.getBuiltinModule('node:module').createRequire(import.meta.url);" },
  logLevel: 'warning',
}
await build({
  ...shared,
  entryPoints: { index: 'src/index.ts', testing: 'src/testing/index.ts' },
  splitting: true,
  chunkNames: 'chunks/[name]-[hash]',
  external: ['vitest'],
})
// Files without chunks: each that Node has to find and link costs a command a millisecond; what a command does not use of the
// one file is not run.
await build({ ...shared, plugins: [loadedWhenUsed, builtinModules, programText, layoutApart], entryPoints: { cli: 'src/cli/main.ts' } })
await build({ ...shared, entryPoints: { elk: LAYOUT } })
// `drover list` is called in loops, and a command waits for the supervisor that it starts.
await build({ ...shared, entryPoints: { 'fast-list': 'src/cli/fast-list.ts', daemon: 'src/server/daemon.ts' } })
// A worker's process starts for each call: what it loads is one small file.
await build({ ...shared, entryPoints: { worker: 'src/workers/sdk/index.ts' } })
// `npx drover` in a checkout: npm links the commands of dependencies only, not the package's own.
if (existsSync('node_modules/.bin')) {
  rmSync('node_modules/.bin/drover', { force: true })
  symlinkSync('../../bin/drover.js', 'node_modules/.bin/drover')
}
if (process.argv.includes('--types')) {
  const result = spawnSync(
    'npx',
    [
      'tsc',
      '--noEmit',
      'false',
      '--declaration',
      '--emitDeclarationOnly',
      '--rootDir',
      'src',
      '--outDir',
      'dist/types',
      '--include',
      'src',
    ],
    { stdio: 'inherit' },
  )
  process.exitCode = result.status ?? 1
}
