/** `nvcr.io/team/image:1` → `nvcr.io#team/image:1`, as enroot and pyxis write a registry; a path of a .sqsh file stays. */
export function enrootImage(image: string): string {
  const name = image.replace(/^docker:(?:\/\/)?/, '')
  if (name.includes('#') || /^(?:\/|~\/|\.)/.test(name)) return name
  const [registry = '', ...rest] = name.split('/')
  return rest.length > 0 && (/[.:]/.test(registry) || registry === 'localhost') ? `${registry}#${rest.join('/')}` : name
}
