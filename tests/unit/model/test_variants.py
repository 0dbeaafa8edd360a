"""Who gets which variant: laws."""

from collections import Counter
from math import sqrt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from campaign_cli.model.variants import Split, split_of

KEYS = [f"p{number}@example.org" for number in range(10_000)]
NAMES = st.text("abcdefgh_.-0", min_size=1, max_size=10)
WEIGHTS = st.floats(0.001, 1000)
SPLITS = st.builds(Split, NAMES, st.dictionaries(NAMES, WEIGHTS, min_size=1, max_size=6).map(lambda d: (*d.items(),)))


def test_who_got_what_in_an_earlier_release_is_still_known() -> None:
    """A change of the hash would make reports say what was not sent."""
    split = Split("spring", (("a", 1.0), ("b", 2.0), ("c", 0.5)))
    assert "".join(map(split.variant_of, KEYS[:40])) == "baabcaabbacaaaababcabcbbbcabbcaabaababbb"


@pytest.mark.parametrize(
    "weights", [{"a": 1, "b": 1}, {"a": 1, "b": 3}, {"a": 0.2, "b": 0.3, "c": 1.5}, {"x": 9, "y": 1}]
)
def test_each_variant_gets_its_share(weights: dict[str, float]) -> None:
    counts = Counter(map(Split("spring", tuple(weights.items())).variant_of, KEYS))
    for name, weight in weights.items():
        share = weight / sum(weights.values())
        # Five standard deviations: less than one in a million where chance decides, and here it is always the same.
        assert abs(counts[name] - share * len(KEYS)) < 5 * sqrt(len(KEYS) * share * (1 - share))


def test_campaigns_share_their_recipients_out_independently() -> None:
    """Or the same half would get what is new every time."""
    weights = (("a", 1.0), ("b", 1.0))
    one, other = Split("spring", weights), Split("summer", weights)
    same = sum(one.variant_of(key) == other.variant_of(key) for key in KEYS)
    assert abs(same - len(KEYS) / 2) < 5 * sqrt(len(KEYS) / 4)


@given(SPLITS, st.text(max_size=20), st.randoms(use_true_random=False))
def test_it_depends_on_no_order_and_is_the_same_after_it_was_written_down(split, key, random) -> None:
    others = random.sample(split.weights, len(split.weights))
    chosen = split.variant_of(key)
    assert chosen == Split(split.campaign, tuple(others)).variant_of(key)
    written = split_of(split.text)
    assert written is not None
    assert (written.variant_of(key), written.text) == (chosen, split.text)


@given(SPLITS, NAMES, WEIGHTS)
def test_a_variant_that_is_added_or_taken_out_moves_nobody_between_others(split, name, weight) -> None:
    more = Split(split.campaign, tuple((dict(split.weights) | {name: weight}).items()))
    for key in KEYS[:50]:
        before, after = split.variant_of(key), more.variant_of(key)
        assert before == after or name in (before, after)


def test_without_variants_there_is_no_split() -> None:
    assert split_of("") is None
