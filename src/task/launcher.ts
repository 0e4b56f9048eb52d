import { get, type Located, nodeText, toPlain } from './located.ts'
import { dict, either, flag, list, number, record, type Shape, text, whole } from './shape.ts'

/** How processes start inside a node and across nodes. `single`: the command once per node, as it is. */
export const LAUNCHER_KINDS = ['single', 'mpirun', 'torchrun', 'distributed', 'optuna'] as const
export type LauncherKind = (typeof LAUNCHER_KINDS)[number]

/** A task's launcher and the options the user wrote, checked against the tables below. */
export interface LauncherSpec {
  readonly kind: LauncherKind
  /** Keys as in YAML: `max_restarts`. Absent: the launcher's default. */
  readonly options: Readonly<Record<string, unknown>>
}

const noNul = text({ accept: (node) => node.text !== '' && !node.text.includes('\0'), allowed: 'a string that is not empty' })
const oneOf = (...words: string[]): Shape => text({ accept: (node) => words.includes(node.text), allowed: words.join(', ') })
const port = whole(1, 65_535)
/** torchrun's form: one digit for all local ranks (0 none, 1 stdout, 2 stderr, 3 both), or `0:3,1:1`. */
const STREAMS = /^(?:[0-3]|\d+:[0-3](?:,\d+:[0-3])*)$/
const streams: Shape = {
  is: 'scalar',
  types: ['string', 'integer'],
  noun: 'which streams',
  accept: (node) => STREAMS.test(node.text),
  allowed: '0 (none), 1 (stdout), 2 (stderr), 3 (both), or per local rank as "0:3,1:1"',
}
const variable: Shape = { is: 'scalar', types: ['string', 'integer', 'float', 'boolean'], noun: 'a plain value' }

/** Options of each launcher: what `launcher: {kind: …}` takes, and `--launcher-option NAME=VALUE`. */
export const LAUNCHER_OPTIONS: Readonly<Record<LauncherKind, Readonly<Record<string, Shape>>>> = {
  single: {},
  mpirun: { program: noNul, args: list(noNul) },
  torchrun: {
    max_restarts: whole(0, 10_000),
    module: flag,
    no_python: flag,
    python: noNul,
    port,
    rdzv_conf: dict(variable),
    monitor_interval: number({ above: 0 }),
    log_dir: noNul,
    redirects: streams,
    tee: streams,
    debug: flag,
  },
  distributed: { spawn: flag, port, debug: flag },
  optuna: {
    storage: noNul,
    database: noNul,
    study: noNul,
    direction: oneOf('minimize', 'maximize'),
    directions: list(oneOf('minimize', 'maximize'), { min: 1 }),
    dashboard: either('true, false or a port', flag, port),
    python: noNul,
    port,
  },
}

const kindNode: Shape = text({
  accept: (node) => (LAUNCHER_KINDS as readonly string[]).includes(node.text),
  allowed: LAUNCHER_KINDS.join(', '),
})

/** The key `launcher` before its kind is known: a name, or a mapping with `kind`. */
export const launcherShape: Shape = either(
  'the name of a launcher, or a mapping with kind and its options',
  kindNode,
  record({ kind: kindNode }, { required: ['kind'], open: true }),
)

/** The shape of `launcher` for the kind that is written there; what `launcherShape` let through. */
export function launcherShapeOf(node: Located): Shape {
  const kind = LAUNCHER_KINDS.find((each) => each === nodeText(node.kind === 'map' ? get(node, 'kind') : node)) ?? 'single'
  return node.kind === 'map' ? record({ kind: kindNode, ...LAUNCHER_OPTIONS[kind] }, { required: ['kind'] }) : launcherShape
}

/** Reads the checked key. `single` without options is the same as no launcher. */
export function readLauncher(node: Located | undefined): LauncherSpec | undefined {
  if (node === undefined) return undefined
  const kind = LAUNCHER_KINDS.find((each) => each === nodeText(node.kind === 'map' ? get(node, 'kind') : node))
  if (kind === undefined) return undefined
  const entries = node.kind === 'map' ? node.entries.filter(({ key, value }) => key !== 'kind' && toPlain(value) !== null) : []
  return { kind, options: Object.fromEntries(entries.map(({ key, value }) => [key, toPlain(value)])) }
}
