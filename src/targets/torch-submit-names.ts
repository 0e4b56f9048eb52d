/** A usable name like the wanted one that is not taken yet; it is taken then. `my lab` → `my-lab`, a second `a` → `a-2`. */
export function usableName(wanted: string, taken: Set<string>): string {
  const usable = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$/.test(wanted)
    ? wanted
    : wanted
        .replaceAll(/[^A-Za-z0-9_.-]+/g, '-')
        .replace(/^[^A-Za-z0-9]+/, '')
        .slice(0, 58) || 'imported'
  let name = usable
  for (let count = 2; taken.has(name); count++) name = `${usable.slice(0, 58)}-${count}`
  taken.add(name)
  return name
}
