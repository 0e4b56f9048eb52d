import { quoteShell } from '../../driver/quote.ts'

/**
 * TERM to what runs, so that the driver writes down how it ended; what waits is deleted. qsig fails on the latter.
 * Each id by a command of its own: several ids with an unknown one among them end the server (OpenPBS 23.06.06).
 */
const askOne = (id: string): string => `qsig -s SIGTERM ${quoteShell(id)} 2>/dev/null || qdel ${quoteShell(id)}`

/** The subjobs that wait are named as ranges by the parent; those that run get the signal by the parent's id. */
function askArray(id: string): string {
  const [number = '', server = ''] = id.split('[].')
  const subjobs = `${quoteShell(`${number}[`)}"$drover_range"${quoteShell(`].${server}`)}`
  return `drover_left=$(qstat -f ${quoteShell(id)} | awk '
    /^    array_indices_remaining = / { sub(/^[^=]*= /, ""); left = $0; on = 1; next }
    on && /^\\t/ { sub(/^\\t/, ""); left = left $0; next }
    { on = 0 }
    /^    job_state = / { state = $3 }
    END { print state == "B" ? left : "all" }')
case $drover_left in
  all) qdel ${quoteShell(id)} ;;
  *)
    for drover_range in $(echo "$drover_left" | tr ',' ' '); do
      [ "$drover_range" = - ] || qdel ${subjobs}
    done
    qsig -s SIGTERM ${quoteShell(id)} 2>/dev/null || :
    ;;
esac`
}

/**
 * `act`, where the job of this id has this name: a server that lost its memory gives ids out again, and neither qdel nor qsig
 * take names. A name that cannot be read is none.
 */
function ofName(id: string, name: string | undefined, act: string): string {
  if (name === undefined) return act
  return `if [ "$(qstat -f ${quoteShell(id)} 2>/dev/null | sed -n 's/^ *Job_Name = //p')" = ${quoteShell(name)} ]; then
${act}
fi`
}

/** Ends jobs: `ask` by a signal to what runs, `end` by PBS itself, which kills after its own delay. */
export function cancelCommand(ids: readonly string[], how: 'ask' | 'end', names: readonly string[] = []): string {
  const ask = (id: string): string => (id.includes('[]') ? askArray(id) : askOne(id))
  return ids.map((id, at) => ofName(id, names[at], how === 'end' ? `qdel ${quoteShell(id)}` : ask(id))).join('\n')
}

/** Ends tasks of an array; an array of one element is a job of its own. */
export function cancelTasksCommand(id: string, tasks: readonly number[], name?: string): string {
  if (!id.includes('[]')) return ofName(id, name, askOne(id))
  return ofName(id, name, tasks.map((task) => askOne(id.replace('[]', `[${task}]`))).join('\n'))
}
