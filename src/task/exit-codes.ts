/** Exit code of Drover's own failures: a wrong file or flag, a target that can't be reached. A task's own code is passed on. */
export const DROVER_EXIT_CODE = 125

/** Who cancels the companions of a parallel group: their end is the group's, not a failure. */
export const GROUP_END = 'the end of its group'
