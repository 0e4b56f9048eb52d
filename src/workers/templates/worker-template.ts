import type { WorkerInterface } from '../stubs/worker-interface.ts'

/** A file of a new worker's folder. */
export interface TemplateFile {
  /** Relative to the folder. */
  readonly path: string
  readonly content: string
  readonly isExecutable?: boolean
}

/** What the example task of a new worker offers, in either language. */
export function exampleInterface(name: string): WorkerInterface {
  return {
    name,
    models: [],
    tasks: [
      {
        name: 'greet',
        parameters: [],
        inputs: [
          { name: 'subject', type: { kind: 'string' }, isOptional: false },
          { name: 'times', type: { kind: 'int' }, isOptional: true },
        ],
        returns: { kind: 'string' },
      },
    ],
  }
}

/** Lines of a README that hold for every worker. */
export function readmeOf(name: string, about: string): string {
  return `# Worker ${name}

${about}

Try it, from the folder above:

    drover worker check ${name} --registry .
    drover worker run ${name} greet -i subject='"world"' --registry .

\`stubs.ts\` and \`stubs.py\` declare its tasks for graphs in TypeScript and in Python. After a change of the tasks:

    drover worker stubs ${name} --registry . --to typescript --write ${name}/stubs.ts
    drover worker stubs ${name} --registry . --to python --write ${name}/stubs.py
`
}
