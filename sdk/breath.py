"""Gives the program's own threads their turn, in the middle of what is done behind their back."""

from __future__ import annotations

from time import sleep


def breathe() -> None:
    """Leave the interpreter alone for a tenth of a millisecond.

    To let go of it for a moment (`sleep(0)`, a quick call to the system) is not enough: whoever
    waits for it has to be woken first, and by then it would be taken again.
    """
    sleep(0.0001)
