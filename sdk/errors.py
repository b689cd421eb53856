"""What `sdk` can raise.

PromptHubError
 ├─ PromptNotFound      the hub knows no such prompt, version or label
 ├─ PromptUnavailable   the hub cannot be reached and nothing was kept from before
 ├─ TemplateError       the prompt's text is not something we render
 └─ VariableError       what your program passed does not fit the prompt
     ├─ MissingVariables
     └─ InvalidVariable
"""

from __future__ import annotations


class PromptHubError(Exception):
    """Everything the SDK raises on purpose."""


class PromptNotFound(PromptHubError, LookupError):
    """The hub answered: there is no such prompt, version or label."""


class PromptUnavailable(PromptHubError):
    """The hub did not answer usefully, and there is nothing to fall back on."""


class TemplateError(PromptHubError):
    """The text is not a template we render; `sentence` says what to change, `line` where."""

    def __init__(self, sentence: str, line: int | None = None) -> None:
        super().__init__(f"Line {line}: {sentence}" if line else sentence)
        self.sentence = sentence
        self.line = line


class VariableError(PromptHubError, ValueError):
    """The variables do not fit the prompt."""


class MissingVariables(VariableError):
    """Variables without a value and without a default; `names` lists them."""

    def __init__(self, prompt: str, names: tuple[str, ...]) -> None:
        super().__init__(f"{prompt} needs: {', '.join(names)}")
        self.names = names


class InvalidVariable(VariableError):
    """A value of the wrong kind; `name` says whose."""

    def __init__(self, name: str, sentence: str) -> None:
        super().__init__(sentence)
        self.name = name
