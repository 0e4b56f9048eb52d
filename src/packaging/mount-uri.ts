import { InputError } from '../errors.ts'

/** What a uri of `file_mounts` means. */
export type MountSource =
  | { readonly kind: 'download'; readonly url: string }
  | { readonly kind: 'git'; readonly url: string; readonly ref?: string }
  | {
      readonly kind: 'bucket'
      readonly scheme: string
      /** rclone's connection string, without colons around it, for nodes without a remote of the scheme's name. */
      readonly remote?: string
      /** Bucket and path. */
      readonly path: string
    }

/** rclone's connection strings (rclone 1.55 and later). Credentials are the node's own: environment, files, instance roles. */
const REMOTES: Readonly<Record<string, string>> = {
  s3: 's3,provider=AWS,env_auth=true',
  gs: 'gcs,env_auth=true',
  // Account and keys where SkyPilot keeps them (docs, Cloudflare R2).
  r2: 's3,provider=Cloudflare,env_auth=true,profile=r2,shared_credentials_file=$HOME/.cloudflare/r2.credentials,endpoint=$(cat "$HOME/.cloudflare/accountid").r2.cloudflarestorage.com',
}
/** Azure's blobs, as SkyPilot writes them. */
const AZURE = /^https:\/\/([a-z0-9]+)\.blob\.core\.windows\.net\/(.+)$/

/**
 * Reads a uri of `file_mounts`. `https://h/x.csv` is downloaded; `https://h/r.git#v1`, `git+https://…`, `git+ssh://…` and
 * `ssh://…` are repositories, the ref after `#`; `s3://`, `gs://`, `r2://`, Azure's https form, and any other scheme are
 * buckets for rclone.
 *
 * @throws InputError `invalid_task` for what is none of these
 */
export function parseMountUri(uri: string, destination: string): MountSource {
  const refuse = (why: string, hint: string): InputError => new InputError('invalid_task', `file_mounts.${destination}: ${why}`, { hint })
  if (/[\s"\\]/.test(uri)) throw refuse('the uri holds a space, a quote or a backslash', 'Write them as %20, %22, %5C.')
  const scheme = /^([a-z][a-z0-9+.-]*):\/\//i.exec(uri)?.[1]?.toLowerCase()
  const rest = uri.slice(uri.indexOf('://') + 3)
  if (scheme === undefined || rest === '')
    throw refuse('this is no uri', 'Allowed: https://, git+https://, s3://, gs://, r2:// and others.')
  const [address = '', ref] = uri.split('#', 2)
  const git = /^git\+(https?|ssh|file)$/.test(scheme) ? address.slice(4) : undefined
  if (git !== undefined || scheme === 'ssh' || scheme === 'git' || (/^https?$/.test(scheme) && address.endsWith('.git'))) {
    if (ref?.startsWith('-')) throw refuse('the ref begins with a dash', 'Give a branch, a tag or a commit after #.')
    return { kind: 'git', url: git ?? address, ...(ref ? { ref } : {}) }
  }
  const azure = AZURE.exec(uri)
  if (azure?.[2] !== undefined)
    return { kind: 'bucket', scheme: 'azure', remote: `azureblob,account=${azure[1]},env_auth=true`, path: azure[2] }
  if (scheme === 'http' || scheme === 'https') return { kind: 'download', url: uri }
  if (scheme === 'file') throw refuse('file:// is not copied', 'Write the path alone.')
  const remote = REMOTES[scheme]
  return { kind: 'bucket', scheme, ...(remote === undefined ? {} : { remote }), path: rest.replace(/\/+$/, '') }
}
