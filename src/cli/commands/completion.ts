import { InputError } from '../../errors.ts'
import type { Cli } from '../cli.ts'
import { createCommand } from '../command-builder.ts'
import { COMMAND_FACTS, COMMAND_NAMES } from '../command-names.ts'

function commandsThatComplete(what: 'jobs' | 'targets' | 'files'): string {
  return Object.entries(COMMAND_FACTS)
    .filter(([, facts]) => 'completes' in facts && facts.completes === what)
    .map(([name]) => name)
    .join('|')
}

const SUBCOMMANDS = { target: 'list show check', supervisor: 'status stop run', completion: 'bash zsh fish' } as const

/** Flags are read from the command's own help, so that a script never knows fewer than the program. */
const FLAGS = `drover "$cmd" --help 2>/dev/null | grep -oE -- '--[a-z][a-z-]+'`

function compileBash(): string {
  return `# drover completion for bash. In ~/.bashrc: source <(drover completion bash)
_drover() {
  local cur=\${COMP_WORDS[COMP_CWORD]} prev=\${COMP_WORDS[COMP_CWORD-1]} cmd=\${COMP_WORDS[1]} words=""
  COMPREPLY=()
  if [ "$COMP_CWORD" -eq 1 ]; then words="${COMMAND_NAMES.join(' ')}"
  elif [ "$prev" = --on ] || [ "$prev" = --target ]; then words=$(drover __complete targets 2>/dev/null)
  elif [ "$prev" = -o ] || [ "$prev" = --output ]; then words="table json quiet"
  elif [ "\${cur#-}" != "$cur" ]; then words=$(${FLAGS})
  else
    case "$cmd" in
      ${commandsThatComplete('jobs')}) words="last $(drover __complete jobs 2>/dev/null)" ;;
      target) if [ "$COMP_CWORD" -eq 2 ]; then words="${SUBCOMMANDS.target}"; else words=$(drover __complete targets 2>/dev/null); fi ;;
      supervisor) words="${SUBCOMMANDS.supervisor}" ;;
      completion) words="${SUBCOMMANDS.completion}" ;;
      help) words="${COMMAND_NAMES.join(' ')}" ;;
      *) COMPREPLY=($(compgen -f -- "$cur")); return ;;
    esac
  fi
  COMPREPLY=($(compgen -W "$words" -- "$cur"))
}
complete -F _drover drover
`
}

function compileZsh(): string {
  return `#compdef drover
# drover completion for zsh. In ~/.zshrc: source <(drover completion zsh)
_drover() {
  local cmd=\${words[2]} prev=\${words[CURRENT-1]}
  if (( CURRENT == 2 )); then compadd -- ${COMMAND_NAMES.join(' ')}
  elif [[ $prev == --on || $prev == --target ]]; then compadd -- \${(f)"$(drover __complete targets 2>/dev/null)"}
  elif [[ $prev == -o || $prev == --output ]]; then compadd -- table json quiet
  elif [[ $PREFIX == -* ]]; then compadd -- \${(f)"$(${FLAGS})"}
  else
    case $cmd in
      ${commandsThatComplete('jobs')}) compadd -- last \${(f)"$(drover __complete jobs 2>/dev/null)"} ;;
      target) if (( CURRENT == 3 )); then compadd -- ${SUBCOMMANDS.target}; else compadd -- \${(f)"$(drover __complete targets 2>/dev/null)"}; fi ;;
      supervisor) compadd -- ${SUBCOMMANDS.supervisor} ;;
      completion) compadd -- ${SUBCOMMANDS.completion} ;;
      help) compadd -- ${COMMAND_NAMES.join(' ')} ;;
      *) _files ;;
    esac
  fi
}
compdef _drover drover
`
}

function compileFish(): string {
  const jobs = commandsThatComplete('jobs').split('|').join(' ')
  return `# drover completion for fish. In ~/.config/fish/completions/drover.fish: drover completion fish | source
complete -c drover -f
${COMMAND_NAMES.map((name) => `complete -c drover -n __fish_use_subcommand -a ${name} -d '${COMMAND_FACTS[name as keyof typeof COMMAND_FACTS].summary.replaceAll("'", '')}'`).join('\n')}
complete -c drover -n '__fish_seen_subcommand_from ${jobs}' -a '(drover __complete jobs 2>/dev/null)'
complete -c drover -n '__fish_seen_subcommand_from ${commandsThatComplete('files').split('|').join(' ')}' -F
complete -c drover -n '__fish_seen_subcommand_from target' -a '${SUBCOMMANDS.target} (drover __complete targets 2>/dev/null)'
complete -c drover -n '__fish_seen_subcommand_from supervisor' -a '${SUBCOMMANDS.supervisor}'
complete -c drover -n '__fish_seen_subcommand_from completion' -a '${SUBCOMMANDS.completion}'
complete -c drover -l on -x -a '(drover __complete targets 2>/dev/null)'
complete -c drover -s o -l output -x -a 'table json quiet'
`
}

/** `drover completion bash|zsh|fish`: prints a script that completes commands, flags, live job ids and targets. */
export async function completionCommand(cli: Cli, argv: readonly string[]): Promise<void> {
  const scripts: Readonly<Record<string, () => string>> = { bash: compileBash, zsh: compileZsh, fish: compileFish }
  const command = createCommand(cli, 'completion', 'Print a completion script.')
    .argument('<shell>', 'bash, zsh or fish')
    .action(async (shell: string) => {
      const script = scripts[shell]
      if (!script) throw new InputError('invalid_argument', `no completion for "${shell}"`, { hint: 'Shells: bash, zsh, fish.' })
      await cli.print({ json: { shell, script: script() }, ids: [], text: script })
    })
  await command.parseAsync(argv, { from: 'user' })
}
