"""What there is: lists, and the page of whatever is listed."""

from __future__ import annotations

from typing import Literal

from tyro.conf import Positional

from metalocus.experiments.cli.options import Json
from metalocus.experiments.cli.texts import print_json

Kind = Literal["envs", "agents", "trainers", "references", "probes", "claims", "replications"]


def list_(kind: Positional[Kind | None] = None, json: Json = False) -> None:
    """Show what there is, with one line on each; takes seconds.

    Example: metalocus list envs

    Args:
        kind: one kind alone; all kinds if left out.
    """
    from metalocus.experiments.cli.inventory import inventory, listing

    found = inventory(None if kind is None else [kind])
    if json:
        print_json(found if kind is None else found[kind])
        return
    for name, entries in found.items():
        print("\n".join(listing(name, entries)))


def show(name: Positional[str]) -> None:
    """Print the page of whatever is listed; takes seconds.

    Example: metalocus show lstm

    Args:
        name: see `metalocus list`.
    """
    from metalocus.experiments.cli.inventory import described

    print(described(name))
