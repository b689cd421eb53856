"""Webhooks over REST, with an administrator's own key for administering."""

from __future__ import annotations

from typing import Annotated

from litestar import Response, delete, get, post, put
from litestar.di import NamedDependency
from litestar.params import FromPath, QueryParameter, RawBody

from hub.db import Database
from hub.people.policy import Need
from hub.registry.rest.api import Db, Place, Who
from hub.registry.rest.api_parts import Ask, as_json
from hub.registry.rest.api_schema import READS, WRITES, described
from hub.registry.rest.bodies import decode
from hub.sync.webhooks import acts, bodies, deliveries, store
from hub.sync.webhooks.deliveries import Standing
from hub.sync.webhooks.door import worker_of

Data = NamedDependency[Database]
READ_BY_ADMIN = (*READS, 403)


@get(
    "/api/v1/webhooks", needs=Need.ADMIN, name="api:webhooks", include_in_schema=True,
    operation_id="listWebhooks", summary="List webhooks", tags=["webhooks"],
    operation_class=described(bodies.WebhookList, errors=READ_BY_ADMIN),
)  # fmt: skip
async def list_webhooks(db: Db, workspace: Place) -> Response[bytes]:
    """Whom the workspace tells what happens, and how that goes. For administrators, as are all of
    these: send a personal key."""
    found = await deliveries.standings(db, workspace.id)
    return as_json(bodies.WebhookList([bodies.WebhookRecord(**bodies.facts(one)) for one in found]))


@post(
    "/api/v1/webhooks", needs=Need.ADMIN, name="api:webhooks:add", include_in_schema=True,
    operation_id="addWebhook", summary="Add a webhook", tags=["webhooks"], status_code=201,
    operation_class=described(
        bodies.WebhookMade, body=bodies.AddWebhook, status=201, errors=WRITES
    ),
)  # fmt: skip
async def add_webhook(
    request: Ask, body: RawBody, actor: Who, workspace: Place, database: Data
) -> Response[bytes]:
    """From now on it is told what happens; the answer is the only one that shows its secret."""
    fields = bodies.fields(decode(body, bodies.AddWebhook))
    hook, secret = await acts.add(worker_of(request), database, workspace, actor, fields)
    standing = bodies.facts(Standing(hook=hook, waiting=0))
    answer = as_json(bodies.WebhookMade(**standing, secret=str(secret) if secret else None))
    answer.status_code = 201
    return answer


@put(
    "/api/v1/webhooks/{webhook:int}", needs=Need.ADMIN, name="api:webhooks:change",
    include_in_schema=True, operation_id="changeWebhook", summary="Change, pause or resume",
    tags=["webhooks"],
    operation_class=described(bodies.WebhookRecord, body=bodies.ChangeWebhook, errors=WRITES),
)  # fmt: skip
async def change_webhook(
    request: Ask, webhook: FromPath[int], body: RawBody, actor: Who, workspace: Place,
    database: Data,
) -> Response[bytes]:  # fmt: skip
    """What is left out stays. `state: "active"` takes a paused one up again, at once and in
    order."""
    given = decode(body, bodies.ChangeWebhook)
    worker = worker_of(request)
    found = await acts.change_some(worker, database, workspace, actor, webhook, given)
    return as_json(bodies.WebhookRecord(**bodies.facts(found)))


@delete(
    "/api/v1/webhooks/{webhook:int}", needs=Need.ADMIN, name="api:webhooks:remove",
    include_in_schema=True, operation_id="removeWebhook", summary="Remove a webhook",
    tags=["webhooks"], status_code=204,
    operation_class=described(None, status=204, errors=WRITES),
)  # fmt: skip
async def remove_webhook(
    webhook: FromPath[int], actor: Who, workspace: Place, database: Data
) -> None:
    """With what waits for it, and its log."""
    async with database.write() as db:
        await store.remove(db, workspace, webhook, actor=actor)


@post(
    "/api/v1/webhooks/{webhook:int}/secrets", needs=Need.ADMIN, name="api:webhooks:secret",
    include_in_schema=True, operation_id="renewWebhookSecret", summary="Change the secret",
    tags=["webhooks"], status_code=200,
    operation_class=described(bodies.SecretMade, body=bodies.NewSecret, errors=WRITES),
)  # fmt: skip
async def renew_secret(
    request: Ask, webhook: FromPath[int], body: RawBody, actor: Who, workspace: Place,
    database: Data,
) -> Response[bytes]:  # fmt: skip
    """For a day messages carry a signature by each of the two, so that nothing is refused while
    the receiver is changed."""
    given = decode(body, bodies.NewSecret)
    renew = acts.end_overlap if given.end_overlap else acts.renew
    made = await renew(worker_of(request), database, workspace, actor, webhook)
    return as_json(bodies.SecretMade(secret=str(made) if made else None))


@get(
    "/api/v1/webhooks/{webhook:int}/deliveries", needs=Need.ADMIN, name="api:webhooks:log",
    include_in_schema=True, operation_id="listDeliveries", summary="What was sent",
    tags=["webhooks"],
    operation_class=described(bodies.DeliveryList, errors=READ_BY_ADMIN),
)  # fmt: skip
async def list_deliveries(
    db: Db, webhook: FromPath[int], workspace: Place,
    before: Annotated[int | None, QueryParameter(description="`next` of the page before.")] = None,
) -> Response[bytes]:  # fmt: skip
    """Messages with the attempts to hand them in, the newest first; kept for two weeks."""
    hook = await store.get(db, workspace.id, webhook)
    found = await deliveries.listed(db, hook.id, before=before)
    following = found[-1].id if len(found) == deliveries.PAGE else None
    items = [bodies.delivery(one) for one in found]
    return as_json(bodies.DeliveryList(items=items, next=following))


@post(
    "/api/v1/webhooks/{webhook:int}/deliveries", needs=Need.ADMIN, name="api:webhooks:send",
    include_in_schema=True, operation_id="sendAgain", summary="Send a message again, or a test",
    tags=["webhooks"], status_code=200,
    operation_class=described(bodies.AttemptRecord, body=bodies.SendAgain, errors=WRITES),
)  # fmt: skip
async def send_again(
    request: Ask, webhook: FromPath[int], body: RawBody, actor: Who, workspace: Place
) -> Response[bytes]:
    """At once, out of order; a message keeps its id, so a receiver that has it can tell."""
    given = decode(body, bodies.SendAgain)
    worker = worker_of(request)
    if given.delivery is None:
        attempt = await worker.test(workspace, webhook, actor)
    else:
        attempt = await worker.again(workspace, webhook, given.delivery, actor)
    return as_json(bodies.attempt(attempt))


ROUTES = [
    list_webhooks, add_webhook, change_webhook, remove_webhook, renew_secret, list_deliveries,
    send_again,
]  # fmt: skip
