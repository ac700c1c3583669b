"""What is measured during training where little is known of the family."""

from metalocus.agents.catalogue import REFERENCES
from metalocus.experiments.runs.build import build_model
from metalocus.experiments.training.monitor import measure


def test_a_family_without_a_near_optimum_is_measured_all_the_same(monkeypatch, tiny):
    model = build_model(tiny)
    before = set(measure(model, tiny).metrics)
    for name in ("bayes_optimal", "filter", "finite_index", "gittins"):
        never = classmethod(lambda cls, family: "not today")
        monkeypatch.setattr(REFERENCES[name], "why_not", never)
    found = measure(model, tiny)
    rest = {metric for metric in before if not metric.startswith("bayes/")}
    assert set(found.metrics) == rest != before
    assert set(found.curves) == {"lstm", "oracle"}
