"""The parameters by which a site's statistics know that a visitor came from a campaign."""

from __future__ import annotations

import re
from html import escape
from urllib.parse import urlencode

UTM_TOKEN = re.compile(r"\{\{ *variant *\}\}")
"""Where a message's variant goes in a parameter."""

_LINK = re.compile(
    r"""(?P<before><a\b[^>]*?\shref\s*=\s*(?P<quote>["']))(?P<url>https?://.*?)(?P<fragment>#.*?)?(?P=quote)""",
    re.IGNORECASE | re.DOTALL,
)


def tracked(page: str, utm: tuple[tuple[str, str], ...]) -> str:
    """The page with `utm` in every link to a site whose address the template has, and has no such parameters yet.

    A link that is a contact's value as a whole, as an unsubscribe link is, stays as it is: a word stands for it.
    """
    parameters = escape(urlencode([(f"utm_{key}", value) for key, value in utm]))

    def with_parameters(link: re.Match[str]) -> str:
        url = link["url"]
        if "utm_" in url:
            return link[0]
        joint = "?" if "?" not in url else "" if url.endswith(("?", "&", "&amp;")) else "&amp;"
        return f"{link['before']}{url}{joint}{parameters}{link['fragment'] or ''}{link['quote']}"

    return _LINK.sub(with_parameters, page)
