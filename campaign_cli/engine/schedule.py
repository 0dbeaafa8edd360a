"""When a run may send at all, and to whom when: the campaign's hours, in its time zone or in each contact's."""

from __future__ import annotations

import json
from datetime import tzinfo
from functools import lru_cache
from zoneinfo import ZoneInfo

from campaign_cli.config.settings import Settings
from campaign_cli.model.recipient import Recipient
from campaign_cli.policy import hours


class Schedule:
    """Moments are UTC seconds. From `not_after` on nobody is sent to; None: there is no such moment."""

    def __init__(self, settings: Settings) -> None:
        self._hours = settings.window
        self._zone = settings.timezone
        self._column = settings.timezone_column
        self.not_after = settings.not_after

    @property
    def by_contact(self) -> bool:
        """Whether it may be sent to one and not to another."""
        return bool(self._hours and self._column)

    def opens(self, now: float) -> float:
        """When a run may next send to somebody: `now`, if it may."""
        return now if not self._hours or self.by_contact else hours.opens(self._hours, now, self._zone)

    def ends(self, now: float) -> tuple[float, str] | None:
        """When a run at `now` has to stop, and why; None: never."""
        ends = []
        if self._hours and not self.by_contact:
            ends.append((hours.closes(self._hours, now, self._zone), "its window is over"))
        if self.not_after is not None:
            ends.append((self.not_after, "it is not to be sent any more (not_after)"))
        return min(ends, default=None)

    def opens_for(self, recipient: Recipient, now: float) -> float:
        """When `recipient` may next be sent to: `now`, if they may."""
        return hours.opens(self._hours, now, self._zone_of(recipient.fields))

    def _zone_of(self, fields: str) -> tzinfo:
        """The contact's, else the campaign's: a name that is none is no reason to send at night."""
        return zone_named(str(json.loads(fields).get(self._column, "")).strip()) or self._zone

    def when_done(self, start: float, seconds: float) -> float:
        """When something that takes so long is done, if it rests outside of its hours. Contacts' own are not known."""
        if not self._hours or self.by_contact:
            return start + seconds
        return hours.when_done(self._hours, start, seconds, self._zone)


@lru_cache(maxsize=512)
def zone_named(name: str) -> tzinfo | None:
    """A time zone by its name in the tz database, `Europe/Berlin`; None: there is none."""
    try:
        return ZoneInfo(name)
    except (ValueError, OSError, LookupError):
        return None
