"""Cells are found by their presence, and helpers beside them are passed over."""

import sys

import pytest

from metalocus.agents import cells
from metalocus.agents.cells.base import CELLS, TRAINABLES
from metalocus.envs.discovery import Registry

HELPER = '''
from metalocus.agents.cells.base import TRAINABLES, Carry, Cell, Trainable
from metalocus.agents.cells.lstm import AGENTS as OTHERS, LSTM


class Shared(Cell):
    """What two cells share; it has no name of its own."""


def helper():
    return LSTM
'''
CELL = """
from metalocus.agents.cells.base import Trainable
from metalocus.agents.cells.mlp import MLP


class Added(MLP):
    name = "added"


AGENTS = (Trainable("added_agent", "one more", Added),)
"""


@pytest.fixture
def beside(tmp_path, monkeypatch):
    """Puts a module beside the cells for the length of a test."""

    def put(name, text):
        (tmp_path / f"{name}.py").write_text(text)
        monkeypatch.setattr(cells, "__path__", [*cells.__path__, str(tmp_path)])
        monkeypatch.delitem(sys.modules, f"{cells.__name__}.{name}", raising=False)

    yield put
    for name in ("helper_beside", "_helper_beside", "cell_beside"):
        sys.modules.pop(f"{cells.__name__}.{name}", None)
        vars(cells).pop(name, None)


def found(like):
    """What a fresh registry of the same kind finds."""
    return dict(Registry(like.kind, like.package, like.entries))


@pytest.mark.parametrize("name", ["helper_beside", "_helper_beside"])
def test_a_helper_beside_the_cells_adds_and_hides_nothing(beside, name):
    beside(name, HELPER)
    assert list(found(TRAINABLES)) == list(TRAINABLES)
    assert list(found(CELLS)) == list(CELLS)
    assert f"{cells.__name__}.{name}" in sys.modules, "it was looked at"


def test_a_cell_beside_the_others_is_found(beside):
    beside("cell_beside", CELL)
    assert set(found(TRAINABLES)) == {*TRAINABLES, "added_agent"}
    assert set(found(CELLS)) == {*CELLS, "added"}
