"""A day of a lane that sends to a provider which punishes, on a simulated clock.

`python -m tests.simulation.day` draws it into docs/.
"""

import asyncio
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from campaign_cli.config.providers import shipped_providers
from campaign_cli.config.shaping import shipped_shaping
from campaign_cli.model.reply import Phase
from campaign_cli.policy.retry import RetrySchedule
from tests.simulation.clock import Clock
from tests.simulation.provider import Habits, Provider
from tests.unit.engine.conftest import World

DAY = 86400.0

GMAIL = Habits(
    "gmail",
    rate=600,
    burst=60,
    phase=Phase.DOT,
    above="421 4.7.28 Gmail has detected an unusual rate of mail originating from your IP address",
    blocked="421 4.7.28 Gmail has temporarily blocked mail from your IP address",
    patience=20,
    block=3600,
)
YAHOO = Habits(
    "yahoo",
    rate=400,
    burst=30,
    phase=Phase.MAIL,
    above="421 4.7.0 [TSS02] Messages from 192.0.2.7 temporarily deferred due to unexpected volume",
    blocked="421 4.7.0 [TSS04] Messages from 192.0.2.7 temporarily deferred due to user complaints",
    patience=15,
    block=7200,
    messages=20,
)
HOTMAIL = Habits(
    "hotmail",
    rate=500,
    burst=40,
    phase=Phase.RCPT,
    above="451 4.7.650 The mail server [192.0.2.7] has been temporarily rate limited due to IP reputation. (S775)",
    blocked="550 5.7.1 Unfortunately, messages from [192.0.2.7] weren't sent. part of their network is "
    "on our block list",
    patience=15,
    block=14400,
)
ALL = (GMAIL, YAHOO, HOTMAIL)


class SimulatedWorld(World):
    """A lane's world whose sessions are real ones, over simulated connections to `provider`."""

    provider: Provider

    async def open(self, provider: str, exchange: Any = None) -> Any:
        await asyncio.sleep(0.2)
        return self.provider.connect()

    async def close(self, session: Any) -> None:
        await session.close()

    async def give_back(self, session: Any) -> None:
        session.abort()

    def keeps(self, route: str, provider: str) -> bool:
        return True


@contextmanager
def simulated(habits: Habits) -> Iterator[tuple[Clock, SimulatedWorld]]:
    """A world whose clock is simulated, at the start of a day. Its state is in memory where that can be: in a day there
    are as many syncs of the disk as messages."""
    memory = Path("/dev/shm")
    with (
        tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as folder,
        pytest.MonkeyPatch.context() as monkeypatch,
    ):
        clock = Clock(monkeypatch)
        world = SimulatedWorld(Path(folder))
        world.provider = Provider(habits, lambda: clock.seconds)
        world.shaping = shipped_shaping()
        world.retry, world.patience = RetrySchedule(), 300.0
        try:
            yield clock, world
        finally:
            world.ledger.close()
            world.shared.close()


def send(
    clock: Clock,
    world: SimulatedWorld,
    *,
    rate: str,
    count: int,
    seconds: float,
    meanwhile: tuple[float, Callable[[], None]] | None = None,
) -> None:
    """Have the lane send to `count` recipients at `rate`, as shipped otherwise, until so many seconds have passed.

    `meanwhile` is something that happens after so many seconds.
    """
    shipped = shipped_providers()[world.provider.habits.name]
    lane = world.lane(
        *(f"p{number}" for number in range(count)),
        rate=rate,
        connections=shipped.connections,
        most=shipped.messages_per_connection,
        name=shipped.name,
    )

    async def main() -> None:
        draining = asyncio.create_task(lane.drain())
        asyncio.get_running_loop().call_later(seconds, lane.stop)
        if meanwhile:
            asyncio.get_running_loop().call_later(*meanwhile)
        await draining
        world.committer.close()
        world.budgets.flush()
        world.suppressions.flush()

    with asyncio.Runner(loop_factory=lambda: clock.loop(lambda: world.committer._syncing)) as runner:
        runner.run(main())


def drawn(provider: Provider, allowed: str) -> str:
    """An SVG of what was taken and refused, in messages an hour over ten minutes each."""
    width, height, left, bottom = 760, 220, 50, 30
    bins = 144
    most = max(provider.habits.rate * 1.6, 1)

    def per_hour(moments: list[float]) -> list[float]:
        counts = [0] * bins
        for moment in moments:
            if moment < DAY:
                counts[int(moment / DAY * bins)] += 1
        return [count * 6 for count in counts]

    def line(values: list[float]) -> str:
        points = (
            f"{left + number * width / bins:.1f},{height - min(value, most) / most * height:.1f}"
            for number, value in enumerate(values)
        )
        return " ".join(points)

    limit = height - provider.habits.rate / most * height
    ticks = "".join(
        f'<text x="{left + hour * width / 24}" y="{height + 18}" text-anchor="middle">{hour} h</text>'
        for hour in range(0, 25, 4)
    )
    refused = "".join(
        f'<circle cx="{left + moment / DAY * width:.1f}" cy="{height - 4}" r="2.5" fill="#c22"/>'
        for moment in provider.refused
        if moment < DAY
    )
    return f"""<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {left + width + 20} {height + bottom + 20}"
 font-family="sans-serif" font-size="12" fill="#444">
<rect width="100%" height="100%" fill="#fff"/>
<g transform="translate(0,16)">
<line x1="{left}" y1="{limit:.1f}" x2="{left + width}" y2="{limit:.1f}" stroke="#888" stroke-dasharray="6 4"/>
<text x="{left - 6}" y="{limit + 4:.1f}" text-anchor="end">{provider.habits.rate:.0f}</text>
<text x="{left - 6}" y="{height}" text-anchor="end">0/h</text>
<polyline points="{line(per_hour(provider.taken))}" fill="none" stroke="#27c" stroke-width="1.8"/>
{refused}
<line x1="{left}" y1="{height}" x2="{left + width}" y2="{height}" stroke="#444"/>
{ticks}
<text x="{left + 8}" y="-4">{provider.habits.name}-like: allowed {provider.habits.rate:.0f}/h (dashed), sent at up to \
{allowed}; blue: taken in ten minutes, as a rate; red: refused</text>
</g>
</svg>
"""


def main() -> None:
    """Simulate a day with each provider, print the figures, and draw it into docs/."""
    for habits in ALL:
        rate = f"{habits.rate * 2:.0f}/h"
        with simulated(habits) as (clock, world):
            send(clock, world, rate=rate, count=int(habits.rate * 30), seconds=DAY)
            provider = world.provider
            taken, refused = len(provider.taken), len(provider.refused)
            print(
                f"{habits.name}: {taken} taken, {taken / (habits.rate * 24):.1%} of what is allowed, "
                f"{refused} refused ({refused / (taken + refused):.2%}), {len(provider.connected)} connections"
            )
            Path("docs", f"shaping-{habits.name}.svg").write_text(drawn(provider, rate))


if __name__ == "__main__":
    main()
