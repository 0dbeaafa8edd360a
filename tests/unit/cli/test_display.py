import io
import time

import pytest
from rich.console import Console

from campaign_cli.cli.display import Display, live_table
from campaign_cli.engine.progress import LaneProgress, Progress


@pytest.fixture(autouse=True)
def standing_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now)


def screen(lanes: list[LaneProgress], *, width: int = 80, height: int = 12) -> list[str]:
    """The live table's lines on a terminal of this size."""
    console = Console(width=width, height=height, force_terminal=True, color_system=None, file=io.StringIO())
    progress = Progress(started_at=time.time() - 60, lanes=lanes)
    console.print(live_table(progress, width=console.width, height=console.height))
    assert isinstance(console.file, io.StringIO)
    return [line.rstrip() for line in console.file.getvalue().splitlines()]


def waiting(provider: str) -> LaneProgress:
    return LaneProgress(
        provider,
        total=1_234_567,
        pace="1000/h",
        delivered=1_000_000,
        bounced=12_345,
        deferred=23_456,
        attempts=1_035_801,
        waiting_until=time.time() + 30.4,
        waiting_for="its budget",
    )


def test_while_lanes_wait_the_numbers_keep_their_width_and_the_last_column_shrinks() -> None:
    found = screen([waiting("a-provider-with-a-very-long-name.example.org"), waiting("gmail")])
    assert found[:3] == [
        "provider                       sent  bounced  deferred     left    per min",
        "a-provider-with-a-very-…  1,000,000   12,345    23,456  222,222  1,035,801  wai…",
        "gmail                     1,000,000   12,345    23,456  222,222  1,035,801  wai…",
    ]
    assert screen([waiting("gmail")], width=120)[1].endswith("1,035,801  waits 30 s for its budget (1000/h)")
    assert screen([waiting("gmail")], width=60)[:2] == [
        "provider       sent     left",
        "gmail     1,000,000  222,222  waits 30 s for its budget (10…",
    ]


@pytest.mark.parametrize(("height", "shown"), [(12, 7), (24, 15), (60, 15), (4, 1)])
def test_no_more_lanes_are_shown_than_fit_those_that_are_not_done_first(height: int, shown: int) -> None:
    lanes = [LaneProgress(f"p{number}", 10, "none", delivered=10, finished=number < 10) for number in range(20)]
    found = screen(lanes, height=height)
    order = [*range(10, 20), *range(10)]
    assert [line.split()[0] for line in found[1:-2]] == [f"p{number}" for number in order[:shown]]
    assert found[-2] == f"and {20 - shown} more providers, 0 left"
    assert found[-1].endswith("200 of 200")


@pytest.mark.parametrize("terminal", [True, False])
def test_what_is_busy_says_how_far_it_is_and_nothing_to_a_pipe(terminal: bool) -> None:
    said = io.StringIO()
    display = Display(quiet=False, json=False)
    display.console = Console(width=80, force_terminal=terminal, color_system=None, file=said)
    with display.busy("checking list.csv") as so_far:
        so_far("1,234 messages made")
    assert ("checking list.csv: 1,234 messages made ..." in said.getvalue()) is terminal
    assert bool(said.getvalue()) is terminal


def test_on_a_terminal_a_line_breaks_between_words_and_a_long_word_stays_whole() -> None:
    display = Display(quiet=False, json=False)
    for terminal, lines in ((True, ["report:", "a-very-long-name-of-a-report.csv", "in 2 s"]), (False, None)):
        said = io.StringIO()
        display.console = Console(width=20, force_terminal=terminal, color_system=None, file=said, soft_wrap=True)
        display.tell(line := "report: a-very-long-name-of-a-report.csv in 2 s")
        assert [each.rstrip() for each in said.getvalue().splitlines()] == (lines or [line])
