import pytest

from retarget.model.crop_spec import CropSpec


def test_the_default_is_the_contract() -> None:
    assert CropSpec() == CropSpec(size_px=256, eye_distance_fraction=0.34, eyes_y_fraction=0.40)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"size_px": 8}, "size_px is 8, expected a whole number from 16"),
        ({"size_px": 256.0}, r"size_px is 256\.0, expected a whole number"),
        ({"eye_distance_fraction": 0}, "eye_distance_fraction is 0, expected a fraction between 0 and 1"),
        ({"eyes_y_fraction": 1.5}, r"eyes_y_fraction is 1\.5, expected a fraction"),
    ],
)
def test_refusals(changes: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        CropSpec(**changes)
