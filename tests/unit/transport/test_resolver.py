import asyncio
import os
import socket
from collections.abc import Callable

import pytest
import uvloop

from campaign_cli.model.dns import Dns
from campaign_cli.transport.resolver import Resolver


def open_files() -> int:
    return len(os.listdir("/proc/self/fd"))


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="only Linux says which files are open")
@pytest.mark.parametrize("new_loop", [asyncio.new_event_loop, uvloop.new_event_loop])
def test_a_question_that_is_cancelled_at_whatever_moment_leaves_no_socket_open(
    new_loop: Callable[[], asyncio.AbstractEventLoop],
) -> None:
    async def cancelled_after(turns: int, port: int) -> None:
        before = open_files()
        asking = asyncio.create_task(Resolver(Dns((("127.0.0.1", port),))).addresses("somewhere.test"))
        for _ in range(turns):
            await asyncio.sleep(0)
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        for _ in range(5):
            await asyncio.sleep(0)
        assert open_files() == before, turns

    async def main(port: int) -> None:
        for turns in range(12):
            await cancelled_after(turns, port)

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 0))
        with asyncio.Runner(loop_factory=new_loop) as runner:
            runner.run(main(silent.getsockname()[1]))
