"""The wall clock is set under the program's feet, by libfaketime. In the long form only, which unpacks it."""

import os

import pytest

from tests.crash.test_limits import JUMPS, limited, most_when_it_went_on


@pytest.mark.parametrize("seconds", JUMPS)
def test_no_clock_that_the_system_sets_frees_budget_or_makes_anybody_have_it_twice(
    make_scene, figures, seconds
) -> None:
    scene = limited(make_scene, 5, 50, patience="2s")
    scene.write_list([f"{'defer+' if n % 10 == 0 else ''}p{n}@example.org" for n in range(120)])
    clock = scene.folder / "clock"
    clock.write_text("+0\n")
    run = scene.start(
        "--max-runtime",
        "30s",
        LD_PRELOAD=os.environ["CRASH_LIBFAKETIME"],
        FAKETIME_TIMESTAMP_FILE=str(clock),
        FAKETIME_NO_CACHE="1",
        # Elapsed time and the boot clock go on: nobody sets those.
        FAKETIME_DONT_FAKE_MONOTONIC="1",
    )
    assert scene.oracle.wait("taken 20", run)
    clock.write_text(f"{seconds:+}\n")
    figures("clocks, by libfaketime")[f"{seconds:+} s"] = most_when_it_went_on(scene, run.end())
