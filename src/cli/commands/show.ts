import type { Job } from '../../jobs/drover.ts'
import { isRefusal } from '../../jobs/lease-refusal.ts'
import type { Cli } from '../cli.ts'
import { createCommand } from '../command-builder.ts'
import { detailOf } from '../job-text.ts'
import { bytesText, spanMs, spanText } from '../output/amounts.ts'
import { compileFields, compileTable, printable } from '../output/table.ts'

function usageText(job: Job): string {
  const { wall_ms: wall, cpu_ms: cpu, peak_memory_bytes: memory } = job.usage
  return [
    wall === null ? '' : `wall ${spanText(wall)}`,
    cpu === null ? '' : `cpu ${spanText(cpu)}`,
    memory === null ? '' : `peak memory ${bytesText(memory)}`,
  ]
    .filter((part) => part !== '')
    .join(', ')
}

function section(title: string, body: string): string {
  return body === '' ? '' : `\n${title}\n${body.replace(/^(?=.)/gm, '  ')}`
}

function compileJob(cli: Cli, job: Job): string {
  const now = cli.host.now()
  const ran = spanMs(job.started_at, job.ended_at, now)
  const ago = job.checked_at === null ? '' : ` (${spanText(Math.max(0, now - Date.parse(job.checked_at)))} ago)`
  const fields = compileFields([
    ['id', job.id],
    ['name', printable(job.name)],
    ['state', `${cli.style.state(job.state)}${job.native_word === null ? '' : ` (${printable(job.native_word)})`}`],
    ['detail', detailOf(job)],
    ['exit code', job.exit_code === null ? null : String(job.exit_code)],
    ['target', `${job.target} (${job.kind})`],
    ['native id', job.native_id],
    ['group', job.group],
    ['attempt', String(job.attempt)],
    ['after', job.after.map((upstream) => `${upstream.job} (${upstream.condition})`).join(', ')],
    ['created', job.created_at],
    ['started', job.started_at],
    ['ended', job.ended_at],
    ['ran', ran === undefined ? null : spanText(ran)],
    ['checked', job.checked_at === null ? null : `${job.checked_at}${ago}`],
    ['used', usageText(job)],
    ['directory', job.directory],
    ['collected', job.collected],
  ])
  const ranks = compileTable(
    [
      { title: 'RANK', align: 'right' },
      { title: 'NODE' },
      { title: 'STATE' },
      { title: 'EXIT', align: 'right' },
      { title: 'PID', align: 'right' },
      { title: '' },
    ],
    job.ranks.map((rank) => [
      String(rank.rank),
      rank.node,
      { text: rank.state, shown: cli.style.state(rank.state) },
      rank.exit_code === null ? '' : String(rank.exit_code),
      rank.pid === null ? '' : String(rank.pid),
      rank.killed_by_peer ? 'ended because of another rank' : rank.signal === null ? '' : `signal ${rank.signal}`,
    ]),
  )
  const attempts = compileTable(
    [
      { title: 'TRY', align: 'right' },
      { title: 'STATE' },
      { title: 'EXIT', align: 'right' },
      { title: 'STARTED' },
      { title: 'ENDED' },
      { title: 'CAUSE' },
    ],
    // An attempt that found no room on a shared node ran nothing: those in a row are one line of waiting.
    job.attempts.flatMap((attempt, at) => {
      if (isRefusal(attempt.cause ?? undefined) && isRefusal(job.attempts[at + 1]?.cause ?? undefined)) return []
      const before = job.attempts.slice(0, at).findLastIndex(({ cause }) => !isRefusal(cause ?? undefined))
      const first = job.attempts[before + 1]?.number ?? attempt.number
      const waited = isRefusal(attempt.cause ?? undefined)
      return [
        [
          waited && first < attempt.number ? `${first}-${attempt.number}` : String(attempt.number),
          waited ? 'waited' : { text: attempt.state, shown: cli.style.state(attempt.state) },
          waited || attempt.exit_code === null ? '' : String(attempt.exit_code),
          attempt.started_at ?? '',
          attempt.ended_at ?? '',
          attempt.cause?.message ?? '',
        ],
      ]
    }),
  )
  const failed = compileTable(
    [{ title: 'ELEMENT', align: 'right' }, { title: 'EXIT', align: 'right' }, { title: 'CAUSE' }],
    (job.elements?.first_failed ?? []).map((one) => [
      String(one.position),
      one.exit_code === null ? '' : String(one.exit_code),
      one.cause ?? '',
    ]),
  )
  return [
    fields,
    job.ranks.length > 0 ? section('Ranks', ranks) : '',
    job.attempts.length > 1 ? section('Attempts', attempts) : '',
    (job.elements?.first_failed.length ?? 0) > 0 ? section('First failed elements', failed) : '',
  ].join('')
}

/** `drover show JOB`: everything that is known of one job. */
export async function showCommand(cli: Cli, argv: readonly string[]): Promise<void> {
  const command = createCommand(cli, 'show', 'Show all about one job.')
    .argument('<job>', 'id, unique prefix of one, name, or "last"')
    .action(async (selector: string) => {
      const job = await (await cli.drover()).get(selector)
      await cli.print({ json: job, ids: [job.id], text: () => compileJob(cli, job) })
    })
  await command.parseAsync(argv, { from: 'user' })
}
