"""Which ways to hand mail over a campaign has: its relays, a sandbox's own server, or the domains' own mail hosts."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from campaign_cli.config.settings import Settings
from campaign_cli.engine.exchanges import Exchanges, direct_routes
from campaign_cli.engine.passwords import Passwords
from campaign_cli.engine.preparation import Prepared
from campaign_cli.engine.routes import Routes
from campaign_cli.ledger.shared import SharedState
from campaign_cli.model.relay import Relay, Tls


@asynccontextmanager
async def relays_of(prepared: Prepared) -> AsyncIterator[tuple[Relay, ...]]:
    """The relays of the campaign; for the sandbox its own server, while the block runs."""
    if prepared.sandbox is None:
        yield prepared.relays
        return
    from campaign_cli.transport.sandbox import Sandbox

    async with Sandbox(prepared.sandbox) as sandbox:
        yield (Relay(sandbox.host, sandbox.port, Tls.OFF),)


def routes_of(
    settings: Settings, relays: tuple[Relay, ...], passwords: Passwords, shared: SharedState, *, max_sessions: int
) -> Routes | Exchanges:
    """The ways to hand mail over: by `relays`, which the sandbox is one of; or without any."""
    if settings.direct and not relays:
        return direct_routes(settings, settings.direct, shared, max_sessions=max_sessions)
    return Routes(relays, passwords, max_sessions=max_sessions, budgets=settings.relay_budgets)
