/** How many lines of `written` belong to the first n lines of `clean`, for every n; undefined where the two tell apart in more than blanks. */
function alignLines(written: readonly string[], clean: readonly string[]): readonly number[] | undefined {
  const bare = (line: string | undefined): string => (line ?? '').replaceAll(/\s+/g, '')
  const belonging = [0]
  let at = 0
  for (const line of clean) {
    while (at < written.length && bare(written[at]) === '' && bare(line) !== '') at++
    if (bare(written[at]) === bare(line) && at < written.length) at++
    else if (bare(line) !== '') return undefined
    belonging.push(at)
  }
  return written.slice(at).every((line) => bare(line) === '') ? belonging : undefined
}

/**
 * Brings a change into a text as somebody wrote it. A YAML writer evens blanks out in all of a document; here `clean` is the
 * written text after it, `changed` the same with the change, and only the lines in which these two differ are taken over.
 * Where `written` and `clean` differ in more than blanks, `changed` is the result.
 */
export function spliceText(written: string, clean: string, changed: string): string {
  const [writtenLines, cleanLines, changedLines] = [written.split('\n'), clean.split('\n'), changed.split('\n')]
  const belonging = alignLines(writtenLines, cleanLines)
  if (belonging === undefined) return changed
  const shorter = Math.min(cleanLines.length, changedLines.length)
  let before = 0
  while (before < shorter && cleanLines[before] === changedLines[before]) before++
  let after = 0
  while (after < shorter - before && cleanLines.at(-1 - after) === changedLines.at(-1 - after)) after++
  return [
    ...writtenLines.slice(0, belonging[before]),
    ...changedLines.slice(before, changedLines.length - after),
    ...writtenLines.slice(belonging[cleanLines.length - after]),
  ].join('\n')
}
