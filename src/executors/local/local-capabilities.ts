import type { Capabilities } from '../capabilities.ts'

const cloudOnly = 'this machine is not rented: only a cloud target can honour it'

/** What one machine without a scheduler can do. */
export const localCapabilities: Capabilities = {
  maxNodes: 1024,
  arrays: 'packed',
  maxArraySize: 1_000_000,
  dependencies: 'supervisor',
  gate: 'launch',
  timeLimit: 'runner',
  capacity: 'slots',
  strongFiles: true,
  containers: true,
  gpus: true,
  refusedKeys: {
    'resources.use_spot': cloudOnly,
    'resources.instance_type': cloudOnly,
    'resources.cloud': cloudOnly,
    'resources.region': cloudOnly,
    'resources.zone': cloudOnly,
    'resources.infra': cloudOnly,
    'resources.accelerator_args': cloudOnly,
    'resources.disk_tier': 'the disks of this machine have no selectable tier',
    'resources.network_tier': 'the network of this machine has no selectable tier',
    'resources.local_disk': 'the disks of this machine cannot be chosen',
    'resources.ephemeral_storage': 'the disks of this machine cannot be chosen',
    'resources.image_id': 'it is no container image: here only docker:IMAGE can be run',
    'resources.volumes': 'volumes are attached by a cloud or Kubernetes target',
    'resources.priority_class': 'priority classes belong to Kubernetes; use resources.priority',
    volumes: 'volumes are attached by a cloud or Kubernetes target',
    service: 'serving replicas needs a cloud target',
    pool: 'worker pools need a cloud target',
    config: 'it configures a cloud target',
    inputs: 'data transfer between clouds needs a cloud target',
    outputs: 'data transfer between clouds needs a cloud target',
    managed_secrets: 'managed secrets live on a SkyPilot API server; give the value with --secret',
    'file_mounts.storage': 'buckets are mounted by a cloud target; to copy one, give its uri as source and mode: COPY',
  },
}
