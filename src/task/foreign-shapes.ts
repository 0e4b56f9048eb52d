import { anything, dict, either, flag, list, number, parsed, record, type Shape, text, whole, word } from './shape.ts'
import { parseSize, SIZE_FORMS } from './sizes.ts'

// Keys that only some targets can honour. SkyPilot: sky/utils/schemas.py, get_storage_schema, get_service_schema,
// get_task_schema. They are checked here, so that a typing error is found before anything is started.

const RCLONE_SIZE = /^[0-9]+[bkmgtp]?$/i
const RCLONE_DURATION = /^(?:(?:[-+]?(?:\d+(?:\.\d+)?|\.\d+)(?:ms|[smhdwMy]))+|[-+]?(?:\d+(?:\.\d+)?|\.\d+))$/
const rcloneSize = text({ accept: (node) => RCLONE_SIZE.test(node.text), allowed: 'a number with B, K, M, G, T or P' })
const rcloneDuration = text({ accept: (node) => RCLONE_DURATION.test(node.text), allowed: 'rclone durations as 10s, 5m, 1h30m' })
const size = parsed('a size', SIZE_FORMS, parseSize)

/** A bucket or copy of one, or `text`, the content of a file: the mapping form of a file mount. */
const storageShape = record({
  text: text(),
  name: text(),
  source: either('a path or URI, or a list of them', text(), list(text(), { min: 1 })),
  store: word('s3', 'gcs', 'azure', 'r2', 'ibm', 'oci', 'nebius', 'coreweave', 'vastdata', 'hf', 'volume'),
  persistent: flag,
  mode: word('MOUNT', 'COPY', 'MOUNT_CACHED'),
  mount_options: text(),
  type: word('MODEL_CHECKPOINT_RO', 'MODEL_CHECKPOINT_RW', 'DATASET_RO', 'DATASET_RW'),
  config: record(
    {
      disk_size: size,
      disk_tier: text(),
      storage_type: text(),
      attach_mode: text(),
      mount: record({ read_only: flag, hf_mount_args: list(text()) }),
      mount_cached: record({
        transfers: whole(1),
        buffer_size: rcloneSize,
        vfs_cache_max_size: rcloneSize,
        vfs_cache_max_age: rcloneDuration,
        vfs_read_ahead: rcloneSize,
        vfs_read_chunk_size: rcloneSize,
        vfs_read_chunk_streams: whole(0),
        vfs_write_back: rcloneDuration,
        read_only: flag,
      }),
    },
    { open: true },
  ),
  _is_sky_managed: flag,
  _bucket_sub_path: text(),
  _force_delete: flag,
})

/** `file_mounts`: destination to a path, a URI or a storage mapping. */
export const fileMountsShape: Shape = dict(either('a path, a URI, or a storage mapping', text(), storageShape))

const poolShape = record({
  workers: whole(0),
  min_workers: whole(0),
  max_workers: whole(0),
  queue_length_threshold: whole(1),
  upscale_delay_seconds: number({ min: 0 }),
  downscale_delay_seconds: number({ min: 0 }),
})

const serviceShape = record({
  readiness_probe: either(
    'a path, or a mapping with path',
    text(),
    record(
      {
        path: text(),
        post_data: either('a JSON string or a mapping', text(), dict(anything)),
        headers: dict(text({ secret: true })),
        initial_delay_seconds: number({ min: 0 }),
        timeout_seconds: number({ min: 0 }),
        endpoint_probe_interval_seconds: number({ min: 0 }),
        consecutive_failure_threshold_timeout: number({ min: 0 }),
      },
      { required: ['path'] },
    ),
  ),
  load_balancer: record({ stream_timeout_seconds: number() }),
  pool: poolShape,
  replica_policy: record(
    {
      min_replicas: whole(0),
      max_replicas: whole(0),
      num_overprovision: whole(0),
      target_qps_per_replica: either(
        'a number, or a mapping of accelerator to number',
        number({ min: 0 }),
        dict(number({ min: 0 }), { key: (key) => /^[A-Z0-9]+(?::[0-9]+)?$/.test(key), keyForms: 'accelerators as H100:1' }),
      ),
      dynamic_ondemand_fallback: flag,
      base_ondemand_fallback_replicas: whole(0),
      spot_placer: text(),
      upscale_delay_seconds: number(),
      downscale_delay_seconds: number(),
    },
    { required: ['min_replicas'] },
  ),
  ports: whole(1, 65535),
  replicas: whole(0),
  workers: whole(0),
  load_balancing_policy: text(),
  tls: record({ keyfile: text(), certfile: text() }, { required: ['keyfile', 'certfile'] }),
})

const configShape = record(
  {
    hooks: list(
      record(
        {
          run: text({ accept: ({ text: run }) => run.length > 0 && Buffer.byteLength(run) <= 16_384, allowed: '1 byte to 16 KiB' }),
          events: list(word('stop', 'preemption', 'down'), { min: 1, unique: true }),
          timeout: whole(1),
        },
        { required: ['run'] },
      ),
      { max: 32 },
    ),
  },
  // SkyPilot's client lets other keys pass; its server knows which of them a task may override.
  { open: true },
)

/** Top-level keys that go to `TaskSpec.foreign`. */
export const FOREIGN_SHAPES: Readonly<Record<string, Shape>> = {
  service: serviceShape,
  pool: poolShape,
  volumes: dict(either('the name of a volume, or a mapping', text(), dict(anything))),
  config: configShape,
  event_callback: text(),
  managed_secrets: list(
    either('a name, or a mapping of one name to its options', text(), dict(record({ mount_path: text() }), { max: 1 })),
  ),
  api_server_access: flag,
  inputs: dict(number(), { max: 1 }),
  outputs: dict(number(), { max: 1 }),
  file_mounts_mapping: dict(anything),
  volume_mounts: list(anything),
  _metadata: dict(anything),
  _user_specified_yaml: anything,
}
