import type { RecordReading } from '../driver/protocol.ts'
import type { NativeObservation, TaskObservation } from '../executors/executor.ts'
import { FAILURE_KINDS, isEndState } from '../task/states.ts'
import type { ElementEvidence, ElementResult } from './evidence.ts'

/** What is known of the tasks of a native array beside the journals of their elements. */
export interface NativeTasks {
  /** Elements of one task. */
  readonly chunk: number
  readonly observation: NativeObservation | undefined
  /** The record of a task's setup, which is there where it went wrong. */
  setupRecord(task: number): RecordReading
  /** Whether we asked the element at a 0-based position to end. */
  askedToEnd(position: number): boolean
  /** No further word is awaited for what ended without one. */
  readonly graceOver: boolean
}

const tasksOf = (observation: NativeObservation | undefined): ReadonlyMap<number, TaskObservation> =>
  (observation?.kind === 'state' ? observation.tasks : undefined) ?? new Map()

/** Elements as their journals have them; where there is none, as the scheduler's word for their task proves. */
export function withNativeWords(elements: readonly ElementEvidence[], tasks: NativeTasks): readonly ElementEvidence[] {
  const said = tasksOf(tasks.observation)
  return elements.map((element, index) => {
    const task = Math.floor(index / tasks.chunk)
    if (element.result) {
      if (toldToStop(element.result, tasks.askedToEnd(element.position))) return withEndWord(element, task, tasks)
      return killedByPerson(element.result, said.get(task), tasks.chunk) ? withEndWord(element, task, tasks) : element
    }
    const setup = tasks.setupRecord(task)
    if (setup.kind === 'record' && setup.record.phase === 'setup' && setup.record.code !== 0) {
      const { code, told, endedAt } = setup.record
      const word = { word: `setup ended with ${code}`, cause: 'setup' as const }
      return { ...element, claimed: true, result: { code, told, endedCs: 0, endedAt: endedAt * 1000, ...(told === '0' ? { word } : {}) } }
    }
    const word = said.get(task)
    if (word?.kind === 'missing' && !element.claimed && tasks.askedToEnd(element.position)) return { ...element, result: NEVER_BEGAN }
    if (word?.kind !== 'state') return element
    const result = resultOf(word, tasks.askedToEnd(element.position))
    if (result !== undefined) return { ...element, result }
    return word.state === 'queued' || isEndState(word.state) ? element : { ...element, claimed: true }
  })
}

/** What waited and was asked to end by us is forgotten by Slurm at once: the answer that there is none is its end. */
const NEVER_BEGAN: ElementResult = {
  code: 143,
  told: 'term',
  endedCs: 0,
  word: { word: 'not in the queue any more', cause: 'cancelled' },
}

/** Ended because its task was told to stop, by somebody else than us: the scheduler knows why. */
function toldToStop({ told }: ElementResult, askedToEnd: boolean): boolean {
  return told === 'term' && !askedToEnd
}

/** Killed before its slot was told anything, by the end that a person gave to its task: the scheduler's word for that is known. */
function killedByPerson({ told, code }: ElementResult, said: TaskObservation | undefined, chunk: number): boolean {
  return told === '0' && chunk === 1 && (code === 137 || code === 143) && said?.kind === 'state' && said.state === 'cancelled'
}

/** An element that was told to stop, with the scheduler's word for why; until there is one it has not ended. */
function withEndWord(element: ElementEvidence, task: number, { observation, graceOver }: NativeTasks): ElementEvidence {
  const { result, ...open } = element
  if (result === undefined) return element
  if (observation === undefined || observation.kind === 'could_not_ask') return { ...open, claimed: true }
  const said = tasksOf(observation).get(task)
  // The queue forgets it before accounting knows it.
  if (said?.kind !== 'state') return graceOver ? element : { ...open, claimed: true }
  if (!isEndState(said.state)) return { ...open, claimed: true }
  const word = resultOf(said, false)?.word
  return word === undefined || word.cause === 'exit' || word.cause === 'signal' ? element : { ...element, result: { ...result, word } }
}

/**
 * An end word is a result, but for a success: that needs the journal, which our driver wrote before it ended. That a driver
 * which was asked to end ended otherwise than with 0 is that end: its elements had no turn any more.
 */
function resultOf(
  { word, state, cause, exitCode, reason }: Extract<TaskObservation, { kind: 'state' }>,
  askedToEnd: boolean,
): ElementResult | undefined {
  if (!isEndState(state) || state === 'succeeded') return undefined
  const cancelled = state === 'cancelled' || (askedToEnd && (cause === 'exit' || cause === 'signal'))
  const kind = cancelled ? 'cancelled' : (FAILURE_KINDS.find((each) => each === cause) ?? 'exit')
  return {
    code: state === 'cancelled' ? exitCode || 143 : cancelled ? 143 : exitCode || 1,
    told: cancelled ? 'term' : '0',
    endedCs: 0,
    word: { word, cause: kind, ...(reason === undefined ? {} : { reason }) },
  }
}

/** Tasks whose files there is reason to read: the scheduler says that they are over, and an element has no journal. */
export function endedTasks(elements: readonly ElementEvidence[], { chunk, observation }: NativeTasks): readonly number[] {
  const over = new Set<number>()
  for (const [task, said] of tasksOf(observation))
    if (said.kind === 'missing' || (isEndState(said.state) && said.state !== 'cancelled')) over.add(task)
  const open = new Set<number>()
  for (const [index, element] of elements.entries()) if (!element.result || element.result.word) open.add(Math.floor(index / chunk))
  return [...over].filter((task) => open.has(task))
}

/**
 * What the scheduler says of the array as far as elements without a result go: live while one of them is; a success word or
 * silence where nothing but that is left. The others' ends are results by now.
 */
export function arrayObservation(elements: readonly ElementEvidence[], { chunk, observation }: NativeTasks): NativeObservation | undefined {
  const said = tasksOf(observation)
  if (observation?.kind !== 'state' || said.size === 0) return observation
  const { tasks: _, ...rest } = observation
  if (!isEndState(observation.state)) return rest
  const open = elements.flatMap((element, index) => (element.result ? [] : [said.get(Math.floor(index / chunk))]))
  const told = open.find((each) => each?.kind === 'state')
  if (open.length === 0) return rest
  return told === undefined ? { kind: 'missing' } : { ...told, state: 'succeeded' }
}
