"""From arguments to a command that is ready to run; every complaint in one line."""

from __future__ import annotations

import functools
import io
import itertools
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import redirect_stderr
from typing import Any

import tyro

from metalocus.experiments.cli.exit_codes import WRONG_USE
from metalocus.experiments.errors import WrongUse

Command = Callable[..., None]
HINTS = ("For full helptext", "Argument helptext", "Arguments are applied", "Perhaps you meant")
ABOUT = """Where does learning inside an episode live: in the recurrent state, in the weights,
or in the context that one forward pass re-reads? Start with: metalocus debate"""


def parse(arguments: Sequence[str], commands: Mapping[str, Command]) -> Callable[[], None]:
    """The command that is asked for, with its arguments bound.

    Args:
        arguments: of the command line, the command's name first.
        commands: every command by its name.

    Raises:
        WrongUse: there is no such command or argument, or a value cannot be read.
        SystemExit: help was asked for.
    """
    refuse_empty_and_repeated(arguments)
    chosen: list[Callable[[], None]] = []

    def bound(command: Command) -> Command:
        @functools.wraps(command)
        def bind(*args: Any, **kwargs: Any) -> None:
            chosen.append(functools.partial(command, *args, **kwargs))

        return bind

    complaint = io.StringIO()
    try:
        with redirect_stderr(complaint):
            tyro.extras.subcommand_cli_from_dict(
                {name: bound(command) for name, command in commands.items()},
                prog="metalocus",
                description=ABOUT,
                args=arguments,
                config=(tyro.conf.FlagCreatePairsOff,),
            )
    except SystemExit as stop:
        if stop.code != WRONG_USE:
            raise
        raise WrongUse(without_box(complaint.getvalue())) from None
    return chosen[0]


def refuse_empty_and_repeated(arguments: Sequence[str]) -> None:
    """Raise WrongUse for an empty argument, and for an option that is given twice.

    An empty path would be the current folder, and of two values the last one would be taken.
    """
    option = "an argument"
    for argument in arguments:
        if argument.startswith("--"):
            option, equals, value = argument.partition("=")
            if equals and not value:
                raise WrongUse(f"{option} is empty; give it a value or leave it out")
        elif not argument:
            raise WrongUse(f"{option} is empty; give it a value or leave it out")
    options = [each.partition("=")[0] for each in arguments if each.startswith("--")]
    for option, times in Counter(each.replace("_", "-") for each in options).items():
        if times > 1:
            raise WrongUse(f"{option} is given {times} times; give it once")


def without_box(message: str) -> str:
    """The message inside a box drawn by tyro, without its title and its hints."""
    inside = [line.strip("│| ") for line in message.splitlines()]
    _title, *rest = [line for line in inside if line.strip("╭╮╰╯─+-")]
    kept = itertools.takewhile(lambda line: not line.startswith(HINTS), rest)
    return f"{' '.join(kept)}; see `metalocus --help`"
