import { quoteArgv, quoteShell } from '../../driver/quote.ts'
import { isEndState } from '../../task/states.ts'
import type { CommandOutcome, NativeJob, NativeQuery, QueryAnswer } from '../batch/scheduler.ts'
import { type PbsRecord, parseQstat } from './pbs-output.ts'
import { pbsState } from './pbs-states.ts'
import { pbsTime } from './pbs-times.ts'

/** All that is read of a job; the rest is left on the login node. */
const ATTRIBUTES = [
  'Job_Name',
  'Job_Owner',
  'job_state',
  'substate',
  'depend',
  'exec_host',
  'Execution_Time',
  'Hold_Types',
  'comment',
  'Exit_status',
  'exit_status',
  'qtime',
  'stime',
  'run_count',
  'array_index',
]
const WANTED = `^(${ATTRIBUTES.join('|')}|estimated[.]start_time)$`

/** Above so many ids qstat is asked for all jobs of the server in one request, and not for each by one of its own. */
const MOST_IDS = 100

/** Keeps of dsv the fields that are read. */
const FILTER_DSV = `awk -v wanted=${quoteShell(WANTED)} '{
  gsub(/\\\\[|]/, "\\001")
  n = split($0, field, "|")
  if (n < 2) { gsub(/\\001/, "\\\\|"); print; next }
  line = field[1]
  for (at = 2; at <= n; at++) {
    name = field[at]
    sub(/=.*/, "", name)
    if (name ~ wanted) line = line "|" field[at]
  }
  gsub(/\\001/, "\\\\|", line)
  print line
}'`

/** Keeps of JSON the jobs that hold a text (of their owner, or their name), and of these the lines that are read. */
const FILTER_JSON = `awk -v wanted=${quoteShell(`^[ \t]+"(${ATTRIBUTES.join('|')}|estimated|start_time)":`)} -v sought="$drover_sought" '
function flush() { if (job != "" && index(job, sought)) printf "%s", job; job = "" }
/^[ \\t]+"[0-9]+(\\[[0-9]*\\])?[.][^"]*":[ \\t]*[{]/ { flush(); job = $0 "\\n"; inside = 1; next }
!inside { print; next }
$0 ~ wanted { job = job $0 "\\n" }
END { flush(); if (inside) print "}\\n}" }'`

/**
 * Functions of sh that ask qstat. JSON of several ids is not to be had: a build of 23.06.06 prints the first one alone, so ids
 * are asked for as dsv, and all jobs as JSON, in which no value can pass for another job. Old versions know neither and print
 * stanzas. Times are printed in the zone of the client.
 */
const ASK = `TZ=UTC; export TZ
drover_ids() {
  echo "drover-asked $*"
  drover_out=$(qstat -t -f -F dsv $drover_x "$@"; echo "drover-end $?")
  case $drover_out in
    'Job Id: '*'|'* | 'drover-end 0' | 'drover-end 35' | 'drover-end 153') printf '%s\\n' "$drover_out" | ${FILTER_DSV}; return ;;
    'drover-end 1'[0-9][0-9] | 'drover-end 255') printf '%s\\n' "$drover_out"; return ;;
  esac
  qstat -t -f $drover_x "$@"
  echo "drover-end $?"
}
drover_all() {
  drover_sought=$1
  drover_out=$(qstat -t -f -F json $drover_x; echo "drover-end $?")
  drover_code=\${drover_out##*drover-end }
  case $drover_out in
    '{'*'}
drover-end '* | *'
{
'*'}
drover-end '*) printf '%s\\n' "\${drover_out%drover-end *}" | sed -n '/^{/,$p' | ${FILTER_JSON}; echo "drover-end $drover_code"; return ;;
    'drover-end 1'[0-9][0-9] | 'drover-end 255') printf '%s\\n' "$drover_out"; return ;;
  esac
  qstat -t -f $drover_x
  echo "drover-end $?"
}`

type Of = Parameters<NativeQuery['command']>[0]

function question({ ids, name, user }: Of, history: boolean): string {
  const head = `${ASK}\ndrover_x=${history ? '-x' : "''"}`
  if (ids !== undefined) return `${head}\ndrover_ids ${quoteArgv(ids)}`
  if (name !== undefined) return `${head}\ndrover_all ${quoteShell(`"${name}"`)}`
  return `${head}
drover_mine=$(qselect -u ${quoteShell(user)})
drover_code=$?
# Ids alone: a site may print lines of its own before them. An answer without any, which is not empty, says nothing.
set -- $(printf '%s\\n' "$drover_mine" | grep -E '^[0-9]+([[][0-9]*[]])?[.][^ ]+$')
if [ "$drover_code" != 0 ]; then echo "drover-end $drover_code"
elif [ -z "$drover_mine" ]; then echo 'drover-end 0'
elif [ $# -gt 0 ] && [ $# -le ${MOST_IDS} ]; then drover_ids "$@"
else drover_all ${quoteShell(`"${user}@`)}
fi`
}

/** What qstat says of ids that it does not list, with rc 153, 35 or 0: an answer. The text ends with the id, or begins with it. */
const NOT_LISTED = [
  /^qstat: Unknown Job Id (\S+)/,
  /^qstat: (\S+) Job has finished/,
  /^qstat: PBS is not configured to maintain job history ?(\S*)/,
]
/** Codes of qstat that speak of single ids (15001 and 15035 less 15000, plus 152; OpenPBS 23.06.06). */
const ANSWERED = new Set([0, 35, 153])
const NO_ANSWER = /cannot connect|Connection refused|Connection timed out|No route to host|Unknown Host|End of File|Communication failure/i

function couldNotAsk(code: number | string | undefined, { stdout, stderr }: CommandOutcome): QueryAnswer {
  const said = (stderr.trim() || stdout.trim() || 'no message').split('\n').slice(-2).join('; ')
  return { kind: 'could_not_ask', reason: `PBS does not answer (exit code ${code ?? 'none'}): ${said.slice(0, 300)}` }
}

/** Reads an answer as a whole. What is neither told of nor said to be unknown was not answered. */
export function parseQstatAnswer(outcome: CommandOutcome): QueryAnswer {
  const { stdout, stderr } = outcome
  const [, end] = /(?:^|\n)drover-end (\d+)\s*$/.exec(stdout) ?? []
  if (end === undefined)
    return outcome.code === 0 ? { kind: 'could_not_ask', reason: 'the answer of qstat was cut off' } : couldNotAsk(outcome.code, outcome)
  if (!ANSWERED.has(Number(end)) || NO_ANSWER.test(stderr)) return couldNotAsk(end, outcome)
  const [, asked] = /^drover-asked (.*)$/m.exec(stdout) ?? []
  const records = parseQstat(stdout.replace(/^drover-(?:asked|end) .*$/gm, ''))
  if (records === undefined) return { kind: 'could_not_ask', reason: 'the answer of qstat cannot be read' }
  const torn = records.find(({ attributes }) => !attributes.has('job_state') || !attributes.has('Job_Name'))
  if (torn !== undefined) return { kind: 'could_not_ask', reason: `the answer of qstat breaks off at job ${torn.id}` }
  const told = new Set(records.map(({ id }) => id.replace(/\[\d+\]/, '[]')))
  const complaints = stderr.split('\n').flatMap((line) => NOT_LISTED.map((each) => each.exec(line)?.[1]))
  const silent = asked?.split(' ').find((id) => !told.has(id) && !complaints.includes(id))
  if (silent !== undefined && silent !== '' && !complaints.includes(''))
    return { kind: 'could_not_ask', reason: `qstat says nothing of job ${silent}` }
  return { kind: 'answered', jobs: records.map(nativeJob) }
}

/** What the queue knows: all that waits and runs, and subjobs of such arrays that have ended. */
export const pbsQueue: NativeQuery = { command: (of) => question(of, false), parse: parseQstatAnswer }

/** What is remembered for `job_history_duration`. */
export const pbsHistory: NativeQuery = { command: (of) => question(of, true), parse: parseQstatAnswer }

/** Why it waits, in the scheduler's words. */
function reasonOf(attributes: ReadonlyMap<string, string>, letter: string): string | undefined {
  const comment = attributes.get('comment')
  const depend = attributes.get('depend')
  if (letter === 'H') {
    const holds = attributes.get('Hold_Types') ?? ''
    return comment ?? (holds.includes('s') && depend !== undefined ? `depend ${depend}` : `Hold_Types ${holds}`)
  }
  if (letter === 'W') return comment ?? `Execution_Time ${attributes.get('Execution_Time') ?? ''}`
  return comment ?? (depend !== undefined && !attributes.has('exec_host') ? `depend ${depend}` : undefined)
}

/** A job by its attributes. A job that is no array counts as task 0: an array of one element is submitted as one. */
function nativeJob({ id, attributes }: PbsRecord): NativeJob {
  const [, index] = /\[(\d*)\]/.exec(id) ?? []
  const letter = attributes.get('job_state') ?? ''
  const { state, cause, exitCode } = pbsState(attributes)
  const ended = isEndState(state)
  const [submittedAt, startedAt] = [pbsTime(attributes.get('qtime')), pbsTime(attributes.get('stime'))]
  const expectedStart = pbsTime(attributes.get('estimated.start_time') ?? (letter === 'W' ? attributes.get('Execution_Time') : undefined))
  const reason = state === 'running' || state === 'finishing' ? undefined : reasonOf(attributes, letter)
  const runs = Number(attributes.get('run_count') ?? 0)
  const hosts = attributes.get('exec_host')
  return {
    id: id.replace(/\[\d+\]/, '[]'),
    name: attributes.get('Job_Name') ?? '',
    ...(index === '' ? {} : { tasks: [index === undefined ? 0 : Number(index)] }),
    word: ended ? `${letter}/${attributes.get('substate') ?? '-'}` : letter,
    state,
    ...(cause === undefined ? {} : { cause }),
    ...(exitCode === undefined ? {} : { exitCode }),
    ...(reason === undefined ? {} : { reason }),
    ...(submittedAt === undefined ? {} : { submittedAt }),
    ...(startedAt === undefined ? {} : { startedAt }),
    ...(expectedStart === undefined ? {} : { expectedStart }),
    ...(hosts === undefined ? {} : { nodes: [...new Set(hosts.split('+').map((each) => each.replace(/\/.*/, '')))].join(',') }),
    ...(runs > 1 ? { restarts: runs - 1 } : {}),
  }
}
