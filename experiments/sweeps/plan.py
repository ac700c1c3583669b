"""A sweep's file: what is varied, as TOML, and the runs that it asks for."""

from __future__ import annotations

import itertools
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from metalocus.envs import InvalidTask, Setting
from metalocus.envs.checks import short_repr
from metalocus.envs.discovery import unknown
from metalocus.experiments.errors import WrongUse
from metalocus.experiments.runs.config import RL, RunConfig
from metalocus.experiments.runs.named import setting_called
from metalocus.experiments.sweeps.checked import require_possible_once

RUNS = "runs"
KWARGS = ("env_kwargs", "agent_kwargs", "train_kwargs")
KEYS = ("setting", "env", "agent", "steps", "seeds", "n_envs", "device", "trainer", *KWARGS)
MOST_RUNS = 1_000_000
LARGEST_FILE = 2**24


def read_plan(file: Path) -> list[RunConfig]:
    """All runs that a sweep's file asks for.

    Every table ``[[runs]]`` is a grid: each of its values that is a list is an axis, and there is a
    run for every combination. An argument whose one value is a list is written as a list of it.

    Raises:
        WrongUse: the file cannot be read, or says something else.
        InvalidTask: it asks for a run that cannot be made, such as with no such agent.
    """
    try:
        if not file.is_file() or file.stat().st_size > LARGEST_FILE:
            raise OSError(0, "it is no file, or too large")
        found = tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is no text"
        raise WrongUse(f"cannot read {file} ({reason})") from None
    except (ValueError, RecursionError) as error:  # such as a number of thousands of digits
        raise WrongUse(f"{file} is no TOML: {' '.join(str(error).split())}") from None
    for key in found:
        if key != RUNS:
            raise WrongUse(f"{file}: {unknown('table', key, [RUNS])}")
    grids = found.get(RUNS)
    if (
        not isinstance(grids, list)
        or not all(isinstance(grid, dict) for grid in grids)
        or not grids
    ):
        raise WrongUse(f"{file} has no table [[{RUNS}]]; see `metalocus sweep --help`")
    configs: list[RunConfig] = []
    for number, grid in enumerate(grids, 1):
        try:
            configs += _runs(grid, MOST_RUNS - len(configs))
        except (WrongUse, InvalidTask) as error:
            raise type(error)(f"{file}, table {number}: {error}") from None
    return configs


def _runs(grid: Mapping[str, Any], most: int) -> Iterator[RunConfig]:
    """The runs of one table."""
    _require_keys(grid)
    plain = [key for key in KEYS if key in grid and key not in (*KWARGS, "seeds")]
    axes: list[list[tuple[str | tuple[str, str], Any]]] = []
    axes += [[(key, value) for value in _values(grid[key])] for key in plain]
    axes += [
        [((kind, name), value) for value in _values(values)]
        for kind in KWARGS
        for name, values in _table(kind, grid.get(kind, {})).items()
    ]
    seeds = _seeds(grid.get("seeds", 0))
    count = len(seeds)
    for axis in axes:
        count *= len(axis)
    if count > most:
        raise WrongUse(f"it asks for {count:,} runs; a sweep has at most {MOST_RUNS:,}")
    for combination in itertools.product(*axes):
        chosen = dict(combination)
        config = _config(chosen, seeds[0])
        for seed in (min(seeds), max(seeds)):
            require_possible_once(replace(config, seed=seed))
        yield from (replace(config, seed=seed) for seed in seeds)


def _require_keys(grid: Mapping[str, Any]) -> None:
    for key in grid:
        if key not in KEYS:
            raise WrongUse(unknown("key", key, KEYS))
    if ("setting" in grid) == ("env" in grid):
        raise WrongUse("name what is learned: either setting, a short name, or env, an id")
    if "setting" in grid and "env_kwargs" in grid:
        raise WrongUse("env_kwargs go with env; a setting has its own")
    for key in ("agent", "steps"):
        if key not in grid:
            raise WrongUse(f"{key} is missing")


def _values(given: Any) -> list[Any]:
    values = given if isinstance(given, list) else [given]
    if not values:
        raise WrongUse("a list of no values leaves no runs; give it one or leave it out")
    return values


def _table(kind: str, given: Any) -> Mapping[str, Any]:
    if not isinstance(given, dict):
        raise WrongUse(
            f"{kind} must be a table, such as {kind}.NAME = [1, 2], got {short_repr(given)}"
        )
    return given


def _seeds(given: Any) -> Sequence[int]:
    """Seeds from a number, a list of numbers, or a text such as 0-9."""
    if isinstance(given, str):
        first, dash, last = given.partition("-")
        ends = (first.strip(), (last if dash else first).strip())
        if all(end.isascii() and end.isdigit() and len(end) < 11 for end in ends):
            return range(int(ends[0]), int(ends[1]) + 1) or _bad_seeds(given)
        return _bad_seeds(given)
    seeds = _values(given)
    if not all(isinstance(seed, int) and not isinstance(seed, bool) for seed in seeds):
        return _bad_seeds(given)
    return list(dict.fromkeys(seeds))


def _bad_seeds(given: Any) -> list[int]:
    raise WrongUse(
        f'seeds must be a number, a list of them, or a text such as "0-9", got {short_repr(given)}'
    )


def _config(chosen: Mapping[Any, Any], seed: int) -> RunConfig:
    """One run."""
    kwargs = {
        kind: {key[1]: value for key, value in chosen.items() if key[0] == kind} for kind in KWARGS
    }
    texts = {
        key: chosen.get(key, default)
        for key, default in (("agent", ""), ("device", "cpu"), ("trainer", RL))
    }
    where = chosen.get("setting", chosen.get("env"))
    if not all(isinstance(text, str) for text in (*texts.values(), where)):
        raise WrongUse("setting, env, agent, device and trainer are texts")
    setting = (
        setting_called(where) if "setting" in chosen else Setting(where, **kwargs["env_kwargs"])
    )
    config = RunConfig.suited(
        Setting(setting.env, **setting.kwargs),
        texts["agent"],
        _whole("steps", chosen["steps"]),
        seed,
        texts["device"],
        kwargs["agent_kwargs"],
        kwargs["train_kwargs"],
        texts["trainer"],
    )
    return replace(config, n_envs=_whole("n_envs", chosen.get("n_envs", config.n_envs)))


def _whole(key: str, given: Any) -> int:
    """A whole number; TOML writes large ones as floats, such as 1e6."""
    number = int(given) if isinstance(given, float) and given.is_integer() else given
    if isinstance(number, bool) or not isinstance(number, int):
        raise WrongUse(f"{key} must be a whole number, got {short_repr(given)}")
    return number


def shard_of(text: str) -> tuple[int, int]:
    """Which part, of how many, from a text such as ``2/8``.

    Raises:
        WrongUse: it is another text.
    """
    first, slash, last = text.partition("/")
    parts = [part for part in (first, last) if part.isascii() and part.isdigit()]
    numbers = [int(part) for part in parts if len(part) <= len(str(MOST_RUNS))]
    if not slash or len(numbers) != 2 or not 1 <= numbers[0] <= numbers[1] <= MOST_RUNS:
        said = "--shard takes i/n with i from 1 to n, such as 2/8"
        raise WrongUse(f"{said}, got {short_repr(text)}")
    return numbers[0], numbers[1]
