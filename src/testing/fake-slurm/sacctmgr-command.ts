import type { CommandCall } from '../fake-commands/command-call.ts'
import { OptionError, optionTable, parseOptions } from './command-options.ts'
import { type CommandContext, CommandFailure, SLURM_VERSION } from './slurm-command.ts'

const OPTIONS = optionTable('noheader,n parsable2,P parsable,p immediate,i version,V readonly,r associations,s quiet,Q verbose,v')

/** sacctmgr show assoc|qos|cluster|user, parsable; nothing of what it can change. */
export function sacctmgr({ state }: CommandContext, call: CommandCall): number {
  const { settings } = state
  const { options, rest } = readOptions(call)
  const has = (name: string): boolean => options.some((option) => option.name === name)
  if (has('version')) {
    call.out(`slurm-wlm ${SLURM_VERSION}\n`)
    return 0
  }
  if (!settings.accounting)
    throw new CommandFailure("You are not running a supported accounting_storage plugin\nOnly 'accounting_storage/slurmdbd' is supported.")
  const [verb = '', entity = '', ...words] = rest
  if (!/^(show|list)$/.test(verb)) throw new CommandFailure(`fake-slurm: sacctmgr ${verb} is not there`)
  const given = new Map(
    words
      .filter((word) => word.includes('='))
      .map((word) => [word.slice(0, word.indexOf('=')).toLowerCase(), word.slice(word.indexOf('=') + 1)]),
  )
  const table = rowsOf(entity.toLowerCase(), settings, given.get('user') ?? given.get('users'))
  if (!table) {
    throw new CommandFailure(
      'No valid entity in list command\nInput line must include "Account", "Association", "Cluster", "Configuration",\n"Event", "Federation", "Problem", "QOS", "Resource", "Reservation",\n"RunAwayJobs", "Stats", "Transaction", "TRES", "User", or "WCKey"',
    )
  }
  if (!has('parsable2') && !has('parsable')) throw new CommandFailure('fake-slurm: sacctmgr without -P is not there')
  const fields = (
    given.get('format') ??
    Object.keys(HEADERS)
      .filter((name) => name in table.known)
      .join(',')
  ).split(',')
  const lines = has('noheader') ? [] : [fields.map((field) => HEADERS[field.toLowerCase()] ?? field).join('|')]
  for (const field of fields) if (!(field.toLowerCase() in HEADERS)) throw new CommandFailure(`Unknown field '${field}'`)
  for (const row of table.rows) lines.push(fields.map((field) => row[field.toLowerCase()] ?? '').join('|'))
  const end = has('parsable') ? '|' : ''
  if (lines.length > 0) call.out(`${lines.map((line) => line + end).join('\n')}\n`)
  return 0
}

const HEADERS: Readonly<Record<string, string>> = {
  cluster: 'Cluster',
  account: 'Account',
  user: 'User',
  partition: 'Partition',
  qos: 'QOS',
  defaultqos: 'Def QOS',
  defaultaccount: 'Def Acct',
  name: 'Name',
  priority: 'Priority',
  maxwall: 'MaxWall',
  maxjobs: 'MaxJobs',
  maxsubmit: 'MaxSubmit',
  controlhost: 'ControlHost',
  controlport: 'ControlPort',
}

interface Table {
  readonly known: Readonly<Record<string, string>>
  readonly rows: readonly Readonly<Record<string, string>>[]
}

function rowsOf(entity: string, settings: CommandContext['state']['settings'], user: string | undefined): Table | undefined {
  const { clusterName, accounts = [], qos = ['normal'] } = settings
  const mine = user === undefined || user === settings.user.name
  const blank = { cluster: '', account: '', user: '', partition: '', qos: '', defaultqos: '' }
  if (/^assoc/.test(entity)) {
    const rows = accounts.map((account) => ({ ...blank, cluster: clusterName, account, user: settings.user.name, qos: qos.join(',') }))
    return { known: blank, rows: mine ? rows : [] }
  }
  if (entity === 'qos')
    return { known: { name: '', priority: '', maxwall: '' }, rows: qos.map((name) => ({ name, priority: '0', maxwall: '' })) }
  if (/^cluster/.test(entity))
    return { known: { cluster: '', controlhost: '' }, rows: [{ cluster: clusterName, controlhost: '127.0.0.1' }] }
  if (/^user/.test(entity)) {
    const [account] = accounts
    const rows = account === undefined ? [] : [{ user: settings.user.name, defaultaccount: account, account }]
    return { known: { user: '', defaultaccount: '' }, rows: mine ? rows : [] }
  }
  return undefined
}

function readOptions(call: CommandCall): ReturnType<typeof parseOptions> {
  try {
    return parseOptions(OPTIONS, call.argv, false)
  } catch (error) {
    if (!(error instanceof OptionError)) throw error
    throw new CommandFailure(`sacctmgr: ${error.message}\nTry "sacctmgr --help" for more information`)
  }
}
