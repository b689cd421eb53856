"""What a route does instead of its work."""

from __future__ import annotations

from tests.contract.far import JSON, PROBLEM, Fault, Handler, problem


def answer(status: int, body: str = "", kind: str = PROBLEM, **headers: str) -> Fault:
    """Always this."""

    def fault(handler: Handler) -> bool:
        handler.answer(status, kind, body or problem("Broken", "Something broke."), **headers)
        return True

    return fault


def hang(handler: Handler) -> bool:
    """No answer, ever."""
    handler.hub.hang()
    handler.close_connection = True
    return True


def hang_after_headers(handler: Handler) -> bool:
    """Headers, half a body, then nothing."""
    handler.send_response(200)
    handler.send_header("Content-Type", JSON)
    handler.send_header("Content-Length", "100000")
    handler.end_headers()
    handler.wfile.write(b'{"schema": 1, "epo')
    return hang(handler)


def script(*lines: str, then: str = "hang") -> Fault:
    """A stream that says these things; then it hangs or ends."""

    def fault(handler: Handler) -> bool:
        handler.begin_stream()
        for one in lines:
            handler.write(one)
        if then == "hang":
            handler.hub.hang()
        handler.write("")
        handler.close_connection = True
        return True

    return fault


def times(count: int, fault: Fault) -> Fault:
    """So often, then as usual."""
    left = [count]

    def limited(handler: Handler) -> bool:
        left[0] -= 1
        return left[0] >= 0 and fault(handler)

    return limited
