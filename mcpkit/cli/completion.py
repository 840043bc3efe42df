"""`mcpkit completion`: shell completion."""

from __future__ import annotations

import os

import click
from click.shell_completion import (
    BashComplete,
    CompletionItem,
    FishComplete,
    ZshComplete,
    add_completion_class,
    get_completion_class,
    split_arg_string,
)

from mcpkit.cli.main import COMPLETE
from mcpkit.cli.output import print_text

_BASH = """\
%(complete_func)s() {
    local kind reply
    COMPREPLY=()
    while IFS=, read -r kind reply; do
        case $kind in
            dir) compopt -o dirnames ;;
            file) compopt -o default ;;
            plain)
                COMPREPLY+=("$reply")
                [[ $reply == *[=/] ]] && compopt -o nospace
                ;;
        esac
    done < <(
        COMP_LINE="${COMP_LINE:0:COMP_POINT}" COMP_WORDBREAKS="$COMP_WORDBREAKS" \\
            %(complete_var)s=bash_complete "$1" 2>/dev/null
    )
}

complete -o nosort -F %(complete_func)s %(prog_name)s
"""


_ZSH = """\
#compdef %(prog_name)s

%(complete_func)s() {
    local kind key help
    local -a closed open
    (( $+commands[%(prog_name)s] )) || return 1
    for kind key help in "${(@f)$(
        env COMP_WORDS="${words[*]}" COMP_CWORD=$((CURRENT-1)) \\
            %(complete_var)s=zsh_complete %(prog_name)s 2>/dev/null
    )}"; do
        case $kind in
            dir) _path_files -/ ;;
            file) _path_files -f ;;
            plain)
                [[ $help != _ ]] && help="$key:$help" || help=$key
                [[ $key == *[=/] ]] && open+=("$help") || closed+=("$help")
                ;;
        esac
    done
    (( $#closed )) && _describe -V unsorted closed -U
    (( $#open )) && _describe -V unsorted open -U -S ''
}

if [[ $zsh_eval_context[-1] == loadautofunc ]]; then
    %(complete_func)s "$@"
else
    compdef %(complete_func)s %(prog_name)s
fi
"""


class OpenWords(ZshComplete):
    """Completion in zsh that leaves no space after `=` and `/`, where a word goes on."""

    source_template = _ZSH

    def format_completion(self, item: CompletionItem[str]) -> str:
        """Three lines: kind, word and help; zsh ends the word at a bare colon."""
        word = str(item.value).replace(":", r"\:")
        return f"{item.type}\n{word}\n{item.help or '_'}"


class WholeWords(BashComplete):
    """Completion in bash of words that hold `:` or `=`, at which bash breaks them."""

    source_template = _BASH

    def get_completion_args(self) -> tuple[list[str], str]:
        """The words of the line before the cursor, and the one that is not finished."""
        line = os.environ["COMP_LINE"]
        words = split_arg_string(line)
        if line[-1:].isspace() or len(words) < 2:
            words.append("")
        # What bash completes begins after the last sign at which it breaks words.
        breaks = set(os.environ.get("COMP_WORDBREAKS", "")) & set(":=")
        self.start = max((words[-1].rfind(sign) for sign in breaks), default=-1) + 1
        return words[1:-1], words[-1]

    def format_completion(self, item: CompletionItem[str]) -> str:
        """A reply, without what bash takes for words of its own."""
        return f"{item.type},{str(item.value)[self.start :]}"


class QuietFish(FishComplete):
    """Completion in fish that prints no errors into the line that is being written."""

    source_template = FishComplete.source_template.replace(
        "%(prog_name)s);", "%(prog_name)s 2>/dev/null);", 1
    )


def register_shells() -> None:
    """Tell click how we complete."""
    add_completion_class(QuietFish)
    add_completion_class(WholeWords)
    add_completion_class(OpenWords)


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """Print the completion script of SHELL.

    bash: eval "$(mcpkit completion bash)" in ~/.bashrc; zsh alike; fish: mcpkit completion fish >
    ~/.config/fish/completions/mcpkit.fish
    """
    register_shells()
    kind = get_completion_class(shell)
    if kind is None:
        raise click.UsageError(f"No completion for {shell}")
    root = context.find_root().command
    print_text(kind(root, {}, "mcpkit", COMPLETE).source())
