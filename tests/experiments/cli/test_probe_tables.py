"""The table of what a probe found."""

from metalocus.experiments.cli.probe_tables import _table
from metalocus.experiments.probes.rows import Row


def shown(rows):
    """Heads and cells of the table, a list a column."""
    return {str(column.header): list(column.cells) for column in _table(rows).columns}


def test_a_row_without_a_label_has_no_empty_column():
    assert shown([Row(None, "", "total", 0.5)]) == {"value": ["0.5"]}
    curve = [Row(trial, "", "curve", trial / 4) for trial in range(3)]
    assert shown(curve) == {"trial 0": ["0"], "trial 1": ["0.25"], "trial 2": ["0.5"]}


def test_rows_with_labels_begin_with_them():
    both = [Row(None, label, "total", 0.5) for label in ("", "state")]
    assert shown(both) == {"": ["", "state"], "value": ["0.5", "0.5"]}
