"""Whom a checkpoint was made from is known to it by marks, and never guessed."""

from retarget.train.data.provenance import of_geometry, people_of, person_marks, trained_people


def test_people_are_recognised_and_not_named() -> None:
    marks = person_marks(["bob", "ann"])
    assert trained_people({"data": {"people": marks}}) == set(person_marks(["ann", "bob"]))
    assert not any(name in mark for mark in marks for name in ("ann", "bob"))
    for silent in ({}, {"data": 1}, {"data": {"people": "ann"}}, {"data": {}}):
        assert trained_people(silent) is None


def test_nothing_is_said_of_people_where_a_part_is_silent() -> None:
    assert people_of({"b"}, ["a", "b"]) == {"people": ["a", "b"]}
    assert people_of({"b"}, None) == {}


def test_a_geometry_is_described_by_its_own_command() -> None:
    alone = {"command": "fit-geometry", "people": 7, "data": {"name": "x"}}
    assert of_geometry(alone) == {"command": "fit-geometry", "people": 7}
    assert of_geometry({"command": "run", "geometry": {"people": 7}}) == {"people": 7}
    assert of_geometry({"command": "run"}) == {}
