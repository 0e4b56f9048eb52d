import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { typescriptTemplate } from '../../src/workers/templates/typescript-template.ts'
import { SDK } from '../workers/sdk-fixture.ts'

/** A Python worker for every kind of port; what `complex` is there comes with 2.0.10. */
const CALC = `import sys
from typing import NamedTuple
from tierkreis import Worker
from tierkreis.controller.data.models import portmapping
worker = Worker("calc")

@portmapping
class Parts(NamedTuple):
    quotient: int
    remainder: int

@portmapping
class Said(NamedTuple):
    text: str
    x: float
    flag: bool

class Point(NamedTuple):
    x: float
    y: float

@worker.task()
def divide(a: int, b: int) -> Parts:
    return Parts(*divmod(a, b))

@worker.task()
def blob(n: int) -> bytes:
    return bytes(k * 7 % 256 for k in range(n))

@worker.task()
def measure(data: bytes) -> int:
    return len(data)

@worker.task()
def describe(text: str, x: float, flag: bool) -> Said:
    return Said(text[::-1], x / 3, not flag)

@worker.task()
def sort(xs: list[int], descending: bool = False) -> list[int]:
    return sorted(xs, reverse=descending)

@worker.task()
def join(words: list[str]) -> str:
    return "-".join(words)

@worker.task()
def point(x: float, y: float) -> Point:
    return Point(x, y)

@worker.task()
def points(n: int) -> list[Point]:
    return [Point(float(k), 0.5) for k in range(n)]

@worker.task()
def norm(p: Point) -> float:
    x, y = p if not isinstance(p, dict) else p.values()
    return (x * x + y * y) ** 0.5

@worker.task()
def double(x: int) -> int:
    return 2 * x

@worker.task()
def refuse(x: int) -> int:
    raise ValueError(f"no {x}, said calc")
`
const COMPLEX = `
@worker.task()
def turn(z: complex, by: complex = 1j) -> complex:
    return z * by
`
const MAIN = `
if __name__ == "__main__":
    worker.app(sys.argv)
`

const LAB = `import { bytes, int, list, string, worker } from '${SDK}'
await worker('lab')
  .task('split', { inputs: { text: string }, outputs: { head: string, tail: list(string) } }, ({ text }) => {
    const [head = '', ...tail] = text.split(' ')
    return { head, tail }
  })
  .task('squares', { inputs: { xs: list(int) }, outputs: list(int) }, ({ xs }) => xs.map((x) => x * x))
  .task('reverse', { inputs: { data: bytes }, outputs: bytes }, ({ data }) => data.toReversed())
  .app()
`

/** A folder of workers: `calc` in Python, with tierkreis of a version, and `lab` in TypeScript, started by its `main.sh`. */
export function writeWorkers(registry: string, version: string): void {
  const calc = join(registry, 'calc')
  mkdirSync(calc, { recursive: true })
  writeFileSync(join(calc, 'main.py'), CALC + (version === '2.0.9' ? '' : COMPLEX) + MAIN)
  writeFileSync(
    join(calc, 'pyproject.toml'),
    `[project]\nname = "calc"\nversion = "0.1.0"\nrequires-python = ">=3.12"\ndependencies = ["tierkreis==${version}"]\n`,
  )
  const lab = join(registry, 'lab')
  mkdirSync(lab, { recursive: true })
  const launcher = typescriptTemplate('lab', '0.1.0').find(({ path }) => path === 'main.sh')
  writeFileSync(join(lab, 'main.sh'), launcher?.content ?? '', { mode: 0o755 })
  writeFileSync(join(lab, 'main.ts'), LAB)
}
