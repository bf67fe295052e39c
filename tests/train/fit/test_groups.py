"""The groups by which a fit is judged leave nothing out."""

from retarget.model import action_units
from retarget.train.fit.groups import GROUPS


def test_the_groups_hold_every_action_unit_once() -> None:
    held = [i for group in GROUPS for i in group.entries]
    assert sorted(held) == list(range(action_units.COUNT))
