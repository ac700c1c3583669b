"""What a probe found as a tidy table: one row a number, with its 95% interval."""

from __future__ import annotations

import math
import re
import textwrap
from collections.abc import Container, Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from scipy.special import ndtri

from metalocus.experiments.scoring.sample import CONFIDENCE

REACH = float(ndtri(0.5 + CONFIDENCE / 2))
"""Standard errors from a mean over many episodes to the end of its interval."""
ROUNDING = 1e-9
"""A standard error below it is that of a constant: only rounding is left of it."""
MOST_DIGITS = 4
"""After the point, of a number that is known to as many; two of one that is not."""
ABOUT = ("probe", "env", "env_kwargs", "episodes", "seed", "agent", "title", "trials", "kept")
"""Keys of a result that are no names of numbers: what was run, and what its lists are over."""
COLUMNS = pa.schema(
    [
        ("trial", pa.int64()),
        ("label", pa.string()),
        ("quantity", pa.string()),
        *((name, pa.float64()) for name in ("value", "se", "low", "high")),
    ]
)


@dataclass(frozen=True)
class Row:
    """One number.

    Attributes:
        trial: counted from 0, None if it is of no one trial.
        label: which condition, store or kind of trial; empty if there is but one.
        quantity: what the number is.
        value: None where there is no such number.
        se: its standard error over episodes, None if it has none.
    """

    trial: int | None
    label: str
    quantity: str
    value: float | None
    se: float | None = None

    @property
    def low(self) -> float | None:
        """Lower end of the 95% interval."""
        return None if self.value is None or self.se is None else self.value - REACH * self.se

    @property
    def high(self) -> float | None:
        """Upper end of the 95% interval."""
        return None if self.value is None or self.se is None else self.value + REACH * self.se

    def __str__(self) -> str:
        """The number with its interval: ``0.86 [0.84, 0.88]``."""
        if self.value is None:
            return "no number"
        if self.se is None:
            return f"{self.value:z.3g}"
        digits = 2
        if ROUNDING < self.se < 0.002:
            digits = min(MOST_DIGITS, math.ceil(-math.log10(self.se)))
        ends = self.value - REACH * self.se, self.value + REACH * self.se
        value, low, high = (rounded(each, digits) for each in (self.value, *ends))
        return f"{value} [{low}, {high}]"


def rounded(value: float | None, digits: int = 2) -> str:
    """A number without an interval, as sentences and figures have it; never ``-0.00``."""
    return "no number" if value is None else f"{value:z.{digits}f}"


def counted(number: float | str, noun: str) -> str:
    """How many of something: ``1 direction``, ``4 directions``, ``more than 32 directions``."""
    said = number if isinstance(number, str) else f"{number:.0f}"
    return f"{said} {noun}{'' if said == '1' else 's'}"


def tidy(result: Mapping[str, Any], quantities: Container[str]) -> list[Row]:
    """Every number of a probe's result.

    Of the keys that lead to a number, the one that is among ``quantities`` (else the last) is
    what it is, and the others are its label. ``x_se`` holds the standard errors of ``x``, in the
    same form. A list is over trials: those under ``trials``, or all from 0.
    """
    return list(_walk(result, {}, (), quantities, result.get("trials", ())))


def _walk(
    found: Mapping[str, Any],
    errors: Mapping[str, Any],
    path: tuple[str, ...],
    quantities: Container[str],
    trials: Any,
) -> Iterator[Row]:
    for key, value in found.items():
        if key.endswith("_se") or (not path and key in ABOUT and key != "kept"):
            continue
        error = found.get(f"{key}_se", errors.get(key))
        here = path if key in ABOUT else (*path, key)
        if isinstance(value, Mapping):
            yield from _walk(value, error or {}, here, quantities, trials)
        elif isinstance(value, list):
            quantity, label = _names(here, quantities)
            at = trials if len(trials) == len(value) else range(len(value))
            for trial, each, se in zip(at, value, error or [None] * len(value), strict=True):
                yield Row(trial, label, quantity, each, se)
        elif not isinstance(value, str):
            quantity, label = _names(here, quantities)
            yield Row(None, label, quantity, None if value is None else float(value), error)


def _names(path: tuple[str, ...], quantities: Container[str]) -> tuple[str, str]:
    """Quantity and label of the number at the end of a path of keys."""
    named = [i for i, key in enumerate(path) if key in quantities]
    at = named[0] if named else len(path) - 1
    return path[at], " ".join((*path[:at], *path[at + 1 :]))


def wrapped(sentence: str, width: int) -> str:
    """A sentence on lines of at most so many characters, no number apart from its interval."""
    joined = re.sub(r" (\[[^\],]*), ", "\xa0\\1,\xa0", sentence)
    lines = textwrap.wrap(joined, width, break_long_words=False, break_on_hyphens=False)
    return "\n".join(lines).replace("\xa0", " ")


def to_parquet(rows: list[Row]) -> bytes:
    """As a Parquet file whose pages bear checksums."""
    columns = [{**asdict(row), "low": row.low, "high": row.high} for row in rows]
    sink = pa.BufferOutputStream()
    table = pa.Table.from_pylist(columns, schema=COLUMNS)
    pq.write_table(table, sink, write_page_checksum=True)
    return bytes(sink.getvalue().to_pybytes())
