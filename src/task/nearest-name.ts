/** Damerau-Levenshtein distance (optimal string alignment): insert, delete, replace, or swap two neighbours. */
function distance(a: string, b: string): number {
  let before: number[] = []
  let last = Array.from({ length: b.length + 1 }, (_, column) => column)
  for (let i = 1; i <= a.length; i++) {
    const row = [i]
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1] ? 0 : 1
      let best = Math.min((last[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1, (last[j - 1] ?? 0) + same)
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) best = Math.min(best, (before[j - 2] ?? 0) + 1)
      row.push(best)
    }
    before = last
    last = row
  }
  return last[b.length] ?? 0
}

/** The candidate nearest to a mistyped word, for "did you mean"; `undefined` when none is near. Case and `-`/`_` count little. */
export function nearestName(word: string, candidates: Iterable<string>): string | undefined {
  if (word.length > 64) return undefined
  const plain = (text: string) => text.toLowerCase().replaceAll(/[-\s]/g, '_')
  const wanted = plain(word)
  let best: { name: string; distance: number } | undefined
  for (const name of candidates) {
    const found = distance(wanted, plain(name))
    if (best === undefined || found < best.distance) best = { name, distance: found }
  }
  const allowed = Math.max(1, Math.floor(word.length / 3))
  return best !== undefined && best.distance <= allowed ? best.name : undefined
}
