from campaign_cli.model.spelling import did_you_mean


def test_the_nearest_is_asked_after_and_nothing_where_none_is_near() -> None:
    known = {"from": 1, "reply_to": 2}
    assert did_you_mean("frm", known) == "did you mean 'from'?"
    assert did_you_mean("xyz", known) == did_you_mean("frm", []) == ""
    assert did_you_mean("fo", known) == "did you mean 'from'?"
    assert did_you_mean("fo", known, near=0.75) == ""
