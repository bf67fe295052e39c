"""The schema is a contract: order, spelling and mirror images are pinned by known answers."""

import pytest

from retarget.model import action_units as au
from retarget.model.errors import RetargetError, UnknownActionUnitError


def names(indices: tuple[int, ...]) -> list[str]:
    return [au.NAMES[i] for i in indices]


def test_the_vector_is_as_published() -> None:
    assert au.COUNT == len(au.NAMES) == len(set(au.NAMES)) == 46
    assert au.NAMES[:4] == ("AU01L", "AU01R", "AU02L", "AU02R")
    assert au.NAMES[-2:] == ("MouthShiftL", "MouthShiftR")


@pytest.mark.parametrize(
    ("spelling", "expected"),
    [
        ("AU12", ["AU12L", "AU12R"]),
        ("au012", ["AU12L", "AU12R"]),
        ("AU12_r", ["AU12L", "AU12R"]),  # OpenFace's suffix for "regression", not "right"
        ("12", ["AU12L", "AU12R"]),
        ("AU4", ["AU04L", "AU04R"]),
        ("AU12L", ["AU12L"]),
        ("AU12_left", ["AU12L"]),
        ("AU12 R", ["AU12R"]),
        ("AU26", ["AU26"]),
        ("AU27", ["AU26"]),
        ("AU43", ["AU45L", "AU45R"]),
        ("AU46L", ["AU45L"]),
        ("Lip Corner Puller", ["AU12L", "AU12R"]),
        ("mouth shift left", ["MouthShiftL"]),
        ("MouthShift", ["MouthShiftL", "MouthShiftR"]),
    ],
)
def test_spellings(spelling: str, expected: list[str]) -> None:
    assert names(au.resolve(spelling)) == expected


def test_every_name_resolves_to_itself() -> None:
    assert [au.resolve(name) for name in au.NAMES] == [(i,) for i in range(au.COUNT)]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("AU13", r"unknown action unit 'AU13'; did you mean AU1[24]"),
        ("lip corner puler", r"did you mean AU12 \(lip corner puller\)"),
        ("xyzzy", r"known are AU01, "),
        ("AU99", r"'AU99'; known are AU01, "),
        ("smile", r"did you mean AU12 \(lip corner puller\)\?"),
        ("Frown", r"did you mean AU04 \(brow lowerer\) or AU15 \(lip corner depressor\)\?"),
        ("jawOpen", r"did you mean AU26 \(jaw drop\)\?"),
        ("mouthSmileLeft", r"did you mean AU12 \(lip corner puller\)\?"),
        ("squnit", r"did you mean AU07 \(lid tightener\)\?"),
        ("AU26L", r"AU26 \(jaw drop\) has no side; use AU26"),
    ],
)
def test_refusals_name_what_to_write(name: str, message: str) -> None:
    with pytest.raises(UnknownActionUnitError, match=message):
        au.resolve(name)


def test_the_error_is_a_key_error_of_our_family() -> None:
    with pytest.raises(KeyError) as caught:
        au.resolve("AU99")
    assert isinstance(caught.value, RetargetError)
    assert str(caught.value).startswith("unknown action unit 'AU99'")


def test_mirror_swaps_sides_and_undoes_itself() -> None:
    mirror = au.mirrored()
    assert names((mirror[au.NAMES.index("AU12L")],)) == ["AU12R"]
    assert names((mirror[au.NAMES.index("AU61")],)) == ["AU62"]
    assert names((mirror[au.NAMES.index("MouthShiftL")],)) == ["MouthShiftR"]
    assert mirror[au.NAMES.index("AU26")] == au.NAMES.index("AU26")
    assert [mirror[i] for i in mirror] == list(range(au.COUNT))


def test_regions_cover_the_face() -> None:
    upper, lower = set(au.in_regions(["upper"])), set(au.in_regions(["lower"]))
    assert upper | lower == set(range(au.COUNT))
    assert not upper & lower
    assert set(names(au.in_regions(["eyes"]))) >= {"AU45L", "AU05R", "AU61"}


def test_openface_names_are_units_of_the_schema() -> None:
    assert len(au.OPENFACE_NAMES) == 17
    assert all(au.resolve(name) for name in au.OPENFACE_NAMES)
