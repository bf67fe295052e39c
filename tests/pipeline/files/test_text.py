"""Reading text that people write: YAML with the line and column of every value, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from retarget.pipeline.errors import DriverError
from retarget.pipeline.files.text import (
    Entries,
    Items,
    Node,
    Scalar,
    YamlError,
    as_number,
    delimiter_of,
    encoding_of,
    lines_of,
    plain,
    read_text,
    read_yaml,
    scalar,
    shown,
)


def read(text: str, *, allow_aliases: bool = False) -> Node | None:
    return read_yaml(text, kind="a test file", allow_aliases=allow_aliases)


def data(text: str, *, allow_aliases: bool = False) -> object:
    node = read(text, allow_aliases=allow_aliases)
    assert node is not None
    return plain(node)


class TestNodes:
    def test_every_value_knows_its_place(self) -> None:
        node = read("# head\na: 1\nlist:\n  - x\n  - {b: 'y z'}\n")
        assert isinstance(node, Entries)
        (a, one), (_, items) = node.pairs
        assert (a.text, a.line, a.column) == ("a", 2, 1)
        assert one == Scalar("1", False, 2, 4)
        assert isinstance(items, Items)
        assert (items.line, items.column) == (4, 3)
        entries = items.nodes[1]
        assert isinstance(entries, Entries)
        assert entries.pairs[0][1] == Scalar("y z", True, 5, 9)

    def test_lines_of_locations(self) -> None:
        node = read("curves:\n  AU12:\n    0: 1\n\n    2: [3,\n      4]\n")
        assert node is not None
        assert lines_of(node) == {
            (): 1,
            ("curves",): 1,
            ("curves", "AU12"): 2,
            ("curves", "AU12", "0"): 3,
            ("curves", "AU12", "2"): 5,
            ("curves", "AU12", "2", 0): 5,
            ("curves", "AU12", "2", 1): 6,
        }

    def test_plain_data(self) -> None:
        assert data("{a: [1, .5, no, '1', true, ~, ], 7: {b: }}") == {
            "a": [1, 0.5, "no", "1", True, None],
            "7": {"b": None},
        }

    @pytest.mark.parametrize("text", ["", "# nothing\n", "\n\n"])
    def test_nothing(self, text: str) -> None:
        assert read(text) is None

    def test_an_alias_is_its_value(self) -> None:
        assert data("a: &x {b: 1}\nc: [*x, *x]\n", allow_aliases=True) == {"a": {"b": 1}, "c": [{"b": 1}] * 2}

    def test_an_anchor_means_the_last_of_its_name(self) -> None:
        assert data("[&x 1, *x, &x 2, *x]", allow_aliases=True) == [1, 1, 2, 2]

    def test_a_big_file(self) -> None:
        node = read("jobs:\n" + "  - {source: a.mov, gain: {AU12: 0.5}}\n" * 1000)
        assert node is not None
        assert node.size == 4002

    def test_times_need_no_quotes_in_braces(self) -> None:
        assert data("{start: 00:00:01:12, 10:00:00:00: [1:30, a:b]}") == {
            "start": "00:00:01:12",
            "10:00:00:00": ["1:30", "a:b"],
        }

    def test_tabs_may_follow_a_value(self) -> None:
        assert data("a: 1\t# one\nb:\t2\t\nc: ['x',\t'y']\t\nd: 'e'\t#\tf\n") == {
            "a": 1,
            "b": 2,
            "c": ["x", "y"],
            "d": "e",
        }


class TestScalars:
    @pytest.mark.parametrize(
        ("text", "value"),
        [
            ("", None), ("~", None), ("null", None), ("true", True), ("false", False),
            ("12", 12), ("-3", -3), ("+3", 3), ("0", 0), (".5", 0.5), ("1.", 1.0), ("-1.5e3", -1500.0),
            ("012", "012"), ("1e3", "1e3"), ("0x10", "0x10"), ("0o17", "0o17"), ("1_000", "1_000"),
            (".inf", ".inf"),
            ("no", "no"), ("on", "on"), ("yes", "yes"), ("True", "True"), ("Null", "Null"),
            ("10:00:00:00", "10:00:00:00"), ("1:30", "1:30"), ("2001-01-01", "2001-01-01"), ("٣", "٣"),
            ("1234567890123456", "1234567890123456"),
        ],
    )  # fmt: skip
    def test_unquoted_text_means(self, text: str, value: object) -> None:
        assert scalar(text) == value
        assert type(scalar(text)) is type(value)

    @pytest.mark.parametrize(
        ("value", "number"),
        [
            ("012", 12), ("1e3", 1000), ("12", 12), ("-1e-1", -0.1), (".5", 0.5), ("1.0", 1.0), ("2e0", 2),
            (7, 7), (0.5, 0.5), (True, True), (None, None), ("no", "no"), ("0x10", "0x10"), ("1_000", "1_000"),
            ("inf", "inf"), ("nan", "nan"), ("1:30", "1:30"), ("٣", "٣"), ("", ""), ("1e999", float("inf")),
        ],
    )  # fmt: skip
    def test_where_a_number_is_wanted(self, value: object, number: object) -> None:
        assert as_number(value) == number
        assert type(as_number(value)) is type(number)

    def test_quoted_is_text(self) -> None:
        assert data("['1', \"true\", '']") == ["1", "true", ""]


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("a: 1\nb: &x 1\n", 2, "anchors and aliases are not supported; write the value out"),
        ("a: *x\n", 1, "anchors and aliases are not supported"),
        ("a:\n  !!python/name:os.system 1\n", 2, r"tags such as .*os\.system are not supported; remove it"),
        ("!x {a: 1}\n", 1, "tags such as !x"),
        ("a: 1\n---\nb: 1\n", 2, "a second document begins here; keep one per file"),
        ("a: {0: 1\n", 2, r"not valid YAML \(.*\); check indentation and quotes"),
        ("a:\n\tb: 1\n", 2, "not valid YAML"),
        ("a: 1\n\tb: 1\n", 2, "not valid YAML"),
        ('a: "\\UFFFFFFFF"\n', None, "not valid YAML"),
        ("a: \x07\n", None, r"not valid YAML \(.*\); save it as plain text"),
        ("a: \ud800\n", None, r"not valid YAML"),
        ("a: 1\n? [1]\n: 2\n", 2, "a key must be a plain name or time"),
        ("a: 1\n? {b: 1}\n: 2\n", 2, "a key must be a plain name or time"),
        ("a: " + "[" * 30 + "]" * 30, 1, "nested too deep for a test file; write it out flat"),
        ("[" * 100_000, 1, "nested too deep"),
    ],
)  # fmt: skip
def test_mistakes_have_their_line(text: str, line: int | None, message: str) -> None:
    with pytest.raises(YamlError, match=message) as caught:
        read(text)
    assert caught.value.line == line
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: &x [*x]\n", "nested too deep"),
        ("&x {*x : 1}\n", "nested too deep"),
        ("a: *x\n", "nothing is called &x above|undefined alias"),
        ("\n".join(["a0: &a0 []", *(f"a{i}: &a{i} [*a{i - 1}]" for i in range(1, 30))]), "nested too deep"),
    ],
)
def test_aliases_that_lead_nowhere(text: str, message: str) -> None:
    with pytest.raises(YamlError, match=message):
        read(text, allow_aliases=True)


def test_a_bomb_is_refused_before_it_grows() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 9)]
    with pytest.raises(YamlError, match="nested too deep") as caught:
        read("\n".join(lines), allow_aliases=True)
    assert caught.value.line == 6


def test_a_key_that_occurs_twice_is_refused_as_data_and_readable_as_entries() -> None:
    node = read("a: {b: 1}\nc: {d: 1,\n  d: 2}\n")
    assert isinstance(node, Entries)
    inner = node.pairs[1][1]
    assert isinstance(inner, Entries)
    assert [key.line for key, _ in inner.pairs] == [2, 3]
    with pytest.raises(YamlError, match="'d' occurs twice; keep one of them") as caught:
        plain(node)
    assert caught.value.line == 3


def test_read_text(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_bytes("\ufeffé\n".encode())
    assert read_text(path, DriverError) == "é\n"
    path.write_bytes(b"\xff\xfe\x00\x9f")
    with pytest.raises(DriverError, match=r"a\.yaml: not a text file \(invalid start byte\); save it as UTF-8"):
        read_text(path, DriverError)
    with pytest.raises(
        DriverError, match=r"b\.yaml: cannot be read \(No such file or directory\); check the name"
    ):
        read_text(tmp_path / "b.yaml", DriverError)


@pytest.mark.parametrize(("line", "delimiter"), [("a,b;c,d", ","), ("a;b", ";"), ("a\tb", "\t"), ("a", ",")])
def test_delimiter_of(line: str, delimiter: str) -> None:
    assert delimiter_of(line) == delimiter


@pytest.mark.parametrize(
    ("head", "encoding"),
    [
        (b"a,b\n", "utf-8-sig"),
        ("\ufeffa,b".encode(), "utf-8-sig"),
        ("é,b".encode(), "utf-8-sig"),
        ("é".encode() + b"\xc3", "utf-8-sig"),  # cut off in a character
        ("é,b".encode("latin-1"), "latin-1"),
        ("a,b".encode("utf-16"), "utf-16"),
        ("a,b".encode("utf-16-le"), "utf-16-le"),
        ("a,b".encode("utf-16-be"), "utf-16-be"),
        (b"\x89PNG\r\n\x1a\n", None),
        (b"\x00\x01\x02", None),
        (b"", "utf-8-sig"),
    ],
)
def test_encodings(head: bytes, encoding: str | None) -> None:
    assert encoding_of(head) == encoding


def test_a_windows_path_in_double_quotes_is_told_what_to_do() -> None:
    with pytest.raises(YamlError, match="put Windows paths in single quotes, or in none"):
        read_yaml('source: "C:\\plates\\a.mov"', kind="a job sheet")
    node = read_yaml(r"source: C:\plates\a.mov", kind="a job sheet")
    assert node is not None
    assert plain(node) == {"source": r"C:\plates\a.mov"}


def test_what_is_shown_of_names_that_are_no_utf8() -> None:
    assert shown("pl\udce4te é") == "pl\\udce4te é"
