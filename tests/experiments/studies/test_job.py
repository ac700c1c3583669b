"""A measurement is kept until something that it depends on changes; damage is never believed."""

import ast
import dataclasses
import json
import random
import shutil

import pytest

import metalocus
from metalocus.agents.agent import NonFinite
from metalocus.agents.catalogue import CONTROLS, ONLINE, REFERENCES
from metalocus.agents.cells.base import TRAINABLES
from metalocus.agents.ppo.files import Corrupt, write_record
from metalocus.envs import FAMILIES, Setting
from metalocus.experiments.claims.base import CLAIMS
from metalocus.experiments.folders.folder import MANIFEST
from metalocus.experiments.runs import source
from metalocus.experiments.studies import job as jobs
from metalocus.experiments.studies.job import EVALUATION_SEED, MEASURED, RUNS, Job, measuring_source
from metalocus.experiments.training.train import train


def obtain(job):
    """What was measured, from the file if there is a good one."""
    try:
        return job.kept()
    except Corrupt:
        return job.make()


def test_a_measurement_is_kept_until_something_it_depends_on_changes(
    run, counted, smoke, monkeypatch
):
    out = run.parents[1]

    def measured(preset=smoke, seed=0):
        return obtain(Job.of(counted, preset, seed, out))

    first = measured()
    assert first["quantity"]["bandit"] == EVALUATION_SEED
    assert measured() == first
    assert counted.times == 1
    measured(seed=1)
    measured(dataclasses.replace(smoke, episodes=7))
    assert counted.times == 3
    monkeypatch.setattr(jobs, "measuring_source", lambda study: "other code")
    measured()
    assert counted.times == 4
    monkeypatch.setattr(jobs, "versions", lambda: {"torch": "another"})
    measured()
    measured()
    assert counted.times == 5
    assert len(list((out / MEASURED).iterdir())) == 5


def test_untrained_networks_of_other_tasks_are_other_agents(brief, counted, smoke, tiny, tmp_path):
    """Their weights may be equal, but not what is measured on them."""
    for horizon in (5, 6):
        setting = Setting(tiny.setting.env, horizon=horizon)
        counted.config = dataclasses.replace(tiny, steps=0, setting=setting)
        train(counted.config, tmp_path / RUNS)
        obtain(Job.of(counted, smoke, 0, tmp_path))
    assert counted.times == 2


def test_a_run_that_is_not_what_its_folder_says_is_refused(brief, run, counted, smoke, tiny):
    """Another seed's run, copied over this one with all its files, is not counted twice."""
    out = run.parents[1]
    other = train(dataclasses.replace(tiny, seed=2), out / RUNS)
    shutil.rmtree(run)
    shutil.copytree(other, run)
    with pytest.raises(Corrupt) as raised:
        Job.of(counted, smoke, 0, out)
    assert len(str(raised.value).splitlines()) == 1
    assert counted.times == 0


def test_weights_that_were_changed_are_refused(run, counted, smoke):
    manifest = json.loads((run / MANIFEST).read_text())
    (run / MANIFEST).write_text(json.dumps({**manifest, "sha256": "other weights"}))
    with pytest.raises(Corrupt):
        Job.of(counted, smoke, 0, run.parents[1])


def damaged(data):
    """Copies of a file that differ from it in a bit, in length or in a digit."""
    rng = random.Random(0)
    for _ in range(300):
        copy = bytearray(data)
        copy[rng.randrange(len(copy))] ^= 1 << rng.randrange(8)
        yield bytes(copy)
    yield from (data[:length] for length in range(0, len(data), max(1, len(data) // 60)))
    for place, byte in enumerate(data):
        if chr(byte).isdigit():
            yield data[:place] + str((byte - 47) % 10).encode() + data[place + 1 :]
    yield from (b"", b"\0" * len(data), b"[]", b"null", b"3", b"[" * 100_000, data + data)


def test_a_damaged_measurement_is_made_again_and_no_number_changes(run, counted, smoke):
    job = Job.of(counted, smoke, 0, run.parents[1])
    first = job.make()
    data = job.file.read_bytes()
    refused = []
    for copy in damaged(data):
        job.file.write_bytes(copy)
        try:
            assert job.kept() == first
        except Corrupt as error:
            refused.append(str(error))
    assert len(refused) > 400, "a flipped bit in a space may change nothing"
    assert all(message.endswith("; it is made again") for message in refused)
    assert obtain(job) == first
    assert job.file.read_bytes() == data


def test_the_measurement_of_another_seed_is_not_taken(run, counted, smoke):
    zero, one = (Job.of(counted, smoke, seed, run.parents[1]) for seed in (0, 1))
    zero.make()
    shutil.copy(zero.file, one.file)
    with pytest.raises(Corrupt, match="is that of another measurement; it is made again"):
        one.kept()
    assert obtain(one)["quantity"]["bandit"] == EVALUATION_SEED + 1


def test_what_is_not_finite_is_not_kept(run, counted, smoke):
    job = Job.of(counted, smoke, 0, run.parents[1])
    counted.measure = lambda agents, preset, seed: {"quantity": {"bandit": float("nan")}}
    with pytest.raises(NonFinite, match="counted: quantity / bandit at training seed 0"):
        job.make()
    assert not job.file.exists()
    write_record(job.file, {**job.key, "values": {}})
    assert job.kept() == {}


@pytest.fixture
def edited(monkeypatch):
    """Append text to a module's source, as it is read for the digest."""
    text, read = source.source_text, source._read

    def edit(name, appended):
        monkeypatch.setattr(source, "source_text", lambda module: text(module) + appended)
        changed = read.__wrapped__(name)
        monkeypatch.setattr(source, "_read", lambda m: changed if m == name else read(m))

    return edit


def test_a_change_of_code_that_measures_gives_another_name_and_a_comment_does_not(edited):
    """For all that a claim may use: by import, and by name from a registry."""
    claim = CLAIMS.find("emergence")
    found = [FAMILIES, REFERENCES, ONLINE, CONTROLS]
    modules = {next(iter(registry.values())).__module__ for registry in found}
    modules |= {TRAINABLES.find("gru").cell.__module__, type(claim).__module__, jobs.__name__}
    modules |= {"metalocus.agents.rollout", "metalocus.experiments.scoring.score"}
    before = measuring_source(claim)
    for module in sorted(modules):
        edited(module, "\n# a comment\n")
        assert measuring_source(claim) == before, module
        edited(module, "\nCHANGED = 1\n")
        assert measuring_source(claim) != before, module
    for module in (type(CLAIMS.find("locus")).__module__, "metalocus.experiments.debate.report"):
        edited(module, "\nCHANGED = 1\n")
        assert measuring_source(claim) == before, f"{module} has no part in it"


def test_no_claim_imports_by_a_name_that_the_digest_cannot_see():
    """Written imports are followed; at run time there are the registries' and the plugins'."""
    names = source.closure({type(claim).__module__ for claim in CLAIMS.values()})
    dynamic = {
        name
        for name in names
        for node in ast.walk(ast.parse(source.source_text(name)))
        if isinstance(node, ast.Attribute) and node.attr == "import_module"
    }
    assert dynamic == {"metalocus.envs.discovery", "metalocus.envs.outside"}


def test_what_is_loaded_counts_in_a_measurement_if_measuring_can_find_it(unload, tmp_path, counted):
    """A reference may be the best one of a task; a probe is nobody's but its own."""
    probe, reference = tmp_path / "probe.py", tmp_path / "reference.py"
    probe.write_text(
        "from metalocus.experiments.probes.carry import Carryover\n"
        "class P(Carryover):\n    name = 'p'\n"
    )
    reference.write_text(
        "from metalocus.agents.references.generic.policies import Random\n"
        "class R(Random):\n    name = 'r'\n"
    )
    before = measuring_source(counted)
    metalocus.load(probe)
    assert measuring_source(counted) == before
    metalocus.load(reference)
    assert measuring_source(counted) != before
