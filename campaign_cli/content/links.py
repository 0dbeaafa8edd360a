"""The parameters by which a site's statistics know that a visitor came from a campaign."""

from __future__ import annotations

import re
from functools import lru_cache
from html import escape
from urllib.parse import urlencode

from campaign_cli.content.shapes import REMEMBERED, Skeleton, skeleton, word

_LINK = re.compile(
    r"""(?P<before><a\b[^>]*?\shref\s*=\s*(?P<quote>["']))(?P<url>https?://.*?)(?P<fragment>#.*?)?(?P=quote)""",
    re.IGNORECASE | re.DOTALL,
)


@lru_cache(maxsize=REMEMBERED)
def tracked(page: Skeleton, utm: tuple[tuple[str, str], ...]) -> Skeleton:
    """The page with `utm` in every link to a site whose address the template has, and has no such parameters yet.

    A link that is a contact's value as a whole, as an unsubscribe link is, stays as it is.
    """
    parameters = escape(urlencode([(f"utm_{key}", value) for key, value in utm]))

    def with_parameters(link: re.Match[str]) -> str:
        url = link["url"]
        if "utm_" in url:
            return link[0]
        joint = "?" if "?" not in url else "" if url.endswith(("?", "&", "&amp;")) else "&amp;"
        return f"{link['before']}{url}{joint}{parameters}{link['fragment'] or ''}{link['quote']}"

    text = "".join([word(bone) if isinstance(bone, int) else bone for bone in page])
    return skeleton(_LINK.sub(with_parameters, text))
