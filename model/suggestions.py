"""What somebody may have meant who wrote a name that is none."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def suggestion(word: str, known: Iterable[str], otherwise: str, *, quoted: str = "{}", cutoff: float = 0.6) -> str:
    """ "did you mean strength?" where one of the known names is near, else `otherwise`.

    Args:
        quoted: how the name is shown, as a format.
        cutoff: likeness, in [0, 1] as `difflib` counts it, from which a name is near.
    """
    close = difflib.get_close_matches(word, list(known), n=1, cutoff=cutoff)
    return f"did you mean {quoted.format(close[0])}?" if close else otherwise
