import type { TaskSpec } from '../task/task-spec.ts'

/** Kinds whose options a task may set by their name, so that one file serves several targets. */
const KINDS_WITH_OPTIONS: ReadonlySet<string> = new Set(['slurm', 'pbs', 'pjm', 'ray', 'skypilot'])

/** `slurm: {…}` among the options: they hold where the target is of that kind, and only there. */
export function isKindOption(name: string, options: TaskSpec['options'] = {}): boolean {
  return KINDS_WITH_OPTIONS.has(name) && typeof options[name] === 'object' && options[name] !== null
}

/** Options of a task for a target of this kind: those without a kind, over them those of the kind. */
export function taskOptions(spec: TaskSpec, kind: string): Readonly<Record<string, unknown>> {
  const plain = Object.entries(spec.options ?? {}).filter(([name]) => !isKindOption(name, spec.options))
  return {
    ...Object.fromEntries(plain),
    ...(isKindOption(kind, spec.options) ? (spec.options?.[kind] as Readonly<Record<string, unknown>>) : {}),
  }
}
