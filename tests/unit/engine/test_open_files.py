import resource
from collections.abc import Callable

import pytest

from campaign_cli.engine import open_files as module
from campaign_cli.engine.open_files import sessions_allowed
from campaign_cli.model.errors import ResourceError

UNLIMITED = resource.RLIM_INFINITY

Limits = tuple[int, int]


@pytest.fixture
def limit(monkeypatch: pytest.MonkeyPatch) -> Callable[[int, int], list[Limits]]:
    """Sets the limits as they are at the beginning; the last of what is returned is what they are in the end."""

    def limit(soft: int, hard: int) -> list[Limits]:
        limits = [(soft, hard)]
        monkeypatch.setattr(module, "getrlimit", lambda _: limits[-1])
        monkeypatch.setattr(module, "setrlimit", lambda _, to: limits.append(to))
        return limits

    return limit


@pytest.mark.parametrize(
    ("soft", "hard", "raised", "allowed"),
    [
        (1024, 1024, 1024, 100),
        (100, UNLIMITED, 264, 100),
        (100, 4096, 264, 100),
        (100, 200, 200, 68),
        (66, 66, 66, 1),
        (UNLIMITED, UNLIMITED, UNLIMITED, 100),
    ],
)
def test_the_limit_is_raised_as_far_as_it_may_be_and_sessions_keep_to_it(
    limit, soft: int, hard: int, raised: int, allowed: int
) -> None:
    limits = limit(soft, hard)
    assert sessions_allowed(100) == allowed
    assert limits[-1] == (raised, hard)


def test_too_few_for_a_single_session_are_told_with_what_to_do(limit) -> None:
    limit(65, 65)
    with pytest.raises(ResourceError, match="only 65 files may be open at once, and sending needs 66: raise"):
        sessions_allowed(100)
