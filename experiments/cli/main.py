"""The command line: parsing, exit codes, one line for every error."""

from __future__ import annotations

import functools
import io
import itertools
import os
import sys
from collections.abc import Callable, Sequence
from contextlib import redirect_stderr
from typing import Any

import tyro

from metalocus.experiments.cli import commands
from metalocus.experiments.cli.exit_codes import WRONG_USE, exit_code
from metalocus.experiments.errors import WrongUse

COMMANDS: dict[str, Callable[..., None]] = {
    "debate": commands.debate,
    "list": commands.list_,
    "train": commands.train,
    "score": commands.score,
    "evaluate": commands.evaluate,
    "probe": commands.probe,
    "claim": commands.claim,
    "compare": commands.compare,
    "report": commands.report,
    "bench": commands.bench,
    "export": commands.export,
    "import": commands.import_,
}
HINTS = ("For full helptext", "Argument helptext", "Arguments are applied", "Perhaps you meant")
ABOUT = """Where does learning inside an episode live: in the recurrent state, in the weights,
or in the context that one forward pass re-reads? Start with: metalocus debate"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code: 0 done, 2 wrong use or bad input, 1 failed."""
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    given = list(sys.argv[1:] if arguments is None else arguments) or ["--help"]
    try:
        _parse(given)()
    except KeyboardInterrupt:
        print("metalocus: interrupted; repeat the command to continue", file=sys.stderr)
        return 1
    except Exception as error:
        code = exit_code(error)
        if code is None:
            raise
        print(f"metalocus: {' '.join(str(error).split())}", file=sys.stderr)
        return code
    return 0


def _parse(arguments: Sequence[str]) -> Callable[[], None]:
    """The command with its arguments bound; tyro's boxed complaints become one line."""
    chosen: list[Callable[[], None]] = []

    def bound(command: Callable[..., None]) -> Callable[..., None]:
        @functools.wraps(command)
        def bind(*args: Any, **kwargs: Any) -> None:
            chosen.append(functools.partial(command, *args, **kwargs))

        return bind

    complaint = io.StringIO()
    try:
        with redirect_stderr(complaint):
            tyro.extras.subcommand_cli_from_dict(
                {name: bound(command) for name, command in COMMANDS.items()},
                prog="metalocus",
                description=ABOUT,
                args=arguments,
                config=(tyro.conf.FlagCreatePairsOff,),
            )
    except SystemExit as stop:
        if stop.code != WRONG_USE:
            raise
        raise WrongUse(_one_line(complaint.getvalue())) from None
    return chosen[0]


def _one_line(box: str) -> str:
    """The message inside a drawn box, without its title and its hints."""
    inside = [line.strip("│| ") for line in box.splitlines()]
    _title, *rest = [line for line in inside if line.strip("╭╮╰╯─+-")]
    kept = itertools.takewhile(lambda line: not line.startswith(HINTS), rest)
    return f"{' '.join(kept)}; see `metalocus --help`"


if __name__ == "__main__":
    sys.exit(main())
