import { readFileSync } from 'node:fs'

/** The program of a worker host. The build puts the files' text here: `dist/` has no `.py`. */
export const WORKER_HOST =
  readFileSync(new URL('./fork-safety.py', import.meta.url), 'utf8') + readFileSync(new URL('./worker-host.py', import.meta.url), 'utf8')
