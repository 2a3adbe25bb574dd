"""What must never stand in a log or an answer: passwords, keys, tokens and cookies, wherever they turn up in a text."""

import re
from typing import Any

HIDDEN = "***"

_RULES: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern, re.IGNORECASE), shown)
    for pattern, shown in (
        (r"(://[^/\s:@'\"]*):[^/\s'\"]+@", rf"\1:{HIDDEN}@"),  # scheme://user:secret@host
        (r"\bls_[A-Za-z0-9_-]{16,}", f"ls_{HIDDEN}"),  # an API token of ours
        (r"\$argon2(?:id|i|d)\$\S+", HIDDEN),
        (r"\b(bearer|basic)\s+[A-Za-z0-9+/=._~-]{6,}", rf"\1 {HIDDEN}"),
        # ('cookie', 'a=b') and (b'cookie', b'a=b'), as servers keep headers; then Cookie: a=b
        (r"(['\"](?:set-)?cookie['\"]\s*[,:]\s*b?)(['\"]).*?\2", rf"\1\2{HIDDEN}\2"),
        (r"\b((?:set-)?cookie\s*[:=]\s*)(?!\s*['\"]?\*\*\*)[^\r\n]+", rf"\1{HIDDEN}"),
        (r"\b((?:__Host-|__Secure-)?loopscope[-_]?\w*\s*=\s*)[A-Za-z0-9_-]{16,}", rf"\1{HIDDEN}"),
        (
            r"(\b\w*(?:password|passwd|secret|api_?key|access_key)\w*['\"]?\s*[:=]\s*)(?:'[^']*'|\"[^\"]*\"|[^\s,;&'\"]+)",
            rf"\1{HIDDEN}",
        ),
    )
)


def redacted(text: str) -> str:
    """The text without its secrets."""
    for pattern, shown in _RULES:
        text = pattern.sub(shown, text)
    return text


def redacted_values(value: Any) -> Any:
    """The same for every text inside dictionaries, lists and tuples; numbers and the like are left as they are."""
    if isinstance(value, str):
        return redacted(value)
    if isinstance(value, dict):
        return {key: redacted_values(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [redacted_values(inner) for inner in value]
    return value
