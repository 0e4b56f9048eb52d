/** A device as `nvidia-smi --query-gpu=name,memory.total` names it: `NVIDIA H100 80GB HBM3`. */
export interface GpuFacts {
  readonly index: number
  readonly name: string
  /** 0: not known. */
  readonly memoryBytes: number
}

/** What a task asks a device to be. */
export interface GpuWish {
  /** `H100`, `A100-80GB`, `RTX4090`, a vendor; `*` or absent: any. */
  readonly gpuType?: string
  readonly gpuMemoryBytes?: number
}

const wordsOf = (text: string): readonly string[] => text.toLowerCase().match(/[a-z0-9]+/g) ?? []

/**
 * True when a device is what is asked for: each word of the type is a word of the device's name, or several in a row without
 * their gaps. So `H100` and `RTX4090` are `NVIDIA H100 80GB HBM3` and `NVIDIA GeForce RTX 4090`, and `A10` is no `NVIDIA A100`.
 */
export function matchesGpu(gpu: GpuFacts, { gpuType = '*', gpuMemoryBytes = 0 }: GpuWish): boolean {
  if (gpu.memoryBytes < gpuMemoryBytes) return false
  if (gpuType === '*') return true
  const name = wordsOf(gpu.name)
  const runs = new Set(name.flatMap((_, from) => name.slice(from).map((_word, at) => name.slice(from, from + at + 1).join(''))))
  const asked = wordsOf(gpuType)
  return asked.length > 0 && asked.every((word) => runs.has(word))
}

/** What devices a machine has, for a person: `4 × NVIDIA A100-SXM4-80GB`, `no GPU`. */
export function describeGpus(gpus: readonly GpuFacts[]): string {
  const counts = new Map<string, number>()
  for (const { name } of gpus) counts.set(name, (counts.get(name) ?? 0) + 1)
  return counts.size === 0 ? 'no GPU' : [...counts].map(([name, count]) => `${count} × ${name}`).join(' and ')
}
