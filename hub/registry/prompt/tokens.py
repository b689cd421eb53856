"""About how many tokens a text takes, without any model's tokenizer.

Real tokenizers differ by a fifth among themselves, so pages say "about". Counted: a token per
short word and per started five letters of a long one, per three digits, per sign, per indent,
and nearly one per letter in scripts that tokenizers know less well.
"""

import re

_PARTS = re.compile(
    r"(?P<latin>[A-Za-z]+)|(?P<number>[0-9]+)|(?P<blank>\s+)"
    r"|(?P<dense>[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]+)|(?P<word>[^\W\d_A-Za-z]+)|(?P<sign>.)",
    re.DOTALL,
)


def estimate(text: str) -> int:
    """The number of tokens, roughly; at least 1 for any text."""
    total = 0.0
    for part in _PARTS.finditer(text):
        length = part.end() - part.start()
        match part.lastgroup:
            case "latin":
                total += 1 if length <= 7 else 1 + (length - 3) // 5
            case "number":
                total += (length + 2) // 3
            case "blank":
                # A single space belongs to the word behind it.
                total += 0 if part.group() == " " else 0.6
            case "dense":
                total += 0.9 * length
            case "word":
                total += max(1, length / 2.5)
            case _:
                total += 0.7
    return max(1, round(total)) if text else 0
