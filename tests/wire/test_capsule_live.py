"""A capsule whose models are asked again, by a real Space."""

from __future__ import annotations

from pathlib import Path

from flux_magic.capsules.reproduce import Plan, reproduce
from flux_magic.verify import Grade
from tests.support.capsules import keep_apart, make_capsule


def test_the_models_are_asked_only_if_wanted_and_graded_as_verify_does(space: str, tmp_path: Path) -> None:
    with keep_apart(tmp_path):
        capsule = make_capsule(tmp_path)
        found = reproduce(capsule, Plan(live=True, space=space))
    assert found.live is not None
    graded = {one.label: one.grade for one in found.live.verdicts}
    assert {"fox in winter.ipynb, cell 2, image 1 of the sheet", "fox in winter.ipynb, cell 4"} <= graded.keys()
    assert set(graded.values()) <= {Grade.SAME_BYTES, Grade.SAME_PIXELS}
    assert found.passed
    assert all(one.state == "as saved" for one in found.cells)
    assert "6 of 6 cells as saved; the models today: 6 of 6 pass: " in found.summary
