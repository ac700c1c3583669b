"""docs/extending.md, as a user who has installed the wheel and has nothing of the source tree."""

import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "extending.md").read_text(encoding="utf-8")
EXAMPLES = dict(re.findall(r"`(\w+\.py)`:\n\n```python\n(.*?)```", PAGE, re.DOTALL))
"""Every file of the page, by name."""
ENTRY_POINTS = re.search(r"```toml\n(.*?)```", PAGE, re.DOTALL)[1]
ENV = "metalocus/GoodArm-v0"
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
ADDED = "envs/families/one_change.py"
ADDED_CODE = re.search(rf"`{ADDED}`:\n\n```python\n(.*?)```", CONTRIBUTING, re.DOTALL)[1]
"""What the worked example of CONTRIBUTING.md adds."""
BUILD = """
import os, sys
from setuptools import build_meta

for source in sys.argv[2:]:
    if not os.fork():  # setuptools keeps things of the build before
        os.chdir(source)
        build_meta.build_wheel(sys.argv[1])
        sys.exit()
    assert os.wait()[1] == 0
"""
"""Makes the wheels of folders, as pip does it; without a network."""
SMALLER = """
import os
from dataclasses import replace
from metalocus.experiments.studies.presets import PRESETS

PRESETS["smoke"] = replace(PRESETS["smoke"], most_steps=100, episodes=20)
os.environ["LOKY_MAX_CPU_COUNT"] = "1"
"""
"""Makes the smallest preset train and measure no more than shows that it does, in one process
each at a time."""
SCRIPT = """
import sys
from importlib.metadata import distribution

sys.argv = ["metalocus", *{arguments}]
(script,) = distribution("metalocus").entry_points.select(group="console_scripts")
sys.exit(script.load()())
"""
"""What pip's script ``metalocus`` does."""


def checkout_with_the_worked_example(folder):
    """A copy of the checkout, with the family that CONTRIBUTING.md adds."""
    ignored = shutil.ignore_patterns("__pycache__")
    for part in ("envs", "agents", "experiments"):
        shutil.copytree(ROOT / part, folder / part, ignore=ignored)
    for path in ROOT.iterdir():
        if path.is_file():
            shutil.copy(path, folder)
    (folder / ADDED).write_text(ADDED_CODE)
    return folder


def distribution_of_ones_own(folder):
    """What the end of the page says: a package of two of its files."""
    (folder / "my_package").mkdir(parents=True)
    (folder / "my_package" / "__init__.py").touch()
    for name in ("good_arm.py", "leaky_sum.py"):
        (folder / "my_package" / name).write_text(EXAMPLES[name])
    (folder / "pyproject.toml").write_text(
        '[build-system]\nrequires = ["setuptools"]\nbuild-backend = "setuptools.build_meta"\n'
        '[project]\nname = "mine"\nversion = "1.5"\n' + ENTRY_POINTS
    )
    return folder


class User:
    """Commands in an empty folder, each in a process of its own, by the wheel.

    The wheels of metalocus and of a distribution that extends it are unpacked into folders
    ``site`` and ``mine``, as pip does it; the libraries are those of this Python.
    """

    def __init__(self, folder):
        sources = (
            checkout_with_the_worked_example(folder / "checkout"),
            distribution_of_ones_own(folder / "own"),
        )
        self.wheels, self.here = folder / "wheels", folder / "here"
        done = subprocess.run(
            [sys.executable, "-c", BUILD, self.wheels, *sources], capture_output=True, text=True
        )
        assert done.returncode == 0, done.stdout + done.stderr
        self.site = self.unpack("metalocus", folder / "site")
        self.mine = self.unpack("mine", folder / "mine")
        for source in sources:
            shutil.rmtree(source)
        self.here.mkdir()
        for name, text in EXAMPLES.items():
            (self.here / name).write_text(text, encoding="utf-8")
        server = Path(__file__).with_name("command_server.py")
        more = {
            "PYTHONPATH": str(self.site),
            "PYTHONSAFEPATH": "1",
            "PYTHONDONTWRITEBYTECODE": "",  # compiled once, as by pip
            "OMP_NUM_THREADS": "1",
        }
        self.server = subprocess.Popen(
            [sys.executable, server],
            cwd=self.here,
            env={**os.environ, **more},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.looked_up = self.answer()

    def unpack(self, name, into):
        (wheel,) = self.wheels.glob(f"{name}-*.whl")
        zipfile.ZipFile(wheel).extractall(into)
        return into

    def answer(self):
        said = self.server.stdout.readline()
        assert said, "the server has ended; what it said is on standard error"
        return json.loads(said)

    def python(self, code, exit_code=0, path=()):
        """Run Python code; what it wrote to standard output and error."""
        files = [self.here.with_name(name) for name in ("out", "err")]
        out, err = map(str, files)
        request = {"code": code, "path": list(map(str, path)), "out": out, "err": err}
        print(json.dumps(request), file=self.server.stdin, flush=True)
        found = self.answer()
        out, err = (each.read_text(encoding="utf-8") for each in files)
        assert found == exit_code, out + err
        return out, err

    def call(self, line, **more):
        """A command line; what it wrote to standard output and error."""
        return self.python(SCRIPT.format(arguments=line.split()), **more)


@pytest.fixture(scope="module")
def user(tmp_path_factory):
    user = User(tmp_path_factory.mktemp("user"))
    yield user
    user.server.communicate()  # the end of its input is the end of it


@pytest.fixture(scope="module")
def run(user):
    """A tiny run of the page's agent on the page's environment."""
    line = f"train --env {ENV} --agent leaky_sum --steps 40 --env-kwargs horizon=5 --n-envs 2"
    out, _ = user.call(f"{line} --load good_arm.py --load leaky_sum.py")
    return out.strip().splitlines()[-1]


def loading(*names):
    return " ".join(f"--load {name}.py" for name in names)


def test_no_module_looks_anything_up_while_it_is_imported(user):
    """An installed plugin is imported then, and itself imports what is half imported."""
    assert user.looked_up is False


def test_the_page_has_a_file_for_each_kind_and_all_are_listed(user):
    out, _ = user.call(f"list --json {loading(*(name[:-3] for name in EXAMPLES))}")
    listed = {
        kind: {each["name"] for each in each_kind} for kind, each_kind in json.loads(out).items()
    }
    assert ENV in listed["envs"]
    assert {"leaky_sum", "halfway", "first_arm", "elsewhere"} <= listed["agents"]
    assert "good_arm_filter" in listed["references"]
    assert "half_time" in listed["probes"]
    assert "tenth" in listed["claims"]
    used, _ = user.python("import metalocus; print(metalocus.__file__)")
    assert str(user.site) in used, "the checkout was used"


def test_a_family_is_scored_by_references_and_rules_of_ones_own(user):
    line = f"score --env {ENV} --episodes 500 --json"
    files = loading("good_arm", "good_arm_filter", "halfway", "first_arm")
    found = {row["policy"]: row["mean"] for row in json.loads(user.call(f"{line} {files}")[0])}
    assert found["random"] < found["wsls"] < found["good_arm_filter"] < found["oracle"]
    assert found["oracle"] == pytest.approx(0.8 * 20, abs=0.4)
    for policy, low, high in (("halfway", 9.0, 16.0), ("first_arm", 7.0, 9.0)):
        one = json.loads(user.call(f"{line} --policy {policy} {files}")[0])
        assert low < one["mean"] < high, policy


def test_a_run_is_probed_by_a_probe_of_ones_own_and_not_opened_without_its_files(user, run):
    files = loading("good_arm", "leaky_sum", "half_time")
    found = json.loads(user.call(f"probe {run} --probe half_time --episodes 20 --json {files}")[0])
    assert found["half_time"] == 2
    assert found["kept"]["all"]["curve"][:2] == found["kept"]["none"]["curve"][:2]
    _, err = user.call(f"evaluate {run} --load good_arm.py", exit_code=2)
    assert err.count("\n") == 1
    assert "this run was made with" in err
    assert f"add --load {user.here / 'leaky_sum.py'}" in err
    assert f"add --load {user.here / 'good_arm.py'}" not in err


def test_a_network_of_plain_pytorch_is_probed(user):
    """That it is contained means that it acts by its stores alone."""
    line = "probe elsewhere --env metalocus/BernoulliBandit-v0 --env-kwargs n_arms=3 horizon=8"
    out, _ = user.call(f"{line} --probe locus --episodes 40 --json {loading('elsewhere')}")
    assert json.loads(out)["contained"] is True


def test_changed_code_makes_another_run(user, run):
    changed = user.here / "changed"
    changed.mkdir(exist_ok=True)
    text = EXAMPLES["leaky_sum.py"].replace("linspace(0.0, 4.0", "linspace(0.0, 5.0")
    (changed / "leaky_sum.py").write_text(text)
    line = f"train --env {ENV} --agent leaky_sum --steps 40 --env-kwargs horizon=5 --n-envs 2"
    out, _ = user.call(f"{line} --load good_arm.py --load changed/leaky_sum.py")
    assert out.strip().splitlines()[-1] != run


def test_a_claim_of_ones_own_is_trained_measured_and_judged(user):
    """Its agents are trained, and measured, in processes that load the same files.

    One of its two runs is made beforehand, which saves a process.
    """
    files = loading("good_arm", "leaky_sum", "good_arm_filter", "tenth")
    made = f"train --env {ENV} --agent leaky_sum --steps 10 --env-kwargs horizon=10 --seed 1"
    user.call(f"{made} --out judged/runs {loading('good_arm', 'leaky_sum')}")
    line = f"claim tenth --preset smoke --json --agent leaky_sum --setting {ENV} horizon=10"
    line = f"{line} --out judged {files}"
    out, err = user.python(SMALLER + SCRIPT.format(arguments=line.split()))
    assert "training: 2 runs, 1 done before" in err
    verdict = json.loads(out)
    assert verdict["claim"] == "tenth"
    (measured,) = verdict["quantities"]["score"]["tasks"].values()
    assert len(measured["values"]) == 2
    assert {each["verdict"] for each in verdict["predictions"]} <= {
        *("supported", "refuted", "undecided")
    }
    assert verdict["register"] == {"equal": False, "entries": []}


def test_python_loads_files_and_registers_families(user):
    said, _ = user.python(
        f"""
import gymnasium as gym, metalocus
metalocus.load("good_arm.py", "good_arm_filter.py")
print(gym.make("{ENV}", n_arms=4).action_space.n)
from metalocus.agents.catalogue import best_reference
from metalocus.envs import make_family
print(best_reference(make_family("{ENV}")).name)
""",
    )
    assert said.split() == ["4", "good_arm_filter"]


def test_an_installed_distribution_is_found_by_its_entry_points(user):
    with_mine = {"path": [user.mine]}
    assert ENV in user.call("list envs", **with_mine)[0]
    script = (
        f'import metalocus, gymnasium\nmetalocus.load()\nprint(gymnasium.make("{ENV}").spec.id)'
    )
    assert user.python(script, **with_mine)[0].strip() == ENV
    line = f"train --env {ENV} --agent leaky_sum --steps 10 --env-kwargs horizon=5 --n-envs 2"
    made = user.call(line, **with_mine)[0].strip().splitlines()[-1]
    recorded = json.loads((user.here / made / "config.json").read_text())["made_with"]
    assert {(each["distribution"], each["file"]) for each in recorded} == {("mine 1.5", "")}
    _, err = user.call("list --load good_arm.py", exit_code=2, **with_mine)
    assert f"environment '{ENV}' is there already" in err
    (user.mine / "my_package" / "good_arm.py").write_text("import no_such_module\n")
    _, err = user.call("list envs", exit_code=2, **with_mine)
    assert err == (
        "metalocus: the installed plugin my_package.good_arm of mine 1.5 cannot be imported "
        "(ModuleNotFoundError: No module named 'no_such_module'); mend it\n"
    )
    _, err = user.call(f"evaluate {made}", exit_code=2)  # where it is not installed
    assert "of mine 1.5 (sha256" in err
    assert "install mine 1.5" in err


def test_the_worked_example_of_contributing_works(user):
    """The family on the page, put where the page says: listed, scored, tested by its kind."""
    assert "forgetting what is out of date" in user.call("list envs")[0]
    out, _ = user.call("score --env metalocus/OneChange-v0 --episodes 20")
    assert "\noracle: " in out
    assert "\nwsls: " in out
    tests = [f"{ROOT}/tests/envs/test_{kind}.py" for kind in ("registration", "equivalence")]
    options = ["-q", "-k", "OneChange", "-p", "no:cacheprovider", "-c", f"{ROOT}/pyproject.toml"]
    out, _ = user.python(f"import pytest\nraise SystemExit(pytest.main({options + tests}))")
    assert " passed" in out
