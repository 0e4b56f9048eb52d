import { readFileSync } from 'node:fs'

/** The program of a worker host. The build puts the file's text here: `dist/` has no `.py`. */
export const WORKER_HOST = readFileSync(new URL('./worker-host.py', import.meta.url), 'utf8')
