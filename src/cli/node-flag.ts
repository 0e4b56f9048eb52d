import type { NodeEdit } from '../targets/edit-target.ts'
import { refuseValue } from './flag-values.ts'

/** What `--node` takes; for help and messages. */
export const NODE_FORMS = '[USER@]HOST[:PORT][,gpus=4,cpus=32,memory=64GB,private_ip=10.0.0.2,identity_file=PATH,proxy_jump=HOST,name=NAME]'

/** Splits at commas, but joins what belongs to a list of jumps: `a,proxy_jump=x,y` has two parts. */
function partsOf(value: string): readonly string[] {
  const parts: string[] = []
  for (const part of value.split(',')) {
    if (parts.length < 2 || part.includes('=')) parts.push(part)
    else parts.push(`${parts.pop()},${part}`)
  }
  return parts
}

/** `0+2` is the list [0, 2] of device indices; `4` the number; what is neither stays a text, which the configuration refuses. */
function settingOf(key: string, text: string): unknown {
  if (text === '') return null
  if (key === 'gpus' && /^\d+(\+\d+)+$/.test(text)) return text.split('+').map(Number)
  return ['gpus', 'cpus', 'port', 'memory'].includes(key) && /^\d+(\.\d+)?$/.test(text) ? Number(text) : text
}

/**
 * Reads `user@gpu2:2222,gpus=4,private_ip=10.0.0.2`. An IPv6 address stands in brackets where a port follows it. `gpus=0+2`
 * names devices; a key without value (`gpus=`) removes it. Keys are checked where the configuration is.
 */
export function parseNodeFlag(value: string): NodeEdit {
  const [place = '', ...settings] = partsOf(value)
  const at = place.lastIndexOf('@')
  const [user, address] = [at < 0 ? undefined : place.slice(0, at), place.slice(at + 1)]
  const bracketed = /^\[([^\]]+)\](?::(\d+))?$/.exec(address)
  const plain = /^([^:]+)(?::(\d+))?$/.exec(address)
  const host = bracketed?.[1] ?? plain?.[1] ?? (address.split(':').length > 2 ? address : '')
  const port = bracketed?.[2] ?? plain?.[2]
  if (host === '' || user === '') refuseValue('--node', value, NODE_FORMS)
  const keys = settings.map((setting) => {
    const equals = setting.indexOf('=')
    if (equals < 1) refuseValue('--node', value, NODE_FORMS)
    const key = setting.slice(0, equals)
    return [key, settingOf(key, setting.slice(equals + 1))] as const
  })
  return {
    host,
    ...(user === undefined ? {} : { user }),
    ...(port === undefined ? {} : { port: Number(port) }),
    ...Object.fromEntries(keys),
  }
}
