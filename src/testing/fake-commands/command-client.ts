import { chmodSync, mkdirSync, writeFileSync } from 'node:fs'
import { quoteShell } from '../../driver/quote.ts'

/**
 * The program behind each command: sends what it was called with over the socket and plays back what comes: lines of JSON,
 * `{o}`/`{e}` bytes for stdout/stderr, `{stdin}` a request for input, `{exit}` the end. Plain CommonJS, so that it starts fast.
 */
const CLIENT = `'use strict'
const net = require('node:net')
const [socketPath, command, ...argv] = process.argv.slice(2)
const link = net.connect(socketPath)
const send = (value) => link.writable && link.write(JSON.stringify(value) + '\\n')
let code
let text = ''
for (const stream of [process.stdout, process.stderr]) stream.on('error', () => {})
for (const name of ['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGUSR1', 'SIGUSR2', 'SIGQUIT', 'SIGCONT', 'SIGALRM'])
  process.on(name, () => (command === 'srun' ? send({ signal: name }) : process.exit(128 + require('node:os').constants.signals[name])))
link.on('connect', () => send({ command, argv, cwd: process.cwd(), env: process.env, pid: process.pid }))
link.setEncoding('utf8')
link.on('data', (piece) => {
  text += piece
  for (let end = text.indexOf('\\n'); end >= 0; end = text.indexOf('\\n')) {
    const frame = JSON.parse(text.slice(0, end))
    text = text.slice(end + 1)
    if (frame.o) process.stdout.write(Buffer.from(frame.o, 'base64'))
    if (frame.e) process.stderr.write(Buffer.from(frame.e, 'base64'))
    if (frame.stdin) {
      process.stdin.on('data', (bytes) => send({ in: bytes.toString('base64') }))
      process.stdin.on('error', () => send({ in: null }))
      process.stdin.on('end', () => send({ in: null }))
    }
    if (frame.exit !== undefined) code = frame.exit
  }
})
link.on('error', (error) => {
  process.stderr.write(command + ': error: the fake is closed: ' + error.message + '\\n')
  code = 1
})
link.on('close', () => {
  process.exitCode = code === undefined ? 1 : code
  process.stdin.destroy()
})
`

/** Writes `bin/` with one executable per command; gives its path. */
export function installCommands(directory: string, socketPath: string, commands: readonly string[]): string {
  const bin = `${directory}/bin`
  mkdirSync(bin, { recursive: true })
  const client = `${directory}/client.cjs`
  writeFileSync(client, CLIENT)
  for (const command of commands) {
    const path = `${bin}/${command}`
    const words = [process.execPath, client, socketPath, command].map(quoteShell).join(' ')
    writeFileSync(path, `#!/bin/sh\nexec ${words} "$@"\n`)
    chmodSync(path, 0o755)
  }
  return bin
}
