/** Variables by which a user's start-up files have Slurm's commands ask another cluster, choose among jobs, or print otherwise. */
const OWN: Readonly<Record<string, readonly string[]>> = {
  SLURM: ['CLUSTERS'],
  SQUEUE: [
    'ACCOUNT',
    'ALL',
    'ARRAY',
    'FORMAT',
    'FORMAT2',
    'LICENSES',
    'NAMES',
    'PARTITION',
    'PRIORITY',
    'QOS',
    'SIBLING',
    'SORT',
    'STATES',
    'USERS',
  ],
  SACCT: ['FEDERATION', 'FORMAT', 'LOCAL'],
  SINFO: ['ALL', 'FEDERATION', 'FORMAT', 'LOCAL', 'PARTITION', 'SORT'],
  SCANCEL: [
    'ACCOUNT',
    'BATCH',
    'CRON',
    'CTLD',
    'FULL',
    'HURRY',
    'INTERACTIVE',
    'NAME',
    'PARTITION',
    'QOS',
    'STATE',
    'USER',
    'VERBOSE',
    'WCKEY',
  ],
}

/**
 * POSIX sh before a command of Slurm: it asks the cluster of this machine about all jobs of the user, whatever variables are
 * set (squeue(1), sacct(1), sinfo(1), scancel(1), scontrol(1) of 22.05: ENVIRONMENT VARIABLES).
 */
export const WITHOUT_OWN = `unset ${Object.entries(OWN)
  .flatMap(([command, names]) => names.map((name) => `${command}_${name}`))
  .join(' ')}`

/** Assignments before a command: times in one zone, whatever the cluster's, and always written the same way. */
export const CLOCK = 'TZ=UTC SLURM_TIME_FORMAT=standard'
