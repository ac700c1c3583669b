"""How far a run is, as another process reads it."""

import json
import os

from metalocus.experiments.folders.folder import PROGRESS
from metalocus.experiments.folders.progress import Progress, read_progress, write_progress


def test_progress_is_read_as_far_as_it_is_written(tmp_path):
    assert read_progress(tmp_path) is None
    for progress in (Progress(40, 120), Progress(40, 120, 31.25, 0.5)):
        write_progress(tmp_path, progress)
        assert read_progress(tmp_path) == progress
    whole = (tmp_path / PROGRESS).read_text()
    bad = ["", "40 120", "[]", "{}", "[" * 10**5, *(whole[:end] for end in range(1, len(whole)))]
    good = json.loads(whole)
    bad += [json.dumps({**good, key: "x"}) for key in good]
    bad += [json.dumps({**good, key: float("inf")}) for key in good]
    bad += [json.dumps({**good, "total": None}), json.dumps({**good, "score": 10**400})]
    for text in bad:
        (tmp_path / PROGRESS).write_text(text)
        assert read_progress(tmp_path) is None, text
    (tmp_path / PROGRESS).unlink()
    os.mkfifo(tmp_path / PROGRESS)
    assert read_progress(tmp_path) is None


def test_return_and_score_are_told_where_they_are_known():
    assert str(Progress(0, 10)) == ""
    assert str(Progress(5, 10, 31.25, None)) == "return 31.2"
    assert str(Progress(5, 10, 31.25, 0.8449)) == "return 31.2, score 0.845"
