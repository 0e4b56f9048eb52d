/** Names of tasks, groups and targets: SkyPilot's rule (sky/skylet/constants.py, CLUSTER_NAME_VALID_REGEX family). */
const NAME = /^[a-zA-Z0-9]+(?:[._-]{1,2}[a-zA-Z0-9]+)*$/
const ENVIRONMENT_NAME = /^[a-zA-Z_][a-zA-Z0-9_]*$/

/** What a name may look like; for messages. */
export const NAME_FORMS = 'letters and digits, joined by single or double . _ - (at most 200 characters)'
/** What the name of an environment variable may look like; for messages. */
export const ENVIRONMENT_NAME_FORMS = 'letters, digits and _, not starting with a digit'

/** True for a valid name of a task, group or target. */
export function isName(text: string): boolean {
  // The length is looked at first: it bounds the work of the pattern.
  return text.length <= 200 && NAME.test(text)
}

/** True for a valid name of an environment variable. */
export function isEnvironmentName(text: string): boolean {
  return ENVIRONMENT_NAME.test(text)
}

/** A valid task name from a program: `./my script.py` → `my-script.py`; `task` when nothing usable is left. */
export function nameFromProgram(program: string): string {
  const base = program.replace(/\/+$/, '').split('/').at(-1) ?? ''
  const parts = base.slice(0, 60).match(/[a-zA-Z0-9]+|[^a-zA-Z0-9]+/g) ?? []
  const words = parts.map((part) => (/^[a-zA-Z0-9]/.test(part) ? part : /^[._-]{1,2}$/.test(part) ? part : '-'))
  const name = words.join('').replace(/^[._-]+|[._-]+$/g, '')
  return isName(name) ? name : 'task'
}
