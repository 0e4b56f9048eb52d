import { describe, expect, test } from 'vitest'
import { InputError } from '../errors.ts'
import { localFileAccess } from './file-access.ts'
import type { TaskOverrides } from './overrides.ts'
import { parseTaskFile } from './task-file.ts'

const read = (text: string, overrides: TaskOverrides = {}) =>
  parseTaskFile(text, 'task.yaml', { baseDirectory: '/', currentDirectory: '/', environment: {}, overrides, files: localFileAccess() })
const launcherOf = (text: string, overrides: TaskOverrides = {}) => read(`run: x\n${text}`, overrides).tasks[0]?.launcher
const refused = (text: string, overrides: TaskOverrides = {}): string => {
  try {
    launcherOf(text, overrides)
  } catch (error) {
    if (error instanceof InputError) return error.display
    throw error
  }
  return 'taken'
}

describe('the key launcher', () => {
  test.each([
    ['launcher: torchrun', {}, { kind: 'torchrun', options: {} }],
    ['launcher: {kind: torchrun, max_restarts: 2}', {}, { kind: 'torchrun', options: { max_restarts: 2 } }],
    [
      'launcher: {kind: torchrun, max_restarts: 2}',
      { launcherOptions: ['tee=3'] },
      { kind: 'torchrun', options: { max_restarts: 2, tee: '3' } },
    ],
    ['launcher: {kind: torchrun, max_restarts: 2}', { launcher: 'distributed' }, { kind: 'distributed', options: {} }],
    ['', { launcher: 'distributed', launcherOptions: ['spawn=true'] }, { kind: 'distributed', options: { spawn: true } }],
    [
      '',
      { launcher: 'torchrun', launcherOptions: ['rdzv_conf=timeout=9,x=y'] },
      { kind: 'torchrun', options: { rdzv_conf: { timeout: 9, x: 'y' } } },
    ],
    [
      '',
      { launcher: 'optuna', launcherOptions: ['directions=minimize,maximize'] },
      { kind: 'optuna', options: { directions: ['minimize', 'maximize'] } },
    ],
  ])('%s with %j', (text, overrides, launcher) => {
    expect(launcherOf(text, overrides)).toEqual(launcher)
  })

  test.each([
    ['launcher: torchrum', {}, /task\.yaml:2:11: launcher.*torchrum/],
    ['launcher: {kind: torchrun, max_restart: 2}', {}, /task\.yaml:2:28:[\s\S]*max_restart[\s\S]*Did you mean "max_restarts"/],
    ['launcher: {kind: distributed, max_restarts: 2}', {}, /max_restarts[\s\S]*Allowed: kind, spawn/],
    ['launcher: {kind: torchrun, tee: 7}', {}, /7 is not allowed/],
    ['launcher: {spawn: true}', {}, /kind/],
    ['', { launcherOptions: ['spawn=true'] }, /--launcher-option: the task has no launcher/],
    ['', { launcher: 'distributed', launcherOptions: ['spawn'] }, /"spawn" is not NAME=VALUE/],
    ['', { launcher: 'distributed', launcherOptions: ['span=true'] }, /Did you mean "spawn"/],
  ])('%s with %j is refused', (text, overrides, why) => {
    expect(refused(text, overrides)).toMatch(why)
  })
})
