"""When and where a report was made, and by which code."""

import subprocess
from datetime import UTC, datetime

import metalocus
from metalocus.experiments.debate.made import commit, made
from metalocus.experiments.runs.records import machine, versions


def git(folder, *arguments):
    who = ("-c", "user.name=a", "-c", "user.email=a@b.c")
    return subprocess.run(
        ["git", "-C", folder, *who, *arguments], check=True, capture_output=True, text=True
    ).stdout.strip()


def test_the_commit_is_that_of_a_file_that_git_keeps(tmp_path):
    file, other = tmp_path / "package" / "kept.py", tmp_path / "installed" / "kept.py"
    for each in (file, other):
        each.parent.mkdir()
        each.write_text("a = 1\n")
    assert commit(file) is None, "no repository"
    git(tmp_path, "init", "-q")
    assert commit(file) is None, "no commit"
    git(tmp_path, "add", "package")
    git(tmp_path, "commit", "-q", "-m", "first")
    head = git(tmp_path, "rev-parse", "HEAD")
    assert commit(file) == head[:12]
    assert commit(other) is None, "an installed copy inside of another repository"
    file.write_text("a = 2\n")
    assert commit(file) == f"{head[:12]}+changes"


def test_without_git_there_is_no_commit(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    found = made()
    assert found["commit"] is None
    assert found["version"] == metalocus.__version__
    assert found["date"] == datetime.now(UTC).date().isoformat()
    assert len(found["source"]) == 16
    assert found["versions"] == versions()
    assert found["machine"] == machine()
