"""Scripts that complete the words of the command `ugatit` in a shell.

They are made from the tables of phases and options: the name of a phase comes first, then options
that have an effect on it; a value is one of the option's choices or a file.
"""

from ugatit_tf import command_line
from ugatit_tf.phases import PHASES

# What bash and zsh have in common. `train` is the phase where none is named.
FUNCTIONS = """\
_ugatit_phase() {  # the phase that these words name; the first is the program
    local word before="" phase=train
    shift
    case " @PHASES@ " in *" ${1-} "*) phase=$1 ;; esac
    for word in "$@"; do
        case $word in --phase=*) phase=${word#--phase=} ;; esac
        if [ "$before" = --phase ] && [ "$word" != "=" ]; then phase=$word; fi
        if [ "$word" != "=" ]; then before=$word; fi
    done
    echo "$phase"
}

_ugatit_options() {  # the options of a phase
    case $1 in
@OPTIONS@
    esac
}

_ugatit_names() {  # the words that a phase takes without an option
    case $1 in
@NAMES@
    esac
}

_ugatit_values() {  # the values of a phase's option; none where it may be a file
    case "$1 $2" in
@VALUES@
    esac
}
"""

BASH = """\
# To complete words in this shell: eval "$(ugatit --completion bash)"
# In every shell: put that line into ~/.bashrc.

@FUNCTIONS@
_ugatit() {
    local current=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]} phase words
    phase=$(_ugatit_phase "${COMP_WORDS[@]:0:COMP_CWORD}")
    if [ "$current" = "=" ]; then  # for bash the sign is a word
        current=""
    elif [ "$before" = "=" ]; then
        before=${COMP_WORDS[COMP_CWORD-2]}
    fi
    case $before in
        --help | --*=* | [!-]*) words="$(_ugatit_names "$phase") $(_ugatit_options "$phase")" ;;
        *) words=$(_ugatit_values "$phase" "$before") ;;
    esac
    if [ "$COMP_CWORD" = 1 ]; then words="@PHASES@ $words"; fi
    COMPREPLY=($(compgen -W "$words" -- "$current"))
}

complete -o default -F _ugatit ugatit
"""

ZSH = """\
# To complete words in this shell, after compinit: eval "$(ugatit --completion zsh)"
# In every shell: put that line into ~/.zshrc, below `autoload -U compinit; compinit`.

@FUNCTIONS@
_ugatit() {
    local before=${words[CURRENT-1]} phase
    local -a found
    phase=$(_ugatit_phase "${(@)words[1,CURRENT-1]}")
    if [[ ${words[CURRENT]} == --*=* ]]; then
        before=${words[CURRENT]%%=*}
        compset -P "*="
    fi
    case $before in
        --help | --*=* | [!-]*) found=($(_ugatit_names "$phase") $(_ugatit_options "$phase")) ;;
        *) found=($(_ugatit_values "$phase" "$before")) ;;
    esac
    if (( CURRENT == 2 )); then found=(@PHASES@ $found); fi
    if (( $#found )); then compadd -- $found; else _files; fi
}

compdef _ugatit ugatit
"""

FISH = """\
# To complete words in this shell: ugatit --completion fish | source
# In every shell: ugatit --completion fish > ~/.config/fish/completions/ugatit.fish

function __ugatit_is  # whether the words so far name one of these phases
    set -l words (commandline -opc)
    set -l phase train
    contains -- "$words[2]" @PHASES@; and set phase $words[2]
    for index in (seq (count $words))
        switch "$words[$index]"
            case "--phase=*"
                set phase (string replace -- "--phase=" "" $words[$index])
            case --phase
                set -l next (math $index + 1)
                test $next -le (count $words); and set phase $words[$next]
        end
    end
    contains -- $phase $argv
end

function __ugatit_is_first  # whether the first word after the name is typed
    test (count (commandline -opc)) -eq 1
end

@COMPLETE@
"""


def script(shell: str) -> str:
    """The script for a shell: "bash", "zsh" or "fish"."""
    parts = {
        "FUNCTIONS": FUNCTIONS,
        "PHASES": " ".join(PHASES),
        "OPTIONS": "\n".join(_option_cases()),
        "NAMES": "\n".join(_name_cases()),
        "VALUES": "\n".join(_value_cases()),
        "COMPLETE": "\n".join(_fish_lines()),
    }
    text = {"bash": BASH, "zsh": ZSH, "fish": FISH}[shell]
    for name, part in parts.items():
        text = text.replace(f"@{name}@", part)
    return text


def _rows():
    """phase -> the `options.Row`s that have an effect on it."""
    return {name: sum(command_line.rows_of(phase), []) for name, phase in PHASES.items()}


def _option_cases():
    for phase, rows in _rows().items():
        names = ["--help", "--phase", *(f"--{row.name}" for row in rows)]
        yield f"        {phase}) echo {' '.join(names)} ;;"


def _name_cases():
    for name, phase in PHASES.items():
        if phase.names:
            yield f"        {name}) echo {' '.join(phase.names)} ;;"


def _value_cases():
    values_of = {}  # name -> phase -> values
    for phase, rows in _rows().items():
        for row in rows:
            values_of.setdefault(row.name, {})[phase] = row.values
    patterns = {tuple(PHASES): ['*" --phase"']}
    for name, by_phase in values_of.items():
        is_same = len(set(by_phase.values())) == 1
        for phase, values in by_phase.items():
            pattern = f'*" --{name}"' if is_same else f'"{phase} --{name}"'
            if values and pattern not in patterns.setdefault(values, []):
                patterns[values].append(pattern)
    for values, names in patterns.items():
        yield f"        {' | '.join(names)}) echo {' '.join(values)} ;;"


def _fish_lines():
    for name, phase in PHASES.items():
        yield f"complete -c ugatit -n __ugatit_is_first -f -a {name} -d {_quoted(phase.help)}"
        if phase.names:
            yield f"complete -c ugatit -n '__ugatit_is {name}' -f -a '{' '.join(phase.names)}'"
    yield "complete -c ugatit -l help -f -d 'show the options'"
    yield f"complete -c ugatit -l phase -x -a '{' '.join(PHASES)}'"
    phases_of = {}
    for phase, rows in _rows().items():
        for row in rows:
            phases_of.setdefault((row.name, row.values, row.rule.help), []).append(phase)
    for (name, values, help), phases in phases_of.items():
        value = f"-x -a '{' '.join(values)}'" if values else "-r"
        used = f"-n '__ugatit_is {' '.join(phases)}'"
        yield f"complete -c ugatit {used} -l {name} {value} -d {_quoted(help)}"


def _quoted(text):
    """A text as a word of fish."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
