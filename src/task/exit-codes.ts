/** Exit code of Drover's own failures: a wrong file or flag, a target that can't be reached. A task's own code is passed on. */
export const DROVER_EXIT_CODE = 125
