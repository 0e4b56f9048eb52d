import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Drover, Job } from '../../src/jobs/drover.ts'
import { createJobExecutor, type JobExecutorOptions } from '../../src/workers/job/job-executor.ts'
import { callArgsOf, writeCallArgs } from '../../src/workflow/calls/call-args.ts'
import type { FileExecutor, WorkerCall } from '../../src/workflow/calls/worker-call.ts'
import type { LocalHome } from '../conformance/local-home.ts'

/**
 * A worker in POSIX sh that reads its definition with sed: writes `value`, the text of its input `a` with `!` behind it, as its
 * output. What the text begins with decides how it ends.
 */
const WORKER = `#!/bin/sh
definition="$TKR_DIR/$1"
path_of() { sed -n "s/.*\\"$1\\":\\"\\([^\\"]*\\)\\".*/\\1/p" "$definition"; }
input=$(path_of a)
case $input in /*) ;; *) input=$TKR_DIR/$input ;; esac
a=$(cat "$input")
outputs=$TKR_DIR/$(path_of output_dir)
echo "$a" >>"$TKR_DIR/$(path_of logs_path)"
case $a in
fail*) echo "cannot do $a" >&2; exit 3 ;;
mark*) echo "told: $a" >"$TKR_DIR/$(path_of error_path)"; : >"\${definition%/*}/_error"; exit 0 ;;
sleep*) echo $$ >"\${definition%/*}/pid"; sleep 300 & wait ;;
wait*) while [ ! -e "$TKR_DIR/go" ]; do sleep 0.1; done ;;
die*) kill -9 $$ ;;
where*) pwd >"$outputs/value"; : >"$TKR_DIR/$(path_of done_path)"; exit 0 ;;
rank*) a="$a $RANK of $WORLD_SIZE"; [ "$RANK" = 0 ] || sleep 1 ;;
esac
printf '%s!' "$a" >"$outputs/value"
: >"$TKR_DIR/$(path_of done_path)"
`

/** A registry with the worker `tests`. */
export function makeRegistry(parent: string): string {
  const registry = join(parent, 'registry')
  mkdirSync(join(registry, 'tests'), { recursive: true })
  const path = join(registry, 'tests', 'main.sh')
  writeFileSync(path, WORKER)
  chmodSync(path, 0o755)
  return registry
}

/** An executor on the home's supervisor, whose target is `local` unless said otherwise. */
export function jobExecutor(home: LocalHome, options: Partial<JobExecutorOptions> = {}): FileExecutor {
  const registry = join(home.directory, 'registry')
  return createJobExecutor({ drover: home.drover, target: 'local', registry, clientDirectory: home.directory, ...options })
}

/** All jobs of the home, oldest first. */
export async function jobsOf(drover: Drover): Promise<readonly Job[]> {
  return [...(await drover.list({ limit: 1000 }))].reverse()
}

export const outputOf = (call: WorkerCall, port = 'value'): string | undefined =>
  existsSync(join(call.directory, 'outputs', port)) ? readFileSync(join(call.directory, 'outputs', port), 'utf8') : undefined

/** Elements of one map in a directory that jobs of another account write too; element i has the i-th text as its input `a`. */
export function openMap(root: string, runId: string, texts: readonly string[]): readonly WorkerCall[] {
  const open = (path: string): void => {
    mkdirSync(path, { recursive: true })
    chmodSync(path, 0o777)
  }
  open(join(root, runId))
  return texts.map((a, index) => {
    const loc = `-.N3.M${index}.N2`
    const directory = join(root, runId, loc)
    open(directory)
    open(join(directory, 'outputs'))
    writeFileSync(join(root, runId, `input-${index}`), a)
    const plain = callArgsOf({ runId, directory: `${runId}/${loc}`, task: 'work', inputs: new Map(), outputs: ['value'] })
    const args = { ...plain, inputs: { a: `${runId}/input-${index}` }, logs_path: `${runId}/${loc}/log` }
    const argsPath = `${runId}/${loc}/definition`
    writeFileSync(join(root, argsPath), writeCallArgs(args))
    return { runId, loc, worker: 'tests', task: 'work', attempt: 1, root, directory, argsPath, args }
  })
}
