import { ACCELERATOR_FORMS, CPU_FORMS, MEMORY_FORMS, parseAccelerator, parseCpus, parseMemory } from './amounts.ts'
import { anything, dict, either, flag, list, nothing, number, parsed, record, type Shape, text, whole, word } from './shape.ts'
import { parseSize, SIZE_FORMS } from './sizes.ts'

// SkyPilot: sky/utils/schemas.py, get_resources_schema, _AUTOSTOP_SCHEMA, with the value rules of sky/resources.py.

const size = parsed('a size', SIZE_FORMS, (value) => (typeof value === 'number' && !Number.isInteger(value) ? undefined : parseSize(value)))
/** SkyPilot's TIME_PATTERN: minutes, or m, h, d, w. */
const AUTOSTOP_TIME = /^\d+[mhdw]?$/i
/** `cloud[/region[/zone]]`, wildcards, `k8s/<context with slashes>`, `ssh/<pool>`. */
const INFRA = /^(?:(?:kubernetes|k8s|ssh)(?:\/.+)?|(?:\*|[a-z0-9_-]+)(?:\/[^/]+){0,2})$/i
const PORT_RANGE = /^\d{1,5}(?:-\d{1,5})?$/

function isPort(value: string | number): true | undefined {
  const written = String(value)
  if (!PORT_RANGE.test(written)) return undefined
  const [from = 0, to = from] = written.split('-').map(Number)
  return from >= 1 && to <= 65535 && from <= to ? true : undefined
}
const port = parsed('a port', '1 to 65535, or a range as "8000-8010"', isPort)

const autostop = either(
  'true, false, minutes as a whole number, a time as 10h, or a mapping with idle_minutes, down, wait_for',
  flag,
  whole(),
  text({ accept: (node) => AUTOSTOP_TIME.test(node.text), allowed: '10 (minutes), 10m, 10h, 2d, 1w' }),
  record({
    idle_minutes: whole(0),
    down: flag,
    wait_for: word('jobs_and_ssh', 'jobs', 'none'),
    hook: text(),
    hook_timeout: whole(1),
  }),
)

const exitCode = whole(0, 255)
const jobRecovery = either(
  'a strategy, or a mapping with strategy, max_restarts_on_errors, recover_on_exit_codes',
  text(),
  record(
    {
      strategy: text(),
      max_restarts_on_errors: whole(0),
      recover_on_exit_codes: either('an exit code from 0 to 255, or a list of them', exitCode, list(exitCode, { unique: true })),
    },
    // Plug-ins of a SkyPilot server add keys; SkyPilot's client lets them pass.
    { open: true },
  ),
)

const accelerator = text({ accept: (node) => parseAccelerator(node.text) !== undefined, allowed: ACCELERATOR_FORMS })
const accelerators = either(
  'a string, a mapping of type to count, or a list of strings',
  accelerator,
  dict(either('a count above 0, or nothing', number({ above: 0 }), nothing), {
    key: (key) => parseAccelerator(key) !== undefined,
    keyForms: ACCELERATOR_FORMS,
  }),
  list(accelerator, { min: 1 }),
)

/** Keys of one resources entry. */
const CANDIDATE_KEYS: Readonly<Record<string, Shape>> = {
  infra: text({
    accept: (node) => INFRA.test(node.text),
    allowed: 'cloud, cloud/region, cloud/region/zone (each may be *), k8s/context, ssh/pool',
  }),
  cloud: text(),
  region: text(),
  zone: text(),
  accelerators,
  gpus: accelerators,
  accelerator_args: record({ runtime_version: text(), tpu_name: text(), tpu_vm: flag, gcp_queued_resource: flag }),
  cpus: parsed('a number of CPUs', CPU_FORMS, parseCpus),
  memory: parsed('an amount of memory', `${MEMORY_FORMS}; or 3x (GB per CPU)`, (value) => parseMemory(value) ?? memoryFactor(value)),
  instance_type: text(),
  use_spot: flag,
  disk_size: size,
  ephemeral_storage: size,
  disk_tier: word('low', 'medium', 'high', 'ultra', 'best', 'none'),
  network_tier: word('standard', 'best'),
  local_disk: text(),
  max_hourly_cost: number({ above: 0 }),
  image_id: either('an image, or a mapping of region to image', text(), dict(text())),
  ports: either('a port, a range as "8000-8010", or a list of them', port, list(port)),
  labels: dict(text()),
  priority: whole(-1000, 1000),
  priority_class: text(),
  volumes: list(
    record(
      { disk_size: size, disk_tier: text(), path: text(), auto_delete: flag, storage_type: text(), name: text(), attach_mode: text() },
      { open: true },
    ),
  ),
  autostop,
  job_recovery: jobRecovery,
  _no_missing_accel_warnings: anything,
  _docker_login_config: anything,
  _is_image_managed: anything,
  _requires_fuse: anything,
  _cluster_config_overrides: anything,
}

const candidate = record(CANDIDATE_KEYS)

/** `resources`: one candidate, or defaults for the candidates of `any_of` or `ordered`. */
export const resourcesShape: Shape = record({
  ...CANDIDATE_KEYS,
  any_of: list(candidate, { min: 1 }),
  ordered: list(candidate, { min: 1 }),
})

/** SkyPilot's internal `3x`: GB of memory per CPU; `undefined` when it is none. */
export function memoryFactor(value: string | number): { readonly perCpu: number; readonly atLeast: boolean } | undefined {
  const match = /^(\d+(?:\.\d+)?)x(\+?)$/.exec(String(value))
  return match && Number(match[1]) > 0 ? { perCpu: Number(match[1]), atLeast: match[2] === '+' } : undefined
}
