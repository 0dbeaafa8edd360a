import pytest
from hypothesis import given
from hypothesis import strategies as st

from campaign_cli.model.outcome import Outcome, Radius, Verdict
from campaign_cli.model.reply import Phase, Reply, Silence
from campaign_cli.policy.outcomes import classify

O, R = Outcome, Radius  # noqa: E741
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
    ("552 5.5.3 too many recipients", Phase.RCPT, O.DEFERRED, R.PROVIDER),
    ("550 5.7.28 unusual rate of mail", Phase.DOT, O.DEFERRED, R.PROVIDER),
    ("550 5.4.5 Daily user sending limit exceeded", Phase.RCPT, O.DEFERRED, R.PROVIDER),
    (
        "550 5.2.1 The user you are trying to contact is receiving email at a rate that",
        Phase.RCPT,
        O.DEFERRED,
        R.PROVIDER,
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
    assert classify(reply(text), phase) == Verdict(outcome, radius)


def test_silence_after_the_final_dot_is_uncertain_and_before_it_nothing() -> None:
    assert [classify(Silence("gone"), phase).outcome for phase in TRANSACTION] == [
        Outcome.RETURNED,
        Outcome.RETURNED,
        Outcome.RETURNED,
        Outcome.UNCERTAIN,
    ]


@given(code=st.integers(200, 599), enhanced=st.text(max_size=8), text=st.text(), phase=st.sampled_from(TRANSACTION))
def test_only_a_2yz_after_the_final_dot_delivers_and_no_reply_breaks_the_judgement(
    code: int, enhanced: str, text: str, phase: Phase
) -> None:
    outcome = classify(Reply(code, enhanced, text), phase).outcome
    assert (outcome is Outcome.DELIVERED) == (phase is Phase.DOT and 200 <= code <= 299)
    if 400 <= code <= 499:
        assert outcome in (Outcome.DEFERRED, Outcome.RETURNED)
    if outcome is Outcome.UNCERTAIN:
        assert phase is Phase.DOT
