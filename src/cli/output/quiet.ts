/** Ids, one a line: what `-o quiet` prints. */
export function compileQuiet(ids: readonly string[]): string {
  return ids.map((id) => `${id}\n`).join('')
}
