import { compilePythonStubs } from '../stubs/python-compiler.ts'
import { compileTypeScriptStubs } from '../stubs/typescript-compiler.ts'
import { exampleInterface, readmeOf, type TemplateFile } from './worker-template.ts'

/** The folder of a new worker in TypeScript. `version` is the release of Drover that it is written for. */
export function typescriptTemplate(name: string, version: string): readonly TemplateFile[] {
  const described = exampleInterface(name)
  const main = `import { int, optional, string, worker } from 'drover/worker'

const ${identifier(name)} = worker('${name}').task(
  'greet',
  { inputs: { subject: string, times: optional(int, 1) }, outputs: string },
  ({ subject, times }) => \`hello \${subject} \`.repeat(times).trimEnd(),
)

await ${identifier(name)}.app()
`
  const script = `#!/bin/sh
# What executors start: node with the worker beside this file, also through a link named tkr-${name} on PATH.
# Node runs TypeScript from 22.18 on; Drover names the one that it runs under.
exec "\${DROVER_NODE:-node}" "$(dirname -- "$(readlink -f -- "$0")")/main.ts" "$@"
`
  const manifest = {
    name: `tkr-${name.replaceAll('_', '-').toLowerCase()}`,
    version: '0.1.0',
    private: true,
    type: 'module',
    engines: { node: '>=22.18' },
    dependencies: { drover: `^${version}` },
  }
  const about = 'Written in TypeScript, which Node runs as it is: `main.ts` holds the tasks, `main.sh` starts it.'
  return [
    { path: 'main.ts', content: main },
    { path: 'main.sh', content: script, isExecutable: true },
    { path: 'package.json', content: `${JSON.stringify(manifest, null, 2)}\n` },
    { path: 'stubs.ts', content: compileTypeScriptStubs(described) },
    { path: 'stubs.py', content: compilePythonStubs(described) },
    { path: 'README.md', content: readmeOf(name, about) },
    { path: '.gitignore', content: 'node_modules/\n' },
  ]
}

function identifier(name: string): string {
  const word = name.replaceAll(/[^A-Za-z0-9_]/g, '_')
  return `${/^\d/.test(word) ? '_' : ''}${word}Worker`
}
