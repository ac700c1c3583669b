"""From arguments to a command that is ready to run; every complaint in one line."""

from __future__ import annotations

import functools
import inspect
import io
import itertools
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import redirect_stderr
from typing import Any

import tyro

from metalocus.envs.discovery import suggestion, unknown
from metalocus.experiments.cli.exit_codes import WRONG_USE
from metalocus.experiments.errors import WrongUse

Command = Callable[..., None]
HINTS = ("For full helptext", "Argument helptext", "Arguments are applied", "Perhaps you meant")
LOAD = "--load"
LOAD_HELP = "--load FILE, any number of times, enters what a Python file of your own defines."
ABOUT = f"""Where does learning inside an episode live: in the recurrent state, in the weights,
or in the context that one forward pass re-reads? Start with: metalocus debate
{LOAD_HELP}
Help of one command: metalocus COMMAND --help"""


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
    refuse_unknown(arguments, commands)
    chosen: list[Callable[[], None]] = []
    overview = arguments[0] in ("-h", "--help")  # a line for each command

    def bound(command: Command) -> Command:
        @functools.wraps(command)
        def bind(*args: Any, **kwargs: Any) -> None:
            chosen.append(functools.partial(command, *args, **kwargs))

        about, args, rest = inspect.cleandoc(command.__doc__ or "").partition("\n\nArgs:")
        whole = f"{about.rstrip()}\n\n{LOAD_HELP}{args}{rest}"
        bind.__doc__ = about.partition("\n")[0] if overview else whole
        return bind

    complaint = io.StringIO()
    try:
        with redirect_stderr(complaint):
            if arguments[0] in commands:  # alone: to read the types of all takes longer
                tyro.cli(
                    bound(commands[arguments[0]]),
                    prog=f"metalocus {arguments[0]}",
                    args=arguments[1:],
                    config=(tyro.conf.FlagCreatePairsOff,),
                )
            else:
                tyro.extras.subcommand_cli_from_dict(
                    {name: bound(command) for name, command in commands.items()},
                    prog="metalocus",
                    description=ABOUT,
                    args=arguments,
                )
    except SystemExit as stop:
        if stop.code != WRONG_USE:
            raise
        raise WrongUse(with_nearest_choice(without_box(complaint.getvalue()))) from None
    return chosen[0]


def files_to_load(arguments: Sequence[str]) -> tuple[list[str], list[str]]:
    """The files that are given by ``--load``, anywhere and any number of times, and the rest.

    Raises:
        WrongUse: one has no file.
    """
    files: list[str] = []
    rest: list[str] = []
    remaining = iter(arguments)
    for argument in remaining:
        option, equals, value = argument.partition("=")
        if option != LOAD:
            rest.append(argument)
            continue
        file = value if equals else next(remaining, "")
        if not file or file.startswith("--"):
            raise WrongUse(f"{LOAD} takes a Python file, as in {LOAD} mine.py")
        files.append(file)
    return files, rest


def refuse_unknown(arguments: Sequence[str], commands: Mapping[str, Command]) -> None:
    """Raise WrongUse, with the nearest name, for a command or an option that does not exist."""
    name = arguments[0]
    if name.startswith("-"):
        return
    if name not in commands:
        raise WrongUse(unknown("command", name, commands, "metalocus --help"))
    parameters = inspect.signature(commands[name]).parameters.values()
    known = [
        "--" + each.name.replace("_", "-")
        for each in parameters
        if not str(each.annotation).startswith("Positional")
    ]
    for argument in arguments[1:]:
        option = argument.partition("=")[0]
        if option.startswith("--") and option.replace("_", "-") not in (*known, "--help"):
            near = suggestion(option, [*known, LOAD])
            raise WrongUse(f"Unrecognized options: {option} of `metalocus {name}`{near}")


def with_nearest_choice(message: str) -> str:
    """A complaint on a choice that does not exist, with the nearest that does."""
    found = re.search(
        r"invalid choice '(.*)' for argument '.*'\. Expected one of \((.*)\)\.", message
    )
    if found is None:
        return message
    given, listed = found.groups()
    choices = sorted({each.strip(" '") for each in listed.split(",")} - {"", "None"})
    return f"invalid choice {given!r}{suggestion(given, choices)}"


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
