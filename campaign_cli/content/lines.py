"""The lines of a template: its subject and its headers, each a template of its own, and the keys it may have."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import jinja2

from campaign_cli.content.attachments import Pattern
from campaign_cli.content.frontmatter import LISTS, TREES, Entry
from campaign_cli.content.locales import parse_locale
from campaign_cli.content.manuscript import SUBJECT, Manuscript
from campaign_cli.content.rendering import Renderer, said
from campaign_cli.content.sources import mended
from campaign_cli.model.errors import ComposeError, TemplateError
from campaign_cli.model.spelling import did_you_mean

OWN_KEYS = ("subject", "from", "reply_to", "preheader", "inline_css", "locale", *LISTS, *TREES)
"""Keys of the front matter that are not headers by their own name."""

MADE_HERE = re.compile(
    r"from|to|cc|bcc|subject|date|message-id|reply-to|sender|return-path|received|mime-version|content-.*|resent-.*"
    r"|dkim-signature",
    re.IGNORECASE,
)
"""Headers that a template may not set: they are made for each message, or would send it to others."""

_HEADER_NAME = re.compile(r"[A-Z][A-Za-z0-9-]*")

_VARIANT = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,39}")
"""A variant's name: it stands in reports and in links as it is."""

HEAVIEST = 1_000_000.0
"""A weight: beyond it nobody shares anything out."""


@dataclass(frozen=True, slots=True)
class Line:
    """A template of one line. `same` is its text where that is the same for everybody."""

    name: str
    place: str
    renderer: Renderer
    source: str
    same: str | None

    def pieces(self, names: dict[str, Any]) -> list[str]:
        """The line for one contact in pieces, whose fields are among `names`. Raises ComposeError."""
        try:
            return self.renderer.pieces(names)
        except Exception as error:
            raise ComposeError(f"{self.place}: {self.name}: {said(error)}") from None

    def text(self, names: dict[str, Any]) -> str:
        """The line for one contact, whose fields are among `names`. Raises ComposeError."""
        return "".join(self.pieces(names)).strip(" ") if self.same is None else self.same


@dataclass(frozen=True, slots=True)
class Variant:
    """One of the forms that a campaign's message has: where it stands, its subject, and its share beside the others."""

    place: str
    subject: Line
    weight: float


class Lines:
    """Makes a template's lines. All that raise TemplateError tell the line's place."""

    def __init__(self, manuscript: Manuscript, environment: jinja2.Environment) -> None:
        self._manuscript = manuscript
        self._environment = environment
        self._entries = {entry.key: entry for entry in manuscript.entries}
        findings = [
            f"{manuscript.place(entry)}: {wrong}" for entry in manuscript.entries if (wrong := _wrong_key(entry.key))
        ]
        if findings:
            raise TemplateError("\n".join(findings))

    def fixed(self, key: str) -> str | None:
        """What is the same in every message."""
        entry = self._entries.get(key)
        if entry is None:
            return None
        if "{{" in entry.text or "{%" in entry.text:
            place = self._manuscript.place(entry)
            raise TemplateError(f"{place}: {entry.key} is the same in every message; take the {{{{ }}}} out")
        return entry.text

    def flag(self, key: str) -> bool | None:
        """What is true or false; None where the template does not say."""
        entry = self._entries.get(key)
        if entry is None:
            return None
        if entry.text.lower() not in ("true", "false"):
            raise TemplateError(f"{self._manuscript.place(entry)}: {key} must be true or false")
        return entry.text.lower() == "true"

    def attachments(self) -> tuple[Pattern, ...]:
        """The files that go with messages."""
        entry = self._entries.get("attachments")
        head = self._manuscript.head
        return tuple([Pattern(text, f"{head}:{line}", head.parent) for text, line in (entry.items if entry else ())])

    def locale(self) -> str | None:
        """The locale in which dates and numbers are written; None where the template does not say."""
        text = self.fixed("locale")
        if text:
            try:
                parse_locale(text)
            except ValueError as error:
                raise TemplateError(f"{self._manuscript.place(self._entries['locale'])}: locale: {error}") from None
        return text or None

    def preheader(self, environment: jinja2.Environment) -> Line | None:
        """What inboxes show beside the subject, compiled by `environment`; None where the template has none."""
        entry = self._entries.get("preheader")
        if entry is None or not entry.text:
            return None
        return self._line("preheader", self._manuscript.place(entry), entry.text, environment)

    def subject(self, given: str | None) -> Line:
        """The subject: the one `given`, else the template's. Without any its source is empty."""
        own = self._own_subject()
        return self._line("Subject", *(own if given is None else ("--subject", given)))

    def variants(self, given: str | None) -> dict[str, Variant]:
        """The variants by their names, in their order. A subject that is `given` is that of all."""
        entry = self._entries.get("variants")
        findings: list[str] = []
        found = {each.key: self._variant(each, given, findings) for each in (entry.below if entry else ())}
        if entry and not found:
            findings.append(f"{self._manuscript.place(entry)}: variants: there is none: give each its name and subject")
        if findings:
            raise TemplateError("\n".join(findings))
        return found

    def _variant(self, entry: Entry, given: str | None, findings: list[str]) -> Variant:
        """One variant; what is wrong with it goes to `findings`."""
        manuscript, place, weight = self._manuscript, self._manuscript.place(entry), 1.0
        subject = (place, entry.text) if entry.text else self._own_subject()
        if not _VARIANT.fullmatch(entry.key):
            findings.append(f"{place}: variants: {entry.key!r} cannot be a name: use letters, digits, _ . and -")
        for each in entry.below:
            if each.key == "subject":
                subject = manuscript.place(each), each.text
            elif each.key == "weight":
                weight = _weight(each.text)
                if not 0 < weight <= HEAVIEST:
                    findings.append(
                        f"{manuscript.place(each)}: variants: {entry.key}: {each.text!r} cannot be a weight: "
                        "it is a number above 0, such as 2 or 0.5"
                    )
            else:
                findings.append(
                    f"{manuscript.place(each)}: variants: {entry.key}: {each.key!r} is not understood: "
                    "there are subject and weight"
                )
        if given is None and not subject[1]:
            findings.append(f"{place}: variants: {entry.key} has no subject: give it one, or a subject to all")
        return Variant(place, self._line("Subject", *(subject if given is None else ("--subject", given))), weight)

    def _own_subject(self) -> tuple[str, str]:
        manuscript, entry = self._manuscript, self._entries.get("subject")
        if manuscript.subject is None:
            return (manuscript.place(entry), entry.text) if entry else (str(manuscript.path), "")
        if entry:
            raise TemplateError(f"{manuscript.place(entry)}: subject: there is {SUBJECT} as well; take one of them out")
        return f"{manuscript.path / SUBJECT}:1", manuscript.subject

    def headers(self, list_unsubscribe: str | None, given: tuple[tuple[str, str], ...]) -> tuple[Line, ...]:
        """The headers; what is given wins over what the template has."""
        lines = {
            entry.key.lower(): self._line(entry.key, self._manuscript.place(entry), entry.text)
            for entry in self._manuscript.entries
            if entry.key not in OWN_KEYS
        }
        for name, text in given:
            if wrong := _wrong_header(name):
                raise TemplateError(f"headers: {name}: {wrong}")
            lines[name.lower()] = self._line(name, f"headers: {name}", text)
        if list_unsubscribe is not None:
            text = list_unsubscribe if "<" in list_unsubscribe else f"<{list_unsubscribe}>"
            lines["list-unsubscribe"] = self._line("List-Unsubscribe", "list_unsubscribe", text)
        return tuple(lines.values())

    def _line(self, name: str, place: str, source: str, environment: jinja2.Environment | None = None) -> Line:
        same = None if "{" in source else source.strip(" ")
        try:
            return Line(name, place, Renderer((environment or self._environment).from_string(source)), source, same)
        except jinja2.TemplateError as error:
            raise TemplateError(f"{place}: {mended(error)}") from None


def _weight(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return 0.0


def _wrong_key(key: str) -> str | None:
    """What is wrong with a key of the front matter."""
    if key in OWN_KEYS:
        return None
    if hint := did_you_mean(key.lower().replace("-", "_"), OWN_KEYS, near=0.75):
        return f"{key!r} is not a key of the front matter; {hint}"
    return _wrong_header(key)


def _wrong_header(name: str) -> str | None:
    if MADE_HERE.fullmatch(name):
        return f"{name} is made for each message; take it out"
    if not _HEADER_NAME.fullmatch(name):
        return (
            f"{name!r} is not a key of the front matter; there are {', '.join(OWN_KEYS)}, and "
            "headers by their names, such as X-Newsletter"
        )
    return None
