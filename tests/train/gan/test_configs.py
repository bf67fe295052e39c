"""A config file that is none is refused, with its line where there is one."""

from pathlib import Path

import pytest

from retarget.train.gan.configs import ConfigError, config_named, recipes


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: [", r"a\.yaml, line 1: not valid YAML"),
        ("seed: 1\n\tseed: 2", r"a\.yaml, line 2: not valid YAML"),
        ("seed: 1\nseed: 2", r"a\.yaml, line 2: 'seed' occurs twice"),
        ("- 1", "holds no options"),
        ("", "holds no options"),
        ("base: a.yaml", "leads back"),
    ],
)
def test_bad_files(text: str, message: str, tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    file.write_text(text.replace("a.yaml", str(file)))
    with pytest.raises(ConfigError, match=message):
        config_named(str(file))


def test_a_file_that_is_no_text(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match=r"a\.yaml: is no YAML \(.*\); save it as UTF-8"):
        config_named(str(tmp_path / "a.yaml"))


def test_a_file_stands_over_its_bases(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text("base: paper-kmsf0\ngenerator: {width: 8}\n")
    found = config_named(str(file))
    assert found.values["generator"] == {**recipes()["paper"]["generator"], "k_msf": 0, "width": 8}
    assert found.place_of(("generator", "width")) == f"{file}, line 2"
    assert found.place_of(("critic",)) is None, "a recipe's own"
