"""Text that people write: files as text, and YAML whose every value knows its line and column."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import AliasEvent, MappingEndEvent, ScalarEvent, SequenceEndEvent, StreamEndEvent
from ruamel.yaml.events import SequenceStartEvent as _ListStart
from ruamel.yaml.scanner import Scanner

from ..errors import RetargetError

_MOST_DEPTH = 16
_MOST_NODES = 500_000
"""Aliases counted as often as they are used: a few lines of them may stand for billions of values."""


def read_text(path: Path, error: type[RetargetError], *, advice: str = "save it as UTF-8") -> str:
    """The file's text, which is UTF-8 with or without a byte order mark.

    Raises:
        RetargetError: of the class `error`: the file cannot be read, or is no text (then with the advice).
    """
    check_plain(path, error)
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as broken:
        raise error(f"{path}: not a text file ({broken.reason}); {advice}") from broken
    except ValueError as broken:  # of a name with a NUL in it
        raise error(f"{str(path)!a}: no file is called that; correct the name") from broken
    except OSError as broken:
        reason = broken.strerror or str(broken)
        raise error(f"{path}: cannot be read ({reason}); check the name and the permissions") from broken


def encoding_of(head: bytes) -> str | None:
    """The encoding of text that begins with these bytes; None if it is no text.

    UTF-16 where a byte order mark or its zeros show it, UTF-8 where that fits, else Latin-1.
    """
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        text = codecs.getincrementaldecoder("utf-16")("replace").decode(head)
        return "utf-16" if text and not _NO_TEXT.search(text.encode()) else None
    pairs = len(head) // 2
    for start, name in ((1, "utf-16-le"), (0, "utf-16-be")):
        if head[start::2].count(0) > 0.8 * pairs and not _NO_TEXT.search(head[1 - start :: 2]):
            return name
    if _NO_TEXT.search(head):
        return None
    try:
        codecs.getincrementaldecoder("utf-8")().decode(head)
    except UnicodeDecodeError:
        return "latin-1"
    return "utf-8-sig"


_NO_TEXT = re.compile(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f]")


def check_plain(path: Path, error: type[RetargetError]) -> None:
    """Raises an `error` if something is there that is no plain file: a pipe would be waited for without an end."""
    if not path.is_file() and path.exists():
        raise error(f"{path}: cannot be read (a folder, a pipe or a device); name a file")


def delimiter_of(line: str) -> str:
    """What stands between the columns of a table: "," or ";" or a tab, whichever its header line has most of."""
    return max(",;\t", key=line.count)


def shown(text: str) -> str:
    """The text with escapes for what no UTF-8 can hold: the bytes of a file's name in another encoding."""
    return text.encode("utf-8", "backslashreplace").decode()


def safe_cell(text: str) -> str:
    """Text for a table that others open: an apostrophe before what a spreadsheet would take for a formula."""
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text


class YamlError(Exception):
    """A mistake in YAML text, in the words for the user but without the file's name."""

    def __init__(self, message: str, *, line: int | None = None) -> None:
        super().__init__(message)
        self.line = line
        """From 1; None where the reader cannot say."""


@dataclass(frozen=True, slots=True)
class Scalar:
    """A single value as written."""

    text: str
    is_quoted: bool
    """Then it is text whatever it looks like."""
    line: int
    """From 1, as columns."""
    column: int
    size: ClassVar[int] = 1
    height: ClassVar[int] = 0

    @property
    def value(self) -> str | int | float | bool | None:
        """See `scalar`."""
        return self.text if self.is_quoted else scalar(self.text)


@dataclass(frozen=True, slots=True)
class Items:
    """A list."""

    nodes: tuple[Node, ...]
    line: int
    column: int
    size: int = 1
    """Values in it, itself included; those of an alias each time."""
    height: int = 1
    """Levels below it."""


@dataclass(frozen=True, slots=True)
class Entries:
    """A mapping, in the order written. A key may occur twice: who reads the entries says what that means."""

    pairs: tuple[tuple[Scalar, Node], ...]
    line: int
    column: int
    size: int = 1
    height: int = 1


Node = Scalar | Items | Entries


def read_yaml(text: str, *, kind: str, allow_aliases: bool = False) -> Node | None:
    """The one document in the text, or None if there is nothing in it.

    Only mappings, lists and scalars: tags are refused, and so are anchors and aliases unless allowed. Nothing
    is ever constructed. `kind` names the file in errors: "a job sheet".

    Raises:
        YamlError: no YAML, something that is refused, a second document, or more or deeper than makes sense.
    """
    try:
        return _Reader(kind, allow_aliases).document(iter(_parser().parse(text)))
    except MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else None
        problem = _one_line(error.problem or error.context)
        advice = _ESCAPES if "escape" in problem else "check indentation and quotes"
        raise YamlError(f"not valid YAML ({problem}); {advice}", line=line) from error
    except (YAMLError, ValueError, OverflowError) as error:  # the last two by escapes like "\\UFFFFFFFF"
        raise YamlError(f"not valid YAML ({_one_line(error)}); save it as plain text") from error


_ESCAPES = "in double quotes a backslash begins an escape: put Windows paths in single quotes, or in none"


def _parser() -> YAML:
    # The pure parser: those in C (ruamel.yaml.clib) come with libyaml 0.1, which takes no {start: 00:00:01:12}.
    parser = YAML(typ="safe", pure=True)
    parser.Scanner = _TabScanner
    return parser


class _TabScanner(Scanner):
    """Takes tabs between a value and a comment or the end of the line, as the standard has it."""

    def scan_to_next_token(self) -> None:
        super().scan_to_next_token()
        while not self.allow_simple_key and self.reader.peek() == "\t":  # else it would indent a key
            self.reader.forward()
            super().scan_to_next_token()


def scalar(text: str) -> str | int | float | bool | None:
    """What unquoted text means, the same wherever YAML is read.

    null, true, false and numbers in their plain forms are what they are. All else stays text: `no`,
    `10:00:00:00` and `2001-01-01`, and also `012` and `1e3`, which are twelve and a thousand only where a
    number is wanted (see `as_number`).
    """
    if text in ("", "~", "null"):
        return None
    if text in ("true", "false"):
        return text == "true"
    if _INTEGER.fullmatch(text):
        return int(text)
    return float(text) if _DECIMAL.fullmatch(text) else text


def as_number(value: Any) -> Any:
    """The number that text spells (`12`, `012`, `.5`, `1e3`), for where one is wanted; all else as it is."""
    if not (isinstance(value, str) and _NUMBER.fullmatch(value)):
        return value
    number = float(value)
    is_whole = "." not in value and number.is_integer() and abs(number) < 1e15
    return int(number) if is_whole else number


_INTEGER = re.compile(r"[-+]?(0|[1-9][0-9]{0,14})")
_DECIMAL = re.compile(r"[-+]?([0-9]+\.[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)?")
_NUMBER = re.compile(r"[-+]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)?")


def plain(node: Node) -> Any:
    """The node as dicts, lists, text, numbers, bools and None.

    Raises:
        YamlError: a key occurs twice.
    """
    if isinstance(node, Scalar):
        return node.value
    if isinstance(node, Items):
        return [plain(item) for item in node.nodes]
    data: dict[str, Any] = {}
    for key, value in node.pairs:
        if key.text in data:
            raise YamlError(f"{key.text!r} occurs twice; keep one of them", line=key.line)
        data[key.text] = plain(value)
    return data


Location = tuple[str | int, ...]
"""The way to a value through keys and positions in lists."""


def lines_of(node: Node, at: Location = ()) -> dict[Location, int]:
    """The line of each value in the node: that of its key or, in a list, its own."""
    lines = {at: node.line}
    if isinstance(node, Entries):
        for key, value in node.pairs:
            lines |= {**lines_of(value, (*at, key.text)), (*at, key.text): key.line}
    elif isinstance(node, Items):
        for i, item in enumerate(node.nodes):
            lines |= lines_of(item, (*at, i))
    return lines


def _one_line(text: object) -> str:
    return " ".join(str(text).split())


class _Reader:
    """Builds nodes from the parser's events, so that nothing too deep is ever followed."""

    def __init__(self, kind: str, allow_aliases: bool) -> None:
        self._kind, self._allow_aliases = kind, allow_aliases
        self._anchors: dict[str, Node | None] = {}
        """None while the node is being read: its aliases would contain themselves."""

    def document(self, events: Iterator[Any]) -> Node | None:
        next(events)  # stream start
        if isinstance(next(events), StreamEndEvent):
            return None
        node = self._node(next(events), events, 0)
        next(events)  # document end
        after = next(events)
        if not isinstance(after, StreamEndEvent):
            raise YamlError("a second document begins here; keep one per file", line=_line(after))
        return node

    def _node(self, event: Any, events: Iterator[Any], depth: int) -> Node:
        is_alias = isinstance(event, AliasEvent)
        if (is_alias or event.anchor) and not self._allow_aliases:
            raise YamlError("anchors and aliases are not supported; write the value out", line=_line(event))
        if is_alias:
            node = self._aliased(event)
        else:
            if event.anchor:
                self._anchors[event.anchor] = None
            node = self._own(event, events, depth)
            if event.anchor:
                self._anchors[event.anchor] = node
        if depth + node.height > _MOST_DEPTH or node.size > _MOST_NODES:
            raise self._too_deep(event)
        return node

    def _own(self, event: Any, events: Iterator[Any], depth: int) -> Node:
        if event.tag not in (None, "!"):
            raise YamlError(f"tags such as {event.tag} are not supported; remove it", line=_line(event))
        line, column = _line(event), event.start_mark.column + 1
        if isinstance(event, ScalarEvent):
            return Scalar(event.value, not event.implicit[0], line, column)
        if depth >= _MOST_DEPTH:
            raise self._too_deep(event)
        if isinstance(event, _ListStart):
            nodes = tuple(self._items(events, depth + 1))
            return Items(nodes, line, column, *_extent(nodes))
        pairs = tuple(self._entries(events, depth + 1))
        return Entries(pairs, line, column, *_extent([value for _, value in pairs]))

    def _items(self, events: Iterator[Any], depth: int) -> Iterator[Node]:
        while not isinstance(event := next(events), SequenceEndEvent):
            yield self._node(event, events, depth)

    def _entries(self, events: Iterator[Any], depth: int) -> Iterator[tuple[Scalar, Node]]:
        while not isinstance(event := next(events), MappingEndEvent):
            key = self._node(event, events, depth) if isinstance(event, ScalarEvent | AliasEvent) else None
            if not isinstance(key, Scalar):
                raise YamlError("a key must be a plain name or time", line=_line(event))
            yield key, self._node(next(events), events, depth)

    def _aliased(self, event: Any) -> Node:
        if event.anchor not in self._anchors:
            raise YamlError(f"nothing is called &{event.anchor} above; correct the alias", line=_line(event))
        node = self._anchors[event.anchor]
        if node is None:
            raise self._too_deep(event)
        return node

    def _too_deep(self, event: Any) -> YamlError:
        return YamlError(f"nested too deep for {self._kind}; write it out flat", line=_line(event))


def _line(event: Any) -> int:
    return int(event.start_mark.line) + 1


def _extent(nodes: Any) -> tuple[int, int]:
    """(size, height) of what contains the nodes."""
    return 1 + sum(node.size for node in nodes), 1 + max((node.height for node in nodes), default=0)
