import itertools
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from campaign_cli.policy.hours import closes, opens, parse_hours, when_done

BERLIN = ZoneInfo("Europe/Berlin")
WORK = (parse_hours("Mon-Fri 09:00-18:00"),)
NIGHT = (parse_hours("Fri 22:00-06:00"),)


def berlin(text: str, fold: int = 0) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=BERLIN, fold=fold).timestamp()


def shown(moment: float) -> str:
    return datetime.fromtimestamp(moment, BERLIN).isoformat(timespec="minutes")


@pytest.mark.parametrize(
    ("now", "opened", "closed"),
    [
        ("2027-03-05T08:59", "2027-03-05T09:00+01:00", "2027-03-05T18:00+01:00"),
        ("2027-03-05T09:00", "2027-03-05T09:00+01:00", "2027-03-05T18:00+01:00"),
        ("2027-03-05T17:59", "2027-03-05T17:59+01:00", "2027-03-05T18:00+01:00"),
        ("2027-03-05T18:00", "2027-03-08T09:00+01:00", "2027-03-08T18:00+01:00"),
        # The clock is put forward on Sunday, 28 March.
        ("2027-03-26T18:00", "2027-03-29T09:00+02:00", "2027-03-29T18:00+02:00"),
    ],
)
def test_working_hours_are_open_from_their_first_minute_to_their_last(now: str, opened: str, closed: str) -> None:
    assert (shown(opens(WORK, berlin(now), BERLIN)), shown(closes(WORK, berlin(now), BERLIN))) == (opened, closed)


def test_hours_that_end_before_they_begin_go_on_into_the_next_day() -> None:
    assert shown(opens(NIGHT, berlin("2027-03-06T05:59"), BERLIN)) == "2027-03-06T05:59+01:00"
    assert shown(opens(NIGHT, berlin("2027-03-06T06:00"), BERLIN)) == "2027-03-12T22:00+01:00"


def test_an_hour_that_the_clock_shows_twice_is_open_both_times_and_one_that_it_leaves_out_not_at_all() -> None:
    early = (parse_hours("02:00-03:00"),)
    # 31 October 2027: 02:00 to 03:00 comes twice.
    before = berlin("2027-10-31T01:30")
    assert closes(early, before, BERLIN) - opens(early, before, BERLIN) == 7200
    # 28 March 2027: it does not come.
    assert shown(opens(early, berlin("2027-03-28T01:00"), BERLIN)) == "2027-03-29T02:00+02:00"


def test_hours_that_touch_or_overlap_are_one() -> None:
    together = (parse_hours("Mon 08:00-12:00"), parse_hours("Mon 12:00-13:00"), parse_hours("Mon 10:00-11:00"))
    assert shown(closes(together, berlin("2027-03-08T09:00"), BERLIN)) == "2027-03-08T13:00+01:00"


def test_all_hours_of_all_days_never_close() -> None:
    now = berlin("2027-03-08T09:00")
    for text in ("00:00-24:00", "Mon-Sun 00:00-24:00"):
        always = (parse_hours(text),)
        assert (opens(always, now, BERLIN), closes(always, now, BERLIN)) == (now, float("inf"))
        assert when_done(always, now, 1e7, BERLIN) == now + 1e7


def test_what_takes_longer_than_a_window_goes_on_in_the_next() -> None:
    friday = berlin("2027-03-05T17:00")
    assert shown(when_done(WORK, friday, 3600.0, BERLIN)) == "2027-03-05T18:00+01:00"
    assert shown(when_done(WORK, friday, 3 * 3600.0, BERLIN)) == "2027-03-08T11:00+01:00"
    assert shown(when_done(WORK, berlin("2027-03-06T12:00"), 0.0, BERLIN)) == "2027-03-08T09:00+01:00"


@pytest.mark.parametrize(
    "text",
    [
        *("", "9-18", "Mon-Fri", "Mon-Fri 09:00", "Mon-Fri 09:00-25:00", "24:00-06:00", "09:60-10:00", "09:00-09:00"),
        *("Yon 09:00-10:00", "Mon-Wed-Fri 09:00-10:00", "Mon, 09:00-10:00", "Mo-Fr 09:00-10:00"),
    ],
)
def test_what_is_no_window_is_said(text: str) -> None:
    with pytest.raises(ValueError, match=r"is not a (window|day)"):
        parse_hours(text)


def test_days_are_ranges_lists_and_full_names() -> None:
    assert parse_hours("Fri-Mon 1:00-2:00").days == {4, 5, 6, 0}
    assert parse_hours("monday, Wed-thursday 01:00-02:00").days == {0, 2, 3}
    assert parse_hours("01:00-02:00").days == set(range(7))


ZONES = st.sampled_from(["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu"])
MINUTES = st.integers(0, 24 * 4 - 1).map(lambda quarter: f"{quarter // 4:02d}:{quarter % 4 * 15:02d}")
DAYS = st.sampled_from(["", "Mon-Fri ", "Sat ", "Sun-Tue "])
TEXTS = st.tuples(DAYS, MINUTES, MINUTES).filter(lambda text: text[1] != text[2])


@given(st.lists(TEXTS, min_size=1, max_size=3), ZONES, st.integers(0, 366 * 24 * 4))
def test_it_is_open_just_when_a_clock_of_the_zone_shows_one_of_the_hours(
    texts: list[tuple[str, str, str]], zone: str, quarter: int
) -> None:
    several = [parse_hours(f"{days}{start}-{end}") for days, start, end in texts]
    moment = datetime(2027, 1, 1, tzinfo=UTC) + quarter * timedelta(minutes=15)
    local = moment.astimezone(ZoneInfo(zone))
    minute = local.hour * 60 + local.minute
    expected = any(
        (local.weekday() - days_ago) % 7 in hours.days and hours.start <= minute + days_ago * 1440 < hours.end
        for hours, days_ago in itertools.product(several, (0, 1))
    )
    now = moment.timestamp()
    opened, closed = opens(several, now, local.tzinfo or UTC), closes(several, now, local.tzinfo or UTC)
    assert (opened == now) == expected
    assert now <= opened < closed
    last = min(closed, now + 10 * 86400.0) - 1
    assert opens(several, last, local.tzinfo or UTC) == last
