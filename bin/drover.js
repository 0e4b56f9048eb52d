#!/usr/bin/env node
// Written for any Node that knows modules: an old one must get as far as the message below.
import module from 'node:module'

// An import of node:fs would read every named export, and with it load streams: 8 ms of each command.
const require = module.createRequire(import.meta.url)
const { existsSync } = require('node:fs')
const { homedir } = require('node:os')
const { join } = require('node:path')
const { fileURLToPath } = require('node:url')

const root = fileURLToPath(new URL('..', import.meta.url))

function isNewEnough(version) {
  const [major, minor] = version.split('.').map(Number)
  return major > 22 || (major === 22 && minor >= 18)
}

/** Runs the same command line under the Node that was installed with the package. */
async function runUnder(node) {
  const { spawn } = require('node:child_process')
  const child = spawn(node, [fileURLToPath(import.meta.url), ...process.argv.slice(2)], {
    stdio: 'inherit',
    env: { ...process.env, DROVER_NODE_CHOSEN: '1' },
  })
  // The terminal sends Ctrl-C to both; what is sent to this process alone is handed on.
  process.on('SIGINT', () => {})
  for (const signal of ['SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal))
  child.on('error', (error) => {
    process.stderr.write(`drover: cannot run ${node}: ${error.message}\n`)
    process.exitCode = 125
  })
  child.on('exit', (code, signal) => {
    process.exitCode = code ?? (signal === 'SIGINT' ? 130 : signal === 'SIGTERM' ? 143 : 125)
  })
}

async function start() {
  delete process.env.DROVER_NODE_CHOSEN
  const home = process.env.DROVER_HOME || join(homedir(), '.drover')
  // Only inside a home that exists: Drover alone makes it, with its own permissions.
  if (existsSync(home)) module.enableCompileCache?.(join(home, 'cache', 'node'))
  const emit = process.emitWarning
  process.emitWarning = (warning, ...rest) => {
    // node:sqlite is a release candidate, and its use here is a decision of Drover's, not of the user's.
    if (String(warning).startsWith('SQLite is an experimental feature')) return
    emit.call(process, warning, ...rest)
  }
  const built = existsSync(join(root, 'dist', 'cli.js'))
  if (process.argv[2] === 'list' && built) {
    const { fastList } = await import('../dist/fast-list.js')
    const code = await fastList(process.argv.slice(3))
    if (code !== undefined) {
      process.exitCode = code
      return
    }
  }
  if (process.argv.slice(2).join(' ') === 'supervisor run' && built) {
    const { runDaemon } = await import('../dist/daemon.js')
    process.exitCode = await runDaemon(process.env)
    return
  }
  const { main } = await import(built ? '../dist/cli.js' : '../src/cli/main.ts')
  await main()
}

const installed = join(root, 'node_modules', 'node', 'bin', 'node')
if (isNewEnough(process.versions.node)) await start()
else if (existsSync(installed) && process.env.DROVER_NODE_CHOSEN !== '1') await runUnder(installed)
else {
  process.stderr.write(
    `drover: it needs Node 22.18 or newer, and this is ${process.versions.node} (${process.execPath}).\n  Install a newer Node: https://nodejs.org\n`,
  )
  process.exitCode = 125
}
