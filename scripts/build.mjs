// Bundles the CLI, the library and the testing entry into dist/. `--types` also writes declarations.
import { spawnSync } from 'node:child_process'
import { existsSync, rmSync, symlinkSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
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
const shared = {
  outdir: 'dist',
  bundle: true,
  minify: true,
  // A stack trace prints the whole line it points at.
  lineLimit: 160,
  keepNames: true,
  platform: 'node',
  format: 'esm',
  target: 'node22',
  sourcemap: 'linked',
  plugins: [builtinModules],
  // For dependencies in CommonJS.
  banner: { js: "const require = process.getBuiltinModule('node:module').createRequire(import.meta.url);" },
  logLevel: 'warning',
}
await build({
  ...shared,
  entryPoints: { cli: 'src/cli/main.ts', index: 'src/index.ts', testing: 'src/testing/index.ts' },
  splitting: true,
  chunkNames: 'chunks/[name]-[hash]',
  external: ['vitest'],
})
// Files without chunks: `drover list` is called in loops, and a command waits for the supervisor that it starts.
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
