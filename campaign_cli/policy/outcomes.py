"""What the answer that ended a transaction means: for its recipient, and how far beyond.

What an answer says is its class; one table says what follows from each. Rules, which are data, find the class. What
the phase and the reply code's first digit (RFC 5321 4.2.1) rule out, no rule can bring about.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import NamedTuple

from campaign_cli.model.outcome import Action, Outcome, Radius, ReplyClass, Verdict
from campaign_cli.model.reply import Answer, Phase, Reply, Silence
from campaign_cli.policy.patterns import Pattern


class Meaning(NamedTuple):
    """What follows from a class, and the class in words."""

    outcome: Outcome
    radius: Radius
    action: Action
    words: str


O, R, A, C = Outcome, Radius, Action, ReplyClass  # noqa: E741

CLASSES: dict[ReplyClass, Meaning] = {
    C.DELIVERED: Meaning(O.DELIVERED, R.RECIPIENT, A.DONE, "the server took it"),
    C.UNKNOWN_USER: Meaning(O.BOUNCED, R.RECIPIENT, A.SUPPRESS, "there is no such mailbox"),
    C.DISABLED: Meaning(O.BOUNCED, R.RECIPIENT, A.SUPPRESS, "the mailbox is disabled or abandoned"),
    C.BAD_DOMAIN: Meaning(O.BOUNCED, R.RECIPIENT, A.SUPPRESS, "the domain takes no mail"),
    C.CLOSED: Meaning(O.BOUNCED, R.RECIPIENT, A.GIVE_UP, "the mailbox takes no mail from outside"),
    C.MAILBOX_FULL: Meaning(O.BOUNCED, R.RECIPIENT, A.GIVE_UP, "the mailbox is full"),
    C.MAILBOX_RATE: Meaning(O.DEFERRED, R.RECIPIENT, A.RETRY, "the mailbox gets too much mail just now"),
    C.REFUSED: Meaning(O.BOUNCED, R.RECIPIENT, A.GIVE_UP, "the recipient is refused, no more is known"),
    C.GREYLISTED: Meaning(O.DEFERRED, R.RECIPIENT, A.RETRY, "the server wants to be asked again"),
    C.TEMPORARY: Meaning(O.DEFERRED, R.RECIPIENT, A.RETRY, "not now, no more is known"),
    C.POLICY: Meaning(O.DEFERRED, R.RECIPIENT, A.RETRY, "a rule of the receiver, nothing about the mailbox"),
    C.TOO_BIG: Meaning(O.BOUNCED, R.MESSAGE, A.GIVE_UP, "the message is too big"),
    C.REFUSED_MESSAGE: Meaning(O.BOUNCED, R.MESSAGE, A.GIVE_UP, "the message is refused, no more is known"),
    C.BUSY: Meaning(O.DEFERRED, R.SESSION, A.RETRY, "the server is busy or in trouble"),
    C.PROTOCOL: Meaning(O.DEFERRED, R.SESSION, A.RETRY, "the server did not understand a command"),
    C.RATE: Meaning(O.DEFERRED, R.PROVIDER, A.SLOW, "too fast, too many, or too many connections"),
    C.REPUTATION: Meaning(O.DEFERRED, R.PROVIDER, A.SLOW, "the sending host or domain is not trusted"),
    C.RELAY_QUOTA: Meaning(O.RETURNED, R.ROUTE, A.SWITCH, "the relay's own quota is used up"),
    C.RELAY_LOGIN: Meaning(O.RETURNED, R.ROUTE, A.SWITCH, "the relay wants another login, or TLS"),
    C.RELAY_DENIED: Meaning(O.RETURNED, R.ROUTE, A.SWITCH, "the relay does not relay for us"),
    C.SENDER: Meaning(O.RETURNED, R.ROUTE, A.SWITCH, "the sender's address, or we, are refused"),
    C.AUTHENTICATION: Meaning(O.DEFERRED, R.CAMPAIGN, A.STOP, "SPF, DKIM, DMARC, reverse DNS or TLS is missing"),
    C.FORMAT: Meaning(O.DEFERRED, R.CAMPAIGN, A.STOP, "the message breaks RFC 5322"),
    C.CONTENT: Meaning(O.DEFERRED, R.CAMPAIGN, A.STOP, "the content, a link or an attachment is refused"),
    C.LOST: Meaning(O.RETURNED, R.SESSION, A.RETRY, "no answer, or one that makes no sense"),
}
"""What follows from each class of a reply. A 4yz never bounces: what would is deferred."""

DELIVERED = Verdict(C.DELIVERED, O.DELIVERED, R.RECIPIENT, A.DONE, "2yz")
LOST = Verdict(C.LOST, O.RETURNED, R.SESSION, A.RETRY, "no-reply")
UNCERTAIN = Verdict(C.LOST, O.UNCERTAIN, R.SESSION, A.GIVE_UP, "no-reply")
"""After the final dot nobody knows (RFC 1047)."""

ABOUT_RECIPIENT = frozenset({Phase.RCPT, Phase.DATA, Phase.DOT})
"""The phases in which a server knows the recipient. What it says before is about us."""

DOT = Phase.DOT
"""By a name of its own it costs less: every delivery asks for it."""

REMEMBERED = 256
"""Refusals that are kept as they were read: a server says the same few to many, and to read one takes a tenth of a
millisecond."""

NARROW = frozenset({R.RECIPIENT, R.MESSAGE})


@dataclass(frozen=True, slots=True)
class Rule:
    """Reads a reply that fits all it names (`patterns.Described`) as `reply_class`.

    `source` says where it is from: a URL, an RFC's section, or the user's file and line.
    """

    id: str
    reply_class: ReplyClass
    source: str
    text: str = ""
    provider: str = ""
    enhanced: tuple[str, ...] = ()
    codes: tuple[str, ...] = ()
    phases: tuple[Phase, ...] = ()

    @property
    def rank(self) -> int:
        """Rules are asked in this order: provider and text, provider, text, enhanced code, code with phase."""
        if self.provider:
            return 0 if self.text else 1
        return 2 if self.text else 3 if self.enhanced else 4


LAST = (
    Rule("4yz", C.TEMPORARY, "RFC 5321 4.2.1", codes=("4yz",)),
    Rule("5yz-rcpt", C.REFUSED, "RFC 5321 4.2.1", codes=("5yz",), phases=(Phase.RCPT,)),
    Rule("5yz-content", C.REFUSED_MESSAGE, "RFC 5321 4.2.5", codes=("5yz",), phases=(Phase.DATA, Phase.DOT)),
    Rule("5yz-us", C.SENDER, "RFC 5321 3.3", codes=("5yz",)),
)
"""What is left when no rule fits: the first digit decides."""


class _Compiled(NamedTuple):
    rule: Rule
    pattern: Pattern


class Replies:
    """Reads replies by rules; of those of one rank the first that fits decides, so the user's go first."""

    def __init__(self, rules: Iterable[Rule] = ()) -> None:
        self._given = rules
        self._refusal = lru_cache(maxsize=REMEMBERED)(self._read)

    @cached_property
    def _rules(self) -> Sequence[Rule]:
        return (*sorted(self._given, key=lambda rule: rule.rank), *LAST)

    def source(self, rule_id: str) -> str:
        """Where the rule with this id is from."""
        return next((rule.source for rule in self._rules if rule.id == rule_id), "RFC 5321 4.2.1")

    @cached_property
    def _compiled(self) -> Sequence[_Compiled]:
        """Only when there is a refusal to read: most runs of most commands have none."""
        return [_Compiled(rule, Pattern.of(rule)) for rule in self._rules]

    @cached_property
    def _by_provider(self) -> dict[str, Sequence[_Compiled]]:
        """The rules to ask for each provider that has some of its own, and under "" for all others."""
        names = {each.rule.provider for each in self._compiled}
        return {name: [each for each in self._compiled if each.rule.provider in ("", name)] for name in {"", *names}}

    def classify(self, answer: Answer, phase: Phase, provider: str = "") -> Verdict:
        """What `answer`, the last of a transaction with `provider`, means for its recipient.

        After the final dot, 2yz is delivered (the server took it; not that it reached an inbox); silence, or a reply
        that cannot stand there, is uncertain (RFC 1047). Before it nothing was handed over: silence returns the
        recipient as it was. Never raises: an unknown reply is judged by its code's first digit.
        """
        if isinstance(answer, Silence):
            return UNCERTAIN if phase is DOT else LOST
        code = answer.code
        if code < 300 and phase is DOT:
            return DELIVERED
        if code < 400:
            return UNCERTAIN if phase is DOT else LOST
        return self._refusal(answer, phase, provider)

    def _read(self, answer: Reply, phase: Phase, provider: str) -> Verdict:
        rules = self._by_provider.get(provider) or self._by_provider[""]
        lowered = answer.text.lower()
        rule = next(each.rule for each in rules if each.pattern.fits(answer, lowered, phase))
        return _verdict(rule, answer, phase)


def _verdict(rule: Rule, reply: Reply, phase: Phase) -> Verdict:
    """What follows from the rule's class, within what code and phase allow."""
    permanent = reply.code >= 500
    reply_class = rule.reply_class
    about_us = phase not in ABOUT_RECIPIENT
    size_at_mail = reply_class is C.TOO_BIG and phase is Phase.MAIL
    if permanent and about_us and CLASSES[reply_class].radius in NARROW and not size_at_mail:
        # Nobody was named yet: a refusal there must never mark a recipient as bad. Only the size was said with MAIL.
        reply_class = C.SENDER
    outcome, radius, action, _ = CLASSES[reply_class]
    if not permanent and outcome is O.BOUNCED:
        outcome, action = O.DEFERRED, A.RETRY
    if action is A.SUPPRESS and reply.enhanced.startswith("5.7."):
        # Security or policy (RFC 3463 3.8), whatever the text says of the mailbox.
        action = A.GIVE_UP
    if reply.code == 421 and radius in NARROW:
        # It closes the session, whatever it answers (RFC 5321 3.8).
        radius = R.SESSION
    if about_us and outcome is O.DEFERRED and (reply.code == 421 or (radius is R.SESSION and not permanent)):
        outcome = O.RETURNED
    return Verdict(reply_class, outcome, radius, action, rule.id)
