"""What `campaign check` looks for: every rule with its severity, what to do, and who says so. docs/check.md is this."""

from __future__ import annotations

from dataclasses import dataclass

from campaign_cli.model.finding import Severity

ERROR, WARNING = Severity.ERROR, Severity.WARNING

GMAIL = "https://support.google.com/a/answer/81126"
YAHOO = "https://senders.yahooinc.com/best-practices/"
OURS = "our own advice"


@dataclass(frozen=True, slots=True)
class Rule:
    """How bad it is, what is wrong, what to do about it, and the source: an RFC's section or a provider's page."""

    severity: Severity
    meaning: str
    advice: str
    source: str


RULES: dict[str, Rule] = {
    "command.wrong": Rule(ERROR, "the command line lacks something", "give it", OURS),
    "config.wrong": Rule(ERROR, "the configuration is wrong", "mend it there", OURS),
    "state.unusable": Rule(ERROR, "state or report cannot be written", "name another place", OURS),
    "list.unreadable": Rule(ERROR, "the list cannot be read", "mend it there", OURS),
    "list.invalid": Rule(WARNING, "rows name nobody who can be written to", "mend or remove them", "RFC 5321 4.1.2"),
    "list.duplicate": Rule(WARNING, "rows name somebody again", "nothing: the first one is sent to", OURS),
    "template.unusable": Rule(ERROR, "the template is wrong", "mend it there", OURS),
    "template.column": Rule(ERROR, "the template asks for a column that is not there", "name one that is", OURS),
    "template.include": Rule(ERROR, "a file that the template names is missing", "put it there", OURS),
    "images.missing": Rule(ERROR, "an image that the page shows is missing", "put it there", OURS),
    "attachments.missing": Rule(ERROR, "an attachment is missing or cannot go", "put it there", OURS),
    "row.fails": Rule(ERROR, "the message of a row cannot be made", "mend the row or the template", OURS),
    "links.http": Rule(WARNING, "a link is http, which browsers warn of", "make it https", OURS),
    "links.empty": Rule(WARNING, "a link leads nowhere", "give its address", OURS),
    "links.syntax": Rule(WARNING, "a link is no address", "write it in full", "RFC 3986 3"),
    "links.local": Rule(WARNING, "a link leads to a place that only tests have", "name the real one", "RFC 6761 6"),
    "unsubscribe.missing": Rule(
        WARNING, "there is no way to unsubscribe", "add unsubscribe: to campaign.yaml, and its link to the page", GMAIL
    ),
    "unsubscribe.header": Rule(WARNING, "there is no List-Unsubscribe", "add unsubscribe: to campaign.yaml", GMAIL),
    "unsubscribe.link": Rule(WARNING, "no link in the body unsubscribes", "add {{ unsubscribe_url }}", GMAIL),
    "unsubscribe.late": Rule(
        WARNING, "the link to unsubscribe may be cut off: it is behind the first 100 KB", "put it further up", GMAIL
    ),
    "unsubscribe.one-click": Rule(
        WARNING, "one click does not unsubscribe", "add an https url to unsubscribe: in campaign.yaml", "RFC 8058 3.1"
    ),
    "unsubscribe.unsigned": Rule(
        WARNING, "no DKIM signature covers the headers to unsubscribe", "sign with dkim, or at the relay", "RFC 8058 4"
    ),
    "images.alt": Rule(WARNING, "an image has no text for who cannot see it", "give it alt", "WCAG 2.2 1.1.1"),
    "images.heavy": Rule(WARNING, "an image has more than 1 MB", "make it smaller", OURS),
    "html.clipped": Rule(
        WARNING,
        "Gmail cuts off HTML of more than 102 KB (as measured; Google says no figure)",
        "make it shorter",
        "https://www.spamresource.com/",
    ),
    "text.missing": Rule(WARNING, "there is no plain text", "leave the text to campaign, or write one", OURS),
    "text.line": Rule(WARNING, "a line of the text has more than 998 characters", "break it", "RFC 5322 2.1.1"),
    "message.line": Rule(ERROR, "a line has more than 998 octets, or ends in no CRLF", "break it", "RFC 5322 2.1.1"),
    "header.count": Rule(ERROR, "a header field is missing, or there twice", "have it once", "RFC 5322 3.6"),
    "subject.long": Rule(WARNING, "the subject has more than 100 characters", "say it in fewer", OURS),
    "subject.shouts": Rule(WARNING, "the subject shouts", "no capitals throughout, one ! at most", OURS),
    "subject.reply": Rule(WARNING, "the subject claims to be a reply", "take Re: or Fwd: out", GMAIL),
    "words.spam": Rule(WARNING, "words that filters know from spam", "say it in other words", OURS),
    "size.large": Rule(WARNING, "the message has more than 10 MB", "link to files instead", OURS),
    "size.limit": Rule(
        ERROR, "the message has more than 25 MB, which is what large providers take", "link to files instead", OURS
    ),
    "size.relay": Rule(ERROR, "a relay does not take messages of that size", "link to files instead", "RFC 1870 6.1"),
    "relay.unreachable": Rule(WARNING, "a relay cannot be asked what it takes", "see whether it is up", OURS),
    "from.free-mail": Rule(
        ERROR, "From is at a free-mail domain, whose DMARC refuses others", "send from a domain of your own", GMAIL
    ),
    "auth.alignment": Rule(
        ERROR,
        "neither DKIM nor the return path is of From's domain",
        "sign with a key of From's domain, and have bounces come there",
        "RFC 7489 3.1",
    ),
    "auth.unsigned": Rule(WARNING, "nothing is signed here", "add dkim, or have the relay sign", GMAIL),
    "auth.dkim-missing": Rule(ERROR, "DNS has no DKIM key there", "publish the record", "RFC 6376 3.6.2"),
    "auth.dkim-wrong": Rule(ERROR, "the DKIM record cannot be read", "publish it anew", "RFC 6376 3.6.1"),
    "auth.dkim-revoked": Rule(ERROR, "the DKIM key is revoked", "publish the key, or take another", "RFC 6376 3.6.1"),
    "auth.dkim-mismatch": Rule(
        ERROR, "DNS has another DKIM key than the one that signs", "publish the record of this key", "RFC 6376 3.6.1"
    ),
    "auth.dkim-testing": Rule(
        WARNING, "the DKIM record says that it is a test (t=y)", "take t=y out", "RFC 6376 3.6.1"
    ),
    "auth.dkim-short": Rule(
        WARNING, "the DKIM key has fewer than 2048 bits", "make one with campaign dkim new", "RFC 8301 3.2"
    ),
    "auth.spf-missing": Rule(ERROR, "there is no SPF record", "publish one that names who sends", GMAIL),
    "auth.spf-several": Rule(ERROR, "there are several SPF records", "make one of them", "RFC 7208 4.5"),
    "auth.spf-wrong": Rule(ERROR, "SPF ends in an error", "mend the record", "RFC 7208 2.6.7"),
    "auth.spf-lookups": Rule(
        ERROR, "SPF takes more than 10 lookups, so it always fails", "name fewer, or addresses", "RFC 7208 4.6.4"
    ),
    "auth.spf-void": Rule(ERROR, "SPF takes more than 2 lookups that find nothing", "take them out", "RFC 7208 4.6.4"),
    "auth.spf-all": Rule(WARNING, "SPF lets everybody send", "end it in -all or ~all", "RFC 7208 5.1"),
    "auth.spf-address": Rule(
        ERROR, "SPF does not let the address pass that sends", "add it to the record", "RFC 7208 2.6"
    ),
    "auth.dmarc-missing": Rule(ERROR, "there is no DMARC record", "publish v=DMARC1; p=none at least", GMAIL),
    "auth.dmarc-wrong": Rule(ERROR, "the DMARC record cannot be read", "mend it", "RFC 7489 6.3"),
    "dns.from": Rule(ERROR, "no mail gets to From's domain", "give it an MX record", YAHOO),
    "dns.bounces": Rule(ERROR, "no bounces get to the return path's domain", "give it an MX record", "RFC 5321 4.4"),
    "dns.mta-sts": Rule(WARNING, "the MTA-STS record cannot be read", "mend it", "RFC 8461 3.1"),
    "dns.ptr": Rule(ERROR, "the address that sends has no name in DNS", "have its owner give it one", GMAIL),
    "dns.ptr-forward": Rule(
        ERROR, "the name of the address that sends does not lead back to it", "publish its address record", GMAIL
    ),
    "dns.ehlo": Rule(
        WARNING, "the name by which we greet is not that of the address", "mend ehlo_name or DNS", "RFC 5321 4.1.4"
    ),
    "dns.listed": Rule(WARNING, "an address that sends is on a blocklist", "ask its keeper to take it off", "RFC 5782"),
    "dns.unanswered": Rule(WARNING, "DNS did not say", "check again later", OURS),
    "spam.verdict": Rule(WARNING, "a spam filter holds something against it", "look at its rules", OURS),
}
