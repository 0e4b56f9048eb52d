import { type GivenOption, optionTable } from './command-options.ts'

/** Options of sbatch that the fake knows: those that Drover writes and users pass on. Any other is refused as unrecognized. */
export const SBATCH_OPTIONS = optionTable(`
  account=,A array=,a begin=,b bb= bbf= chdir=,D clusters=,M comment= constraint=,C contiguous container= core-spec=,S
  cores-per-socket= cpu-freq= cpus-per-gpu= cpus-per-task=,c deadline= delay-boot= dependency=,d distribution=,m error=,e
  exclude=,x exclusive=? export= export-file= extra-node-info=,B get-user-env=? gid= gpu-bind= gpu-freq= gpus=,G
  gpus-per-node= gpus-per-socket= gpus-per-task= gres= gres-flags= help,h hint= hold,H ignore-pbs input=,i job-name=,J
  kill-on-invalid-dep= licenses=,L mail-type= mail-user= mcs-label= mem= mem-bind= mem-per-cpu= mem-per-gpu= mincpus=
  network= nice=? no-kill=?,k no-requeue nodefile=,F nodelist=,w nodes=,N ntasks=,n ntasks-per-core= ntasks-per-gpu=
  ntasks-per-node= ntasks-per-socket= open-mode= output=,o overcommit,O oversubscribe,s parsable partition=,p power=
  prefer= priority= profile= propagate=? qos=,q quiet,Q reboot requeue reservation= signal= sockets-per-node= spread-job
  switches= test-only thread-spec= threads-per-core= time=,t time-min= tmp= tres-per-task= uid= usage use-min-nodes
  verbose,v version,V wait,W wait-all-nodes= wckey= wrap= x11=?
`)

/** Directives of a script, one list of words per component of a heterogeneous job. */
export function readDirectives(script: string): readonly (readonly string[])[] {
  const components: string[][] = [[]]
  for (const line of script.split('\n').slice(1)) {
    // sbatch stops at the first line that is neither a comment nor blank.
    if (line.trim() !== '' && !line.startsWith('#')) break
    const [, text] = /^#SBATCH(?:\s+(.*))?$/.exec(line) ?? []
    if (text === undefined) continue
    if (/^(hetjob|packjob)\s*$/.test(text)) components.push([])
    else components.at(-1)?.push(...splitWords(text))
  }
  return components
}

/** Words of a directive: quotes of both kinds, backslashes, and a `#` that begins a word ends the line. */
function splitWords(text: string): readonly string[] {
  const words: string[] = []
  let word: string | undefined
  let quote: string | undefined
  for (let at = 0; at < text.length; at++) {
    const letter = text[at] ?? ''
    if (letter === '\\') word = (word ?? '') + (text[++at] ?? '')
    else if (quote !== undefined) {
      if (letter === quote) quote = undefined
      else word = (word ?? '') + letter
    } else if (letter === '"' || letter === "'") {
      quote = letter
      word ??= ''
    } else if (/\s/.test(letter)) {
      if (word !== undefined) words.push(word)
      word = undefined
    } else if (letter === '#' && word === undefined) break
    else word = (word ?? '') + letter
  }
  if (word !== undefined) words.push(word)
  return words
}

/** Variables that stand for options; a directive does not override them, the command line does (sbatch(1), INPUT ENVIRONMENT). */
const VARIABLES: Readonly<Record<string, string>> = {
  SBATCH_ACCOUNT: 'account',
  SBATCH_ARRAY_INX: 'array',
  SBATCH_CLUSTERS: 'clusters',
  SBATCH_CONSTRAINT: 'constraint',
  SBATCH_EXPORT: 'export',
  SBATCH_GRES: 'gres',
  SBATCH_JOB_NAME: 'job-name',
  SBATCH_MEM_PER_CPU: 'mem-per-cpu',
  SBATCH_MEM_PER_NODE: 'mem',
  SBATCH_NO_REQUEUE: 'no-requeue',
  SBATCH_OPEN_MODE: 'open-mode',
  SBATCH_PARTITION: 'partition',
  SBATCH_QOS: 'qos',
  SBATCH_RESERVATION: 'reservation',
  SBATCH_SIGNAL: 'signal',
  SBATCH_TIMELIMIT: 'time',
}

/** Options that come from the environment. */
export function variableOptions(env: Readonly<Record<string, string>>): readonly GivenOption[] {
  return Object.entries(VARIABLES).flatMap(([variable, name]) => {
    const value = env[variable]
    return value === undefined ? [] : [{ name, value }]
  })
}
