"""The register: a claim equals its newest entry, and an entry that was made stays."""

import json

import pytest

from metalocus.envs import InvalidTask
from metalocus.experiments.claims import registered
from metalocus.experiments.claims.base import CLAIMS
from metalocus.experiments.claims.registered import (
    REGISTRY,
    content,
    digest,
    history,
    is_registered,
    register,
)


def test_every_claim_of_the_package_equals_its_newest_entry():
    package = registered.__package__ + "."
    own = [claim for claim in CLAIMS.values() if type(claim).__module__.startswith(package)]
    assert own
    differ = [claim.name for claim in own if not is_registered(claim)]
    assert not differ, f"register {', '.join(differ)} with the reason, before it is run"


def test_no_entry_was_edited_and_all_are_in_order():
    for name, entries in json.loads(REGISTRY.read_text()).items():
        assert name in CLAIMS
        assert [each["digest"] for each in entries] == [digest(each) for each in entries], name
        assert [each["date"] for each in entries] == sorted(each["date"] for each in entries)
        assert all(each["because"] for each in entries)


@pytest.fixture
def register_file(monkeypatch, tmp_path):
    file = tmp_path / "registry.json"
    file.write_text("{}")
    monkeypatch.setattr(registered, "REGISTRY", file)
    return file


@pytest.fixture
def claim(register_file):
    claim = CLAIMS.find("responsiveness")
    assert register(["responsiveness"], "the first") == ["responsiveness"]
    return claim


def test_a_changed_claim_gets_another_entry_and_keeps_the_old_one(
    claim, register_file, monkeypatch
):
    first = register_file.read_text()
    assert is_registered(claim)
    assert register(["responsiveness"], "again") == [], "nothing has changed"
    assert register_file.read_text() == first
    bound = claim.predictions[1].bound
    object.__setattr__(claim.predictions[1], "bound", 0.8)
    try:
        assert not is_registered(claim)
        assert history(claim)["equal"] is False
        assert register(["responsiveness"], "a milder bound") == ["responsiveness"]
        old, new = json.loads(register_file.read_text())["responsiveness"]
        assert [old] == json.loads(first)["responsiveness"]
        assert (old["predictions"][1]["bound"], new["predictions"][1]["bound"]) == (bound, 0.8)
        told = history(claim)
        assert told["equal"] is True
        one, two = told["entries"]
        assert (one["before"], one["after"]) == ([], [])
        assert (one["because"], two["because"]) == ("the first", "a milder bound")
        ((before,), (after,)) = two["before"], two["after"]
        assert "at least 0.9" in before
        assert "at least 0.8" in after
    finally:
        object.__setattr__(claim.predictions[1], "bound", bound)


def test_every_part_of_a_claim_counts_and_date_and_reason_do_not(claim):
    entry = content(claim)
    assert digest({**entry, "date": "2001-01-01", "because": "?", "digest": "x"}) == digest(entry)
    for part in entry:
        assert digest({**entry, part: None}) != digest(entry), part
    run = dict(entry["training"]["agent/cued"])
    changed = {**entry["training"], "agent/cued": {**run, "steps": run["steps"] + 1}}
    assert digest({**entry, "training": changed}) != digest(entry)


def test_a_run_that_begins_with_another_tells_it_by_its_name_and_not_by_its_folder(claim):
    """The folder's name has a digest of the code in it."""
    training = content(CLAIMS.find("fixed_point"))["training"]
    assert training["stays/bandit"]["train_kwargs"] == {"start": "the run clone/bandit"}


def test_a_claim_that_is_not_registered_has_no_entries(register_file):
    assert history(CLAIMS.find("locus")) == {"equal": False, "entries": []}
    with pytest.raises(InvalidTask, match="unknown claim 'lokus'"):
        register(["lokus"], "a typo")
