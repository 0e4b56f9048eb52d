import { expect, test } from 'vitest'
import { defineTask } from './define-task.ts'
import { packageConfigs } from './package-configs.ts'

test('paths in the order given, and mounts that a task takes', () => {
  const { paths, file_mounts } = packageConfigs(['b.yaml', 'x: $HOME'], ['m/a.json', '{}'])
  expect(paths).toEqual(['.drover/configs/b.yaml', '.drover/configs/m/a.json'])
  expect(defineTask({ run: ['cat', paths[0]], file_mounts }).tasks[0]?.fileMounts).toEqual([
    { destination: paths[0], source: { kind: 'text', text: 'x: $HOME' } },
    { destination: paths[1], source: { kind: 'text', text: '{}' } },
  ])
})

test.each(['', '/etc/x', '../x', 'a/../b', 'a//b', './a', 'a\0', 'a\nb'])('the name %j is refused', (name) => {
  expect(() => packageConfigs([name, ''])).toThrow(/no name of a configuration file/)
})

test('a name twice is refused', () => {
  expect(() => packageConfigs(['a', ''], ['a', ''])).toThrow(/given twice/)
})
