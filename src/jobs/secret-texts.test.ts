import { expect, test } from 'vitest'
import { hideSecrets, showSecrets } from './secret-texts.ts'

const secrets = { A: 'hunter2', LONG: 'hunter2hunter2', EMPTY: '', MONEY: '$&' }
const mounts = [{ destination: '/data/hunter2', source: '/x/hunter2hunter2/$&' }, { '/hunter2': ['hunter2', 7, null, true] }]

test('no value is left, and the names stand in their place', () => {
  const hidden = hideSecrets(mounts, secrets)
  expect(JSON.stringify(hidden)).not.toMatch(/hunter2|\$&/)
  expect(hidden[0]).toEqual({ destination: '/data/<secret A>', source: '/x/<secret LONG>/<secret MONEY>' })
  expect(hidden[1]).toEqual({ '/<secret A>': ['<secret A>', 7, null, true] })
})

test('what was hidden comes back', () => {
  expect(showSecrets(hideSecrets(mounts, secrets), secrets)).toEqual(mounts)
})

test('short values do not meet the names of others', () => {
  const short = { A: 't', B: 'e', SECRET: 'secret', LT: '<' }
  const text = 'the secret <secret> of a tree'
  expect(showSecrets(hideSecrets(text, short), short)).toBe(text)
})
