import pytest
from hypothesis import given
from hypothesis import strategies as st

from campaign_cli.config.replies import shipped_rules
from campaign_cli.model.outcome import Action, Outcome, Radius, ReplyClass
from campaign_cli.model.reply import Phase, Reply, Silence
from campaign_cli.policy.outcomes import CLASSES, Replies, Rule

O, R = Outcome, Radius  # noqa: E741
REPLIES = Replies(shipped_rules())
TRANSACTION = [Phase.MAIL, Phase.RCPT, Phase.DATA, Phase.DOT]

CASES = [
    ("250 2.0.0 OK", Phase.DOT, O.DELIVERED, R.RECIPIENT),
    ("251 2.1.5 forwarded", Phase.DOT, O.DELIVERED, R.RECIPIENT),
    ("451 4.3.0 try later", Phase.DOT, O.DEFERRED, R.RECIPIENT),
    ("421 4.7.0 closing", Phase.DOT, O.DEFERRED, R.SESSION),
    ("552 5.3.4 too big", Phase.DOT, O.BOUNCED, R.MESSAGE),
    ("354 go on", Phase.DOT, O.UNCERTAIN, R.SESSION),
    ("550 5.1.1 no such user", Phase.RCPT, O.BOUNCED, R.RECIPIENT),
    ("552 5.2.2 mailbox full", Phase.RCPT, O.BOUNCED, R.RECIPIENT),
    ("450 4.2.1 busy", Phase.RCPT, O.DEFERRED, R.RECIPIENT),
    ("421 4.3.2 shutting down", Phase.RCPT, O.DEFERRED, R.SESSION),
    ("421 4.3.2 shutting down", Phase.MAIL, O.RETURNED, R.SESSION),
    ("452 4.5.3 Too many recipients: Too many messages sent", Phase.MAIL, O.RETURNED, R.SESSION),
    ("452 4.3.1 Insufficient system storage", Phase.RCPT, O.DEFERRED, R.SESSION),
    ("552 5.5.3 too many recipients", Phase.RCPT, O.DEFERRED, R.RECIPIENT),
    ("550 5.7.28 unusual rate of mail", Phase.DOT, O.DEFERRED, R.PROVIDER),
    ("550 5.4.5 Daily user sending limit exceeded", Phase.RCPT, O.RETURNED, R.ROUTE),
    (
        "550 5.2.1 The user you are trying to contact is receiving email at a rate that",
        Phase.RCPT,
        O.DEFERRED,
        R.RECIPIENT,
    ),
    ("554 5.7.1 <a@b.example>: Relay access denied", Phase.RCPT, O.RETURNED, R.ROUTE),
    ("530 5.7.0 Authentication required", Phase.MAIL, O.RETURNED, R.ROUTE),
    ("550 5.7.1 sender rejected", Phase.MAIL, O.RETURNED, R.ROUTE),
    ("552 5.3.4 message too big", Phase.MAIL, O.BOUNCED, R.MESSAGE),
    ("554 5.5.1 no valid recipients", Phase.DATA, O.BOUNCED, R.MESSAGE),
    ("250 2.0.0 what?", Phase.DATA, O.RETURNED, R.SESSION),
]


def reply(text: str) -> Reply:
    code, enhanced, words = text.split(" ", 2)
    return Reply(int(code), enhanced, words)


@pytest.mark.parametrize(("text", "phase", "outcome", "radius"), CASES)
def test_a_reply_means_what_the_rfcs_and_the_providers_say(text: str, phase: Phase, outcome: O, radius: R) -> None:
    verdict = REPLIES.classify(reply(text), phase)
    assert (verdict.outcome, verdict.radius) == (outcome, radius)


def test_silence_after_the_final_dot_is_uncertain_and_before_it_nothing() -> None:
    assert [REPLIES.classify(Silence("gone"), phase).outcome for phase in TRANSACTION] == [
        Outcome.RETURNED,
        Outcome.RETURNED,
        Outcome.RETURNED,
        Outcome.UNCERTAIN,
    ]


@given(code=st.integers(200, 599), enhanced=st.text(max_size=8), text=st.text(), phase=st.sampled_from(TRANSACTION))
def test_only_a_2yz_after_the_final_dot_delivers_and_no_reply_breaks_the_judgement(
    code: int, enhanced: str, text: str, phase: Phase
) -> None:
    outcome = REPLIES.classify(Reply(code, enhanced, text), phase).outcome
    assert (outcome is Outcome.DELIVERED) == (phase is Phase.DOT and 200 <= code <= 299)
    if 400 <= code <= 499:
        assert outcome in (Outcome.DEFERRED, Outcome.RETURNED)
    if outcome is Outcome.UNCERTAIN:
        assert phase is Phase.DOT


ANY_CLASS = st.sampled_from([*CLASSES])


@given(
    reply_class=ANY_CLASS,
    code=st.integers(400, 599),
    enhanced=st.sampled_from(["", "5.1.1", "5.7.1", "5.7.17"]),
    phase=st.sampled_from(Phase),
)
def test_whatever_a_rule_says_nobody_is_suppressed_for_what_cannot_be_about_them(
    reply_class: ReplyClass, code: int, enhanced: str, phase: Phase
) -> None:
    rules = [Rule("mine", reply_class, "here", codes=("4yz", "5yz"))]
    verdict = Replies(rules).classify(Reply(code, enhanced, "no"), phase)
    if code < 500 or phase not in (Phase.RCPT, Phase.DATA, Phase.DOT):
        assert not verdict.suppress
        assert verdict.outcome is not Outcome.BOUNCED or (verdict.reply_class, phase) == ("too-big", Phase.MAIL)
    if enhanced.startswith("5.7."):
        assert not verdict.suppress
    assert verdict.suppress == (verdict.action is Action.SUPPRESS)


def test_what_a_class_means_is_told_for_every_class() -> None:
    assert set(CLASSES) == set(ReplyClass)
    assert all((each.action is Action.STOP) == (each.radius is Radius.CAMPAIGN) for each in CLASSES.values())
    assert all((each.action is Action.SWITCH) == (each.radius is Radius.ROUTE) for each in CLASSES.values())
    assert all((each.action is Action.SLOW) == (each.radius is Radius.PROVIDER) for each in CLASSES.values())
