import type { ErrorJson } from '../errors.ts'
import type { CheckLine } from './check-line.ts'
import type { HostReport } from './preflight-script.ts'

/** Beyond these, clocks are said to differ, and jobs are likely to suffer (certificates, make, Kerberos), ms. */
const NOTABLE_SKEW_MS = 5_000
const HARMFUL_SKEW_MS = 300_000
const LEAST_FREE_BYTES = 100 * 1024 ** 2
const LOW_FREE_BYTES = 2 * 1024 ** 3

const STEPS = ['reach', 'host key', 'authenticate'] as const

/** Lines of a host that could not be asked: the steps that were made, and the one that failed. */
export function refusedLines(name: string, { message, hint, output_tail: tail }: ErrorJson): readonly CheckLine[] {
  const words = `${message}\n${tail ?? ''}`
  const failed = /host key|HOST IDENTIFICATION/i.test(words)
    ? 'host key'
    : /Permission denied|password|authentication|none of the keys|private key/i.test(words)
      ? 'authenticate'
      : 'reach'
  return STEPS.slice(0, STEPS.indexOf(failed) + 1).map((step) =>
    step === failed
      ? { check: `${name}: ${step}`, ok: false, detail: message, fix: hint ?? null }
      : { check: `${name}: ${step}`, ok: true, detail: step === 'reach' ? 'it answers' : 'known', fix: null },
  )
}

/** Lines of a host that answered. `skewMs`: its clock less this machine's, known to half of `tookMs` and half a second. */
export function hostLines(
  host: { readonly name: string; readonly gpus?: number | readonly number[]; readonly cpus?: number },
  report: HostReport,
  measured: { readonly root: string; readonly skewMs: number; readonly tookMs: number },
): readonly CheckLine[] {
  const { site, shell, freeBytes, unwritable } = report
  const { skewMs, tookMs, root } = measured
  const line = (check: string, ok: boolean, detail: string, fix: string, warning = false): CheckLine => ({
    check: `${host.name}: ${check}`,
    ok,
    ...(ok && warning ? { warning: true } : {}),
    detail: ok && warning ? `${detail}; ${fix}` : detail,
    fix: ok ? null : fix,
  })
  const unsureMs = tookMs / 2 + 500
  const skew = Math.max(0, Math.abs(skewMs) - unsureMs)
  const seconds = Math.round(Math.abs(skewMs) / 1000)
  const gib = freeBytes / 1024 ** 3
  return [
    line('reach', true, site.hostname, ''),
    line('host key', true, 'known', ''),
    line('authenticate', true, `as ${site.user}`, ''),
    line(
      'clock',
      !(skew > HARMFUL_SKEW_MS) && !Number.isNaN(skewMs),
      Number.isNaN(skewMs)
        ? 'unknown: date +%s said nothing'
        : skew === 0
          ? 'as here'
          : `${seconds} s ${skewMs > 0 ? 'ahead of' : 'behind'} this machine`,
      'set it right (chrony, ntp) there or here',
      skew > NOTABLE_SKEW_MS,
    ),
    line(
      'root',
      unwritable === undefined,
      unwritable === undefined ? site.root : `${root} cannot be written: ${unwritable}`,
      'Make it writable, free space, or set another root.',
    ),
    line(
      'disk',
      !(freeBytes < LEAST_FREE_BYTES),
      Number.isNaN(freeBytes) ? 'unknown' : `${gib < 10 ? gib.toFixed(1) : Math.round(gib)} GiB free at ${site.root}`,
      'free some space, or set another root',
      freeBytes < LOW_FREE_BYTES,
    ),
    line(
      'shell',
      site.tools['sh'] !== undefined,
      `sh; login shell ${shell}${site.tools['bash'] === undefined ? '; no bash: scripts run under sh' : ''}`,
      'Install a POSIX sh.',
    ),
    line(
      'process groups',
      site.processGroups !== 'none',
      site.processGroups === 'none' ? 'degraded: processes that a script leaves behind are not ended' : site.processGroups,
      'Install setsid (util-linux), perl or bash.',
    ),
    toolLine(line, site.tools),
    line(
      'cpus',
      true,
      host.cpus === undefined ? String(site.cpus) : `${site.cpus}, ${host.cpus} for jobs`,
      'jobs share cores',
      host.cpus !== undefined && host.cpus > site.cpus,
    ),
    gpuLine(line, host.gpus, site),
  ]
}

type LineOf = (check: string, ok: boolean, detail: string, fix: string, warning?: boolean) => CheckLine

function toolLine(line: LineOf, tools: Readonly<Record<string, string>>): CheckLine {
  const has = (tool: string): boolean => tools[tool] !== undefined
  const wanted = ['tar', 'rsync', 'git', 'python3', 'docker', 'podman', 'apptainer']
  const found = wanted.filter(has).join(', ') || 'none'
  if (!has('tar') && !has('rsync'))
    return line('tools', false, `neither tar nor rsync: code cannot be sent (${found})`, 'Install tar, better rsync too.')
  const without = [
    ...(has('rsync') ? [] : ['without rsync whole bundles are sent by tar']),
    ...(has('python3') ? [] : ['without python3 torchrun and optuna cannot run']),
  ]
  return line('tools', true, found, without.join('; '), without.length > 0)
}

function gpuLine(line: LineOf, configured: number | readonly number[] | undefined, site: HostReport['site']): CheckLine {
  const found = site.gpus.map((gpu) => `${gpu.index}: ${gpu.name}`).join(', ') || 'none'
  const why = site.tools['nvidia-smi'] === undefined ? ' (there is no nvidia-smi)' : ''
  if (configured === undefined) return line('gpus', true, found, '')
  if (typeof configured === 'number') {
    const enough = site.gpus.length >= configured
    const detail = enough ? `${found}; ${configured} of ${site.gpus.length} for jobs` : `${configured} configured, found ${found}${why}`
    return line('gpus', enough, detail, `Set gpus to ${site.gpus.length}, or mend the driver there.`)
  }
  const missing = configured.filter((index) => !site.gpus.some((gpu) => gpu.index === index))
  const detail =
    missing.length === 0 ? `${found}; ${configured.join(', ')} for jobs` : `no device ${missing.join(', ')}; found ${found}${why}`
  return line('gpus', missing.length === 0, detail, 'Set gpus to devices that are there, or mend the driver.')
}
