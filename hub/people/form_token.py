"""The token that every form carries, and what is said when it is not the browser's."""

from __future__ import annotations

from typing import Any

from litestar import Request, Response
from litestar.config.csrf import CSRFConfig
from litestar.exceptions import HTTPException, PermissionDeniedException
from litestar.middleware.csrf import generate_csrf_hash
from litestar.types import ExceptionHandlersMap

from hub.errors import Forbidden, HubError, Unknown
from hub.people.gate import SIGNED_OUT, needed, same_site, session_cookie
from hub.people.policy import Need
from hub.settings import Settings
from hub.web import on_error

TOO_OLD = "This form is too old or came from another site. Reload the page and send it again."
NO_COOKIES = (
    "Your browser sent no cookie along, and a form needs one. Reload the page and send it again. "
    "If that changes nothing, the browser keeps no cookies of this address: allow them there, or "
    "take another browser (Safari keeps none on http://)."
)


class StaleForm(Forbidden):
    """The form's token is not the one of the browser's cookie."""

    title = "Reload the page first"


def csrf(settings: Settings) -> CSRFConfig:
    """A token in every form; `/api/` and `/v1/` take no cookies, and a letter's link is signed."""
    secure = settings.secure_cookies
    return CSRFConfig(
        secret=settings.derive("csrf"),
        cookie_name="__Host-csrf" if secure else "csrf",
        cookie_secure=secure,
        cookie_httponly=True,
        cookie_samesite="lax",
        exclude="^/(api|v1|mail/off)/",
    )


def on_refused_form(
    request: Request[Any, Any, Any], error: PermissionDeniedException
) -> Response[Any]:
    """The token is looked at before anybody asks who sends it: say what is behind it."""
    answer = on_error(request, _why(request))
    config = request.app.csrf_config
    token = request.cookies.get(config.cookie_name) if config else None
    if config and token and generate_csrf_hash(token[:64], config.secret) != token[64:]:
        # It is not of our signing (the secret changed): with it, no form would ever work.
        answer.delete_cookie(config.cookie_name)
    return answer


def _why(request: Request[Any, Any, Any]) -> HubError:
    try:
        same_site(request)
    except Forbidden as foreign:
        return foreign
    session = session_cookie(secure=request.app.state.settings.secure_cookies)
    if needed(request.route_handler) is not Need.PUBLIC and session not in request.cookies:
        return Unknown(SIGNED_OUT)
    return StaleForm(TOO_OLD if request.cookies else NO_COOKIES)


ON_ERROR: ExceptionHandlersMap = {
    HTTPException: on_error,
    Exception: on_error,
    PermissionDeniedException: on_refused_form,
}
"""What the app answers when something was refused, or broke."""
