"""What goes wrong with Kaggle: whether it may pass, and the line that says what to do.

No line repeats the client's own text about a fault: it can hold an address that works as a password, or a request's
headers.
"""

import math
import re
from typing import NamedTuple

import requests
from urllib3.exceptions import HTTPError as BrokenOff

TIMEOUT = (15.0, 60.0)  # seconds to connect, and between two pieces of an answer
SIGN_IN = (
    "create an API token at kaggle.com/settings/api and save it as ~/.kaggle/access_token, or in the environment "
    "variable KAGGLE_API_TOKEN"
)
NETWORK = (requests.RequestException, BrokenOff, ConnectionError, TimeoutError)
SECRET = re.compile(r"[^\s,;:'\"()]{24,}")  # every key, token and signed address is longer than what Kaggle has to say


class Resource(NamedTuple):
    """What a call to Kaggle is about: its name there, what to do if Kaggle refuses it (403) or has none (404)."""

    slug: str
    refused: str
    missing: str


def status_of(error: Exception) -> int | None:
    """The HTTP status behind `error`, if there is one."""
    response = getattr(error, "response", None)
    return None if response is None else response.status_code


def may_pass(error: Exception) -> bool:
    """Whether the same request may work a little later."""
    status = status_of(error)
    if status is None:
        return isinstance(error, (*NETWORK, ValueError))
    # After a redirection it is not Kaggle that refuses, but its store, whose addresses expire.
    return status in (408, 429) or status >= 500 or bool(error.response.history)  # type: ignore[attr-defined]


def asked_pause(error: Exception) -> float:
    """The seconds that the server asks to wait; 0 if it does not say."""
    response = getattr(error, "response", None)
    asked = "" if response is None else response.headers.get("Retry-After", "")
    return float(asked) if asked.isdecimal() else 0.0


def fault(error: Exception) -> str:
    """What happened, in a few words of our own, and the reason that Kaggle gives."""
    if status := status_of(error):
        kind = "asks for a pause" if status == 429 else "has a fault" if status >= 500 else "refused the request"
        return f"Kaggle {kind} ({status}){_said(error)}"
    if isinstance(error, NETWORK):
        late = "timed out" in str(error).lower()
        return f"Kaggle did not answer within {TIMEOUT[1]:g} s" if late else "the connection to Kaggle failed"
    if isinstance(error, ValueError):
        return "what arrived from Kaggle is not what it announced"
    where = f", {error.filename}: {error.strerror}" if isinstance(error, OSError) and error.filename else ""
    return f"Kaggle's client failed ({type(error).__name__}{where})"


def advice(error: Exception, what: Resource, attempts: int) -> str:
    """What happened and what to do next, in one line."""
    status, again = status_of(error), "run the same command again"
    if may_pass(error):
        check = "" if status else "check the connection and "
        later = f"in {math.ceil(asked_pause(error) / 60) or 10} minutes"
        return f"{fault(error)}, attempt {attempts}; {check}{again} {later}: nothing is lost"
    if status == 401:
        return f"Kaggle did not accept your credentials (401): {SIGN_IN}, then {again}"
    if status == 403:
        return f"Kaggle does not give you {what.slug} (403): {what.refused}, then {again}{_said(error)}"
    if status == 404:
        return what.missing
    return f"{fault(error)}; docs/kaggle.md says more; then {again}"


def _said(error: Exception) -> str:
    """The reason that Kaggle itself gives, as the end of a sentence, without credentials; empty if it gives none."""
    try:
        reason = " ".join(str(error.response.json()["message"]).split())  # type: ignore[attr-defined]
    except (AttributeError, ValueError, KeyError, TypeError):
        return ""
    reason = "".join(character for character in SECRET.sub("***", reason) if character.isprintable())
    return f" ({reason[:200]})" if reason else ""
