import { resolveTask } from '../executors/resolve-task.ts'
import type { TaskFile } from '../task/task-spec.ts'
import type { ClientOptions, PlanView } from './drover.ts'
import type { JobControl } from './job-context.ts'
import { planView } from './plan-view.ts'
import { hideSecrets } from './secret-texts.ts'

/** What a file's tasks would become, each for its target; nothing is stored or packaged. */
export async function planTasks(file: TaskFile, client: ClientOptions, { targets }: JobControl): Promise<readonly PlanView[]> {
  const views: PlanView[] = []
  for (const spec of file.tasks) {
    const place = { target: spec.target, ...client }
    const target = await targets.open(place)
    const task = resolveTask(spec, {
      target: target.name,
      kind: target.executor.kind,
      capabilities: target.executor.capabilities,
      site: target.site,
      definition: target.definition,
      others: targets.capabilities(place),
      upstreams: Object.fromEntries(spec.after.map(({ task: name }) => [name, `${target.site.root}/jobs/<id of ${name}>/work/0`])),
      ...(spec.workdir?.kind === 'link' ? { code: { kind: 'link' as const, path: spec.workdir.path } } : {}),
    })
    const view = planView(target.executor.plan(task, target.site, { jobId: 'JOBID', attempt: 1 }), task, spec)
    views.push({ ...view, keys: hideSecrets(view.keys, spec.secrets), warnings: hideSecrets(view.warnings, spec.secrets) })
  }
  return views
}
