import { compilePythonStubs } from '../stubs/python-compiler.ts'
import { compileTypeScriptStubs } from '../stubs/typescript-compiler.ts'
import { exampleInterface, readmeOf, type TemplateFile } from './worker-template.ts'

/** The folder of a new worker in Python: a uv project, as Tierkreis's UvExecutor runs it (2.0.9 to 2.1.1). */
export function pythonTemplate(name: string): readonly TemplateFile[] {
  const described = exampleInterface(name)
  const main = `from sys import argv

from tierkreis import Worker

worker = Worker("${name}")


@worker.task()
def greet(subject: str, times: int = 1) -> str:
    return " ".join([f"hello {subject}"] * times)


if __name__ == "__main__":
    worker.app(argv)
`
  const project = `[project]
name = "tkr-${name.replaceAll('_', '-').toLowerCase()}"
version = "0.1.0"
requires-python = ">=3.12"
dependencies = ["tierkreis>=2.0.9"]
`
  return [
    { path: 'main.py', content: main },
    { path: 'pyproject.toml', content: project },
    { path: 'stubs.py', content: compilePythonStubs(described) },
    { path: 'stubs.ts', content: compileTypeScriptStubs(described) },
    {
      path: 'README.md',
      content: readmeOf(name, 'Written in Python: `main.py` holds the tasks, and uv runs it with what `pyproject.toml` asks for.'),
    },
    { path: '.gitignore', content: '.venv/\n__pycache__/\n' },
  ]
}
