/** `node[1-3,7]` of names, as Slurm prints it: numbers of the same prefix and width are joined in order. */
export function compressHostlist(names: readonly string[]): string {
  const groups = new Map<string, { prefix: string; numbers: string[] }>()
  for (const name of names) {
    const [, prefix = name, number = ''] = /^(.*?)(\d*)$/.exec(name) ?? []
    // node9 and node10 share a bracket, node09 and node9 do not.
    const key = `${prefix}\0${number === '' ? '' : number.length > 1 && number.startsWith('0') ? number.length : 'n'}`
    const group = groups.get(key) ?? { prefix, numbers: [] }
    group.numbers.push(number)
    groups.set(key, group)
  }
  return [...groups.values()]
    .map(({ prefix, numbers }) => {
      if (numbers.length === 1 || numbers[0] === '') return `${prefix}${numbers[0]}`
      return `${prefix}[${joinRuns(numbers)}]`
    })
    .join(',')
}

/** `1-3,7` of numbers in order, their leading zeros kept. */
function joinRuns(numbers: readonly string[]): string {
  const runs: { first: string; last: string }[] = []
  for (const number of numbers) {
    const run = runs.at(-1)
    if (run && Number(number) === Number(run.last) + 1) run.last = number
    else runs.push({ first: number, last: number })
  }
  return runs.map(({ first, last }) => (first === last ? first : `${first}-${last}`)).join(',')
}

/** Names of `node[1-3,7],foo[01-02]`; undefined when the brackets do not close. */
export function expandHostlist(text: string): readonly string[] | undefined {
  const parts = text.match(/(?:[^,[\]]|\[[^\]]*\])+/g) ?? []
  if ((text.match(/\[/g)?.length ?? 0) !== (text.match(/\]/g)?.length ?? 0)) return undefined
  return parts.flatMap((part) => {
    const match = /^([^[]*)\[([^\]]*)\](.*)$/.exec(part)
    if (!match) return [part]
    const [, prefix = '', ranges = '', suffix = ''] = match
    return ranges.split(',').flatMap((range) => {
      const [first = '', last = first] = range.split('-')
      const names: string[] = []
      for (let number = Number(first); number <= Number(last); number++) {
        names.push(`${prefix}${String(number).padStart(first.length, '0')}${suffix}`)
      }
      return names
    })
  })
}
