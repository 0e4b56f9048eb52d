// Adds to package-lock.json the optional packages of other platforms that npm left out, as `npm ci` refuses a lock without
// them. npm leaves them out where a registry or an existing node_modules knows only this platform's
// (https://github.com/npm/cli/issues/4828). Run it after `npm install PACKAGE`.
import { readFileSync, writeFileSync } from 'node:fs'

const path = new URL('../package-lock.json', import.meta.url)
const lock = JSON.parse(readFileSync(path, 'utf8'))
const packages = lock.packages
const platform = /(?<os>android|darwin|freebsd|linux|win32|openbsd|netbsd|sunos|aix|openharmony)-(?<cpu>[a-z0-9]+)/
for (const { optionalDependencies = {}, dev } of Object.values({ ...packages })) {
  for (const [name, version] of Object.entries(optionalDependencies)) {
    const { os, cpu } = platform.exec(name)?.groups ?? {}
    packages[`node_modules/${name}`] ??= {
      version,
      ...(cpu && { cpu: [cpu] }),
      ...(dev && { dev }),
      optional: true,
      ...(os && { os: [os] }),
    }
  }
}
lock.packages = Object.fromEntries(Object.entries(packages).sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)))
writeFileSync(path, `${JSON.stringify(lock, null, 2)}\n`)
