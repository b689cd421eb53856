"""What the engine refuses, with the status and the sentence that the caller shows."""

from __future__ import annotations


class Refused(Exception):
    """The engine will not do this; the sentence says why and what helps."""

    def __init__(
        self, sentence: str, status: int = 400, kind: str = "invalid_request_error"
    ) -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.status = status
        self.kind = kind

    def as_json(self) -> dict[str, dict[str, str]]:
        return {"error": {"message": self.sentence, "type": self.kind}}


def broken(sentence: str) -> Refused:
    """A failure of ours or of the model, not of the request."""
    return Refused(sentence, 503, "engine_error")
