/** `node[1-3,7]` of names, as Slurm prints it: neighbours of one prefix share a bracket, and the order stays. */
export function compressHostlist(names: readonly string[]): string {
  const groups: { prefix: string; numbers: string[] }[] = []
  for (const name of names) {
    const [, prefix = name, number = ''] = /^(.*?)(\d*)$/.exec(name) ?? []
    const group = groups.at(-1)
    if (group?.prefix === prefix && number !== '' && group.numbers[0] !== '') group.numbers.push(number)
    else groups.push({ prefix, numbers: [number] })
  }
  return groups.map(({ prefix, numbers }) => `${prefix}${numbers.length === 1 ? numbers[0] : `[${joinRuns(numbers)}]`}`).join(',')
}

/** `1-3,7` of numbers in order, their leading zeros kept: 09 and 10 are neighbours, 9 and 09 are not. */
function joinRuns(numbers: readonly string[]): string {
  const runs: { first: string; last: string }[] = []
  const padded = (number: string): boolean => number.length > 1 && number.startsWith('0')
  for (const number of numbers) {
    const run = runs.at(-1)
    const alike = run && (run.last.length === number.length || (!padded(run.first) && !padded(number)))
    if (run && alike && Number(number) === Number(run.last) + 1) run.last = number
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
