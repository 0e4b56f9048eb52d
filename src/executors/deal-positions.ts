/** Deals positions out to places of these widths: the first elements go to the first places, in turn by their slots. */
export function dealPositions(positions: readonly number[], widths: readonly number[]): readonly (readonly number[])[] {
  const turns = widths.flatMap((width, place) => Array.from({ length: width }, () => place))
  const dealt: number[][] = widths.map(() => [])
  for (const [index, position] of positions.entries()) dealt[turns[index % turns.length] ?? 0]?.push(position)
  return dealt
}
