import { heldPaths } from './held-paths.ts'
import { quoteShell } from './quote.ts'

/** What the agent of a held cluster is made of. */
export interface HeldAgentOptions {
  /** Without a job for so long, the cluster ends by itself. Undefined: it stays until its time limit. */
  readonly idleSeconds?: number
  /** POSIX sh that prints what the scheduler and the nodes say of themselves; a code other than 0 ends the cluster. */
  readonly facts: string
}

/** The cluster could not find out what its nodes are. */
const NO_FACTS_EXIT_CODE = 93

/**
 * The script of the job that holds a cluster's nodes; it runs on the head node of the allocation. It reads on in `commands`
 * (0.2 s while there is something to do, else 1 s), starts what is named there in a session of its own, notes starts and ends in
 * `events`, and ends with 0 after the idle time. A TERM is passed on to all that runs, as a line in its `stop` file; then it
 * waits for their ends, so that their records are written. What it prints is the cluster's log.
 */
export function compileHeldAgent({ idleSeconds, facts }: HeldAgentOptions): string {
  return `held=$DROVER_ATTEMPT_DIR
told='' seen=0 running='' nl='
'
trap 'told=1' TERM INT
# What is the holder's own is not that of the jobs.
for name in $(env | sed -n -e 's/^\\(DROVER_[A-Za-z0-9_]*\\)=.*/\\1/p' -e 's/^\\(SKYPILOT_[A-Za-z0-9_]*\\)=.*/\\1/p'); do unset "$name"; done
say() { printf '%s %s\\n' "$(date '+%Y-%m-%d %H:%M:%S')" "$*"; }
note() { printf '%s %s\\n' "$(date +%s)" "$*" >>"$held/${heldPaths.events}"; }
clock() {
  if [ -r /proc/uptime ]; then read -r up rest </proc/uptime; else up=$(date +%s); fi
  up=\${up%%.*}
}
nap=0.2
sleep 0.01 2>/dev/null || nap=1
session=setsid
command -v setsid >/dev/null 2>&1 || session=

if found=$(
  ${facts.trimEnd().replaceAll('\n', '\n  ')}
); then
  printf '%s\\ndrover-end\\n' "$found" >>"$held/${heldPaths.nodes}"
else
  say "the nodes of this cluster cannot be used: exit $?"
  printf '%s\\n' "$found"
  exit ${NO_FACTS_EXIT_CODE}
fi
say "up: $(printf '%s\\n' "$found" | sed -n 's/^node \\([^ ]*\\).*/\\1/p' | tr '\\n' ' ')"

start() {
  # Only the first line that names it starts it.
  mkdir "$1/started" 2>/dev/null || return 0
  note "started $1"
  job=\${1%/*}
  say "start \${job##*/}"
  $session sh -c 'trap : TERM INT HUP
sh "$1/${heldPaths.start}" </dev/null >>"$1/logs/driver.log" 2>&1
code=$?
printf "%s ended %s %s\\n" "$(date +%s)" "$code" "$1" >>"$2/${heldPaths.events}"' drover "$1" "$held" &
  running="$running$! $1$nl"
}

# What has ended is taken from the list.
reap() {
  still=
  while read -r pid dir; do
    [ -n "$pid" ] && kill -0 "$pid" 2>/dev/null && still="$still$pid $dir$nl"
  done <<END
$running
END
  running=$still
}

look() {
  fresh=$(tail -n "+$((seen + 1))" "$held/${heldPaths.commands}" && echo .)
  fresh=\${fresh%.}
  # A line that is still being written is read the next time.
  case $fresh in *"$nl"*) fresh=\${fresh%"$nl"*} ;; *) return 1 ;; esac
  while IFS= read -r line; do
    seen=$((seen + 1))
    case $line in 'start /'*) start "\${line#start }" ;; esac
  done <<END
$fresh
END
}

clock
last=$up
while [ -z "$told" ]; do
  look
  [ -z "$running" ] || reap
  clock
  if [ -n "$running" ]; then
    last=$up
${
  idleSeconds === undefined
    ? ''
    : `  elif [ $((up - last)) -ge ${Math.ceil(idleSeconds)} ]; then
    note closed
    say 'no job for ${Math.ceil(idleSeconds)} s: the cluster ends'
    exit 0
`
}  fi
  if [ $((up - last)) -lt 60 ]; then sleep "$nap"; else sleep 1; fi
done

note closed
say 'told to end: its jobs are ended first'
while read -r pid dir; do
  [ -z "$dir" ] || printf 'term\\n' >>"$dir/${heldPaths.stop}"
done <<END
$running
END
while reap && [ -n "$running" ]; do sleep "$nap"; done
say 'down'
exit 143
`
}

/**
 * `held-step.sh`: runs the driver of one attempt directory and gives it the signals that its `stop` file asks for: no launcher
 * can be trusted to pass signals on, and the driver may be on another node than the agent. Ends with the driver's code.
 */
export function compileHeldStep(attemptDir: string): string {
  return `#!/bin/sh
dir=${quoteShell(attemptDir)}
# The scheduler's TERM for all meets the driver as well.
trap : TERM INT HUP
cd "$dir" || exit 96
session=setsid
command -v setsid >/dev/null 2>&1 || session=
$session sh "$dir/driver.sh" </dev/null &
driver=$!
(
  trap : TERM INT HUP
  taken=0 nap=0.5
  while kill -0 "$driver" 2>/dev/null; do
    sleep "$nap" 2>/dev/null || { nap=1 && sleep 1; }
    at=0
    while read -r what pid start; do
      at=$((at + 1))
      [ "$at" -gt "$taken" ] || continue
      case $what in
        term) kill -TERM "$driver" 2>/dev/null ;;
        slot)
          # The number may have been given to another process.
          read -r stat <"/proc/$pid/stat" || continue
          stat=\${stat##*) }
          # shellcheck disable=SC2086
          set -- $stat
          [ "\${20}" != "$start" ] || kill -TERM "$pid" 2>/dev/null
          ;;
      esac
    done <"$dir/${heldPaths.stop}"
    taken=$at
  done
) </dev/null >/dev/null 2>&1 &
while :; do
  wait "$driver"
  code=$?
  kill -0 "$driver" 2>/dev/null || break
done
exit "$code"
`
}
