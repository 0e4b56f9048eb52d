import { quoteShell } from '../driver/quote.ts'
import { InputError } from '../errors.ts'
import type { FileMountSpec } from '../task/task-spec.ts'
import { type MountSource, parseMountUri } from './mount-uri.ts'

/**
 * The uri that a node copies for a mount: `/data: s3://b/x`, or the storage form `{source: s3://b/x, mode: COPY}`.
 * Undefined for what lies on this machine, and for storage that is mounted rather than copied.
 */
export function copiedUri({ source }: FileMountSpec): string | undefined {
  if (source.kind === 'uri') return source.uri
  if (source.kind !== 'storage') return undefined
  const { source: from, mode } = source.storage
  const copied =
    typeof from === 'string' && /^[a-z][a-z0-9+.-]*:\/\//i.test(from) && typeof mode === 'string' && mode.toUpperCase() === 'COPY'
  return copied ? from : undefined
}

/**
 * POSIX sh that brings mounts from elsewhere to a node, in its work directory, before setup: downloads by curl or wget,
 * repositories by git, buckets by rclone. `{/data: s3://b/x}` becomes, after a check of the tools, `_d_bucket s3
 * 's3,provider=AWS,env_auth=true' b/x /data`. What it could not bring it names on stderr and in the rank's events, by which
 * the job's cause is `staging`, and ends with 125;
 * repeated, it brings again what changed. Undefined where nothing is to be brought. Pure.
 *
 * @param secrets their values stand in the text as `"$NAME"`
 * @throws InputError for a uri that cannot be read, and for a secret in the url of a repository
 */
export function compileMountScript(mounts: readonly FileMountSpec[], secrets: Readonly<Record<string, string>> = {}): string | undefined {
  const fetched = mounts.flatMap((mount) => {
    const uri = copiedUri(mount)
    return uri === undefined ? [] : [{ destination: mount.destination, source: parseMountUri(uri, mount.destination) }]
  })
  if (fetched.length === 0) return undefined
  const kinds = new Set(fetched.map(({ source }) => source.kind))
  const calls = fetched.map(({ destination, source }) => compileCall(destination, source, secrets))
  // In a shell of its own: nothing of it is left for setup.
  return `(
_d_fail() {
  echo "drover: staging: $1" >&2
  _d_text=$(printf %s "$1" | tr '\\n\\t\\r' '   ' | cut -c1-500 | sed -e 's/%/%25/g' -e 's/ /%20/g')
  _d_own=\${DROVER_NODE_RANK:-0}
  # Of an array over several nodes each element is rank 0, whatever number its node's files bear.
  [ -e "\${DROVER_ATTEMPT_DIR-}/events/$_d_own" ] ||
    for _d_each in "\${DROVER_ATTEMPT_DIR-}"/events/[0-9]*; do [ ! -e "$_d_each" ] || _d_own=\${_d_each##*/}; done
  [ -z "\${DROVER_ATTEMPT_DIR-}" ] ||
    echo "$(date +%s) container kind=staging element=- text=$_d_text" >> "$DROVER_ATTEMPT_DIR/events/$_d_own"
  exit 125
}
_d_has() { command -v "$1" >/dev/null 2>&1; }
${[...kinds].map((kind) => CHECKS[kind]).join('\n')}
_d_above() { case $1 in */*) [ -z "\${1%/*}" ] || mkdir -p "\${1%/*}" || _d_fail "cannot make \${1%/*}" ;; esac; }
${[...kinds].map((kind) => FUNCTIONS[kind]).join('\n')}
${calls.join('\n')}
) || exit
`
}

const CHECKS: Readonly<Record<MountSource['kind'], string>> = {
  download: '_d_has curl || _d_has wget || _d_fail "file_mounts needs curl or wget, and this node has neither: install one"',
  git: '_d_has git || _d_fail "file_mounts needs git, which is not installed on this node"',
  bucket:
    '_d_has rclone || _d_fail "file_mounts needs rclone for buckets, which is not installed on this node (https://rclone.org/install)"',
}

const FUNCTIONS: Readonly<Record<MountSource['kind'], string>> = {
  // The url goes by standard input: it may hold a token, and arguments are seen by everybody on the node.
  download: `_d_download() {
  _d_above "$2"
  if _d_has curl; then printf 'url = "%s"\\n' "$1" | curl -fsSL --retry 3 --connect-timeout 30 -o "$2.drover-$$" -K -
  else printf '%s\\n' "$1" | wget -q -O "$2.drover-$$" -i -; fi &&
  mv -f "$2.drover-$$" "$2" || { rm -f "$2.drover-$$"; _d_fail "cannot download $2"; }
}`,
  git: `_d_git() {
  _d_above "$3"
  if [ -d "$3" ] && [ -n "$(ls -A "$3")" ]; then
    [ "$(git -C "$3" config --local --get remote.origin.url 2>/dev/null)" = "$1" ] ||
      _d_fail "cannot bring $1 to $3: something else is there"
  else git init -q "$3" && git -C "$3" remote add origin "$1" || _d_fail "cannot make $3"; fi
  GIT_TERMINAL_PROMPT=0 git -C "$3" fetch -q --depth 1 --no-tags origin "$2" && git -C "$3" checkout -q --detach --force FETCH_HEAD ||
    _d_fail "cannot bring $1 at $2 to $3 by git"
}`,
  // A remote of the user's own goes first: its name is the scheme.
  bucket: `_d_bucket() {
  _d_above "$4"
  if rclone listremotes 2>/dev/null | grep -qx "$1:"; then _d_from=$1:$3
  elif [ -n "$2" ]; then _d_from=:$2:$3
  else _d_fail "cannot bring $4: rclone has no remote $1 on this node (rclone config)"; fi
  rclone copyto --stats 0 -- "$_d_from" "$4" || _d_fail "cannot bring $4 from $1:// by rclone"
}`,
}

function compileCall(destination: string, source: MountSource, secrets: Readonly<Record<string, string>>): string {
  const word = (text: string): string => quoteWithSecrets(text, secrets)
  const place = destination.startsWith('~/')
    ? `"$HOME"${word(destination.slice(1))}`
    : word(destination.startsWith('/') ? destination : `./${destination}`)
  switch (source.kind) {
    case 'download':
      return `_d_download ${word(source.url)} ${place}`
    case 'git':
      if (Object.values(secrets).some((secret) => secret !== '' && source.url.includes(secret))) {
        throw new InputError(
          'unsupported',
          `file_mounts.${destination}: the url of a repository holds a secret, and git shows it to all on the node`,
          {
            hint: 'Let git on the node find it: a credential helper, or an ssh key.',
          },
        )
      }
      return `_d_git ${word(source.url)} ${word(source.ref ?? 'HEAD')} ${place}`
    case 'bucket':
      return `_d_bucket ${source.scheme} ${source.remote === undefined ? "''" : quoteRemote(source.remote)} ${word(source.path)} ${place}`
  }
}

/** One shell word; a secret's value stands in it as its variable. */
function quoteWithSecrets(text: string, secrets: Readonly<Record<string, string>>): string {
  const names = new Map(Object.entries(secrets).flatMap(([name, value]) => (value === '' ? [] : [[value, name] as const])))
  if (names.size === 0) return quoteShell(text)
  const values = [...names.keys()].sort((a, b) => b.length - a.length).map((value) => value.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&'))
  return text
    .split(new RegExp(`(${values.join('|')})`))
    .filter((piece) => piece !== '')
    .map((piece) => (names.has(piece) ? `"$${names.get(piece)}"` : quoteShell(piece)))
    .join('')
}

/** Double-quoted, for variables of the node in it; the texts are Drover's own. */
function quoteRemote(remote: string): string {
  return `"${remote}"`
}
