"""docs/extending.md, as a user who has installed the wheel and has nothing of the source tree."""

import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "extending.md").read_text(encoding="utf-8")
EXAMPLES = dict(re.findall(r"`(\w+\.py)`:\n\n```python\n(.*?)```", PAGE, re.DOTALL))
"""Every file of the page, by name."""
ENTRY_POINTS = re.search(r"```toml\n(.*?)```", PAGE, re.DOTALL)[1]
ENV = "metalocus/GoodArm-v0"


class Installed:
    """A fresh virtual environment with the wheel in it; the libraries are those of this Python."""

    def __init__(self, folder):
        self.folder = folder
        self.bin = folder / "venv" / "bin"
        self.here = folder / "here"
        self.here.mkdir()
        self.python("-m", "venv", "--without-pip", folder / "venv", python=sys.executable)
        site = next((folder / "venv").glob("lib/python*/site-packages"))
        (site / "libraries.pth").write_text(sysconfig.get_path("purelib") + "\n")

    def python(self, *arguments, python=None, code=0):
        """Run Python in an empty folder; what it wrote to standard output and error."""
        environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
        done = subprocess.run(
            [python or self.bin / "python", *arguments],
            cwd=self.here,
            env={**environment, "OMP_NUM_THREADS": "1"},
            capture_output=True,
            text=True,
        )
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout, done.stderr

    def install(self, source):
        """Build a wheel of a folder, without a network, and install it."""
        pip = ("-m", "pip", "--disable-pip-version-check")
        offline = ("--no-deps", "--no-index", "--no-build-isolation")
        wheels = self.folder / f"wheel-{source.name}"
        self.python(*pip, "wheel", *offline, "-w", wheels, source, python=sys.executable)
        (wheel,) = wheels.glob("*.whl")
        into = ("--python", str(self.bin / "python"))
        self.python(*pip, *into, "install", "-q", *offline, wheel, python=sys.executable)

    def call(self, line, code=0):
        """A command line; what it wrote to standard output and error."""
        return self.python(self.bin / "metalocus", *line.split(), code=code)


@pytest.fixture(scope="module")
def user(tmp_path_factory):
    """The wheel of a copy of the checkout, and the files of the page outside of it."""
    folder = tmp_path_factory.mktemp("user")
    copy = folder / "checkout"
    ignored = shutil.ignore_patterns("__pycache__")
    for part in ("envs", "agents", "experiments"):
        shutil.copytree(ROOT / part, copy / part, ignore=ignored)
    for path in ROOT.iterdir():
        if path.is_file():
            shutil.copy(path, copy)
    installed = Installed(folder)
    installed.install(copy)
    shutil.rmtree(copy)
    for name, text in EXAMPLES.items():
        (installed.here / name).write_text(text, encoding="utf-8")
    return installed


@pytest.fixture(scope="module")
def run(user):
    """A tiny run of the page's agent on the page's environment."""
    line = f"train --env {ENV} --agent leaky_sum --steps 40 --env-kwargs horizon=5 --n-envs 2"
    out, _ = user.call(f"{line} --load good_arm.py --load leaky_sum.py")
    return out.strip().splitlines()[-1]


def loading(*names):
    return " ".join(f"--load {name}.py" for name in names)


def test_the_page_has_a_file_for_each_kind_and_all_are_listed(user):
    out, _ = user.call(f"list --json {loading(*(name[:-3] for name in EXAMPLES))}")
    listed = {
        kind: {each["name"] for each in each_kind} for kind, each_kind in json.loads(out).items()
    }
    assert ENV in listed["envs"]
    assert {"leaky_sum", "halfway", "first_arm"} <= listed["agents"]
    assert "good_arm_filter" in listed["references"]
    assert "half_time" in listed["probes"]
    assert "tenth" in listed["claims"]
    used = user.python("-c", "import metalocus; print(metalocus.__file__)")[0]
    assert str(user.folder) in used, "the checkout was used"


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
    _, err = user.call(f"evaluate {run} --load good_arm.py", code=2)
    assert err.count("\n") == 1
    assert "this run was made with" in err
    assert f"add --load {user.here / 'leaky_sum.py'}" in err
    assert f"add --load {user.here / 'good_arm.py'}" not in err


def test_changed_code_makes_another_run(user, run):
    changed = user.here / "changed"
    changed.mkdir(exist_ok=True)
    text = EXAMPLES["leaky_sum.py"].replace("linspace(0.0, 4.0", "linspace(0.0, 5.0")
    (changed / "leaky_sum.py").write_text(text)
    line = f"train --env {ENV} --agent leaky_sum --steps 40 --env-kwargs horizon=5 --n-envs 2"
    out, _ = user.call(f"{line} --load good_arm.py --load changed/leaky_sum.py")
    assert out.strip().splitlines()[-1] != run


def test_a_claim_of_ones_own_is_trained_measured_and_judged(user):
    """Its agents are trained, and measured, in processes that load the same files."""
    files = loading("good_arm", "leaky_sum", "good_arm_filter", "tenth")
    asked = f"--agent leaky_sum --setting {ENV} horizon=10"
    verdict = json.loads(user.call(f"claim tenth --preset smoke --json {asked} {files}")[0])
    assert verdict["claim"] == "tenth"
    (scores,) = verdict["quantities"]["score"]["values"].values()
    assert len(scores) == 2
    assert {each["verdict"] for each in verdict["predictions"]} <= {
        *("supported", "refuted", "undecided")
    }


def test_python_loads_files_and_registers_families(user):
    said, _ = user.python(
        "-c",
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


def test_an_installed_distribution_is_found_by_its_entry_points(user, tmp_path):
    """It is uninstalled at the end, since what is installed is loaded by every command."""
    source = tmp_path / "mine"
    (source / "my_package").mkdir(parents=True)
    (source / "my_package" / "__init__.py").touch()
    for name in ("good_arm.py", "leaky_sum.py"):
        (source / "my_package" / name).write_text(EXAMPLES[name])
    (source / "pyproject.toml").write_text(
        '[build-system]\nrequires = ["setuptools"]\nbuild-backend = "setuptools.build_meta"\n'
        '[project]\nname = "mine"\nversion = "1.5"\n' + ENTRY_POINTS
    )
    user.install(source)
    try:
        assert ENV in user.call("list envs")[0]
        said, _ = user.python(
            "-c",
            f"""
import metalocus, gymnasium as gym
metalocus.load()
print(gym.make("{ENV}").spec.id)
""",
        )
        assert said.strip() == ENV
        line = f"train --env {ENV} --agent leaky_sum --steps 10 --env-kwargs horizon=5 --n-envs 2"
        made = user.call(line)[0].strip().splitlines()[-1]
        recorded = json.loads((user.here / made / "config.json").read_text())["made_with"]
        assert {(each["distribution"], each["file"]) for each in recorded} == {("mine 1.5", "")}
        _, err = user.call("list --load good_arm.py", code=2)
        assert f"environment '{ENV}' is there already" in err
        broken = next((user.folder / "venv").glob("lib/python*/site-packages/my_package"))
        (broken / "good_arm.py").write_text("import no_such_module\n")
        _, err = user.call("list envs", code=2)
        assert err == (
            "metalocus: the installed plugin my_package.good_arm of mine 1.5 cannot be imported "
            "(ModuleNotFoundError: No module named 'no_such_module'); mend it\n"
        )
    finally:
        uninstall = ("--python", str(user.bin / "python"), "uninstall", "-q", "-y", "mine")
        user.python("-m", "pip", *uninstall, python=sys.executable)
    _, err = user.call(f"evaluate {made}", code=2)
    assert "of mine 1.5 (sha256" in err
    assert "install mine 1.5" in err
