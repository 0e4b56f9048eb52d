import type { FileExecutor } from '../../workflow/calls/worker-call.ts'

/** An executor that is made when it is first used: what nobody calls starts no process and asks no supervisor. */
export function lazyExecutor(kind: string, maxParallel: number, create: () => FileExecutor | Promise<FileExecutor>): FileExecutor {
  let made: Promise<FileExecutor> | undefined
  const executor = (): Promise<FileExecutor> => {
    made ??= Promise.resolve(create())
    return made
  }
  return {
    kind,
    maxParallel,
    check: async (worker, tasks) => await (await executor()).check(worker, tasks),
    run: async (call, io) => await (await executor()).run(call, io),
    attach: async (call, io) => await (await executor()).attach(call, io),
    fingerprint: async (worker) => await (await executor()).fingerprint?.(worker),
    close: async () => {
      const opened = await made?.catch(() => undefined)
      await opened?.close()
    },
  }
}
