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
REFUSALS = {401: "did not accept your credentials", 404: "has nothing of that name", 429: "asks for a pause"}
SECRET = re.compile(r"[^\s,;:'\"()]{24,}")  # every key, token and signed address is longer than what Kaggle has to say


class Fault(NamedTuple):
    """What went wrong, in a few words of our own and those of Kaggle's reason; the HTTP status, 0 if there is none.

    `may_pass`: the same request may work a little later. `pause`: the seconds that the server asks to wait before.
    """

    said: str
    may_pass: bool
    status: int = 0
    pause: float = 0.0


def fault(error: Exception) -> Fault:
    """What is behind `error`."""
    response = getattr(error, "response", None)
    if response is not None:
        status, asked = response.status_code, response.headers.get("Retry-After", "")
        did = REFUSALS.get(status, "has a fault" if status >= 500 else "refused the request")
        # After a redirection it is not Kaggle that refuses, but its store, whose addresses expire.
        may_pass = status in (408, 429) or status >= 500 or bool(response.history)
        pause = float(asked) if asked.isdecimal() else 0.0
        return Fault(f"Kaggle {did} ({status}){_reason(response)}", may_pass, status, pause)
    if isinstance(error, NETWORK):
        late = "timed out" in str(error).lower()
        said = f"Kaggle did not answer within {TIMEOUT[1]:g} s" if late else "the connection to Kaggle failed"
        return Fault(said, may_pass=True)
    if isinstance(error, ValueError):
        return Fault("what arrived from Kaggle is not what it announced", may_pass=True)
    where = f", {error.filename}: {error.strerror}" if isinstance(error, OSError) and error.filename else ""
    return Fault(f"Kaggle's client failed ({type(error).__name__}{where})", may_pass=False)


def advice(wrong: Fault, todo: dict[int, str], attempts: int) -> str:
    """What happened and what to do next, in one line; `todo` says it for a status."""
    again = "run the same command again"
    if wrong.may_pass:
        check = "" if wrong.status else "check the connection and "
        later = f"in {math.ceil(wrong.pause / 60) or 10} minutes"
        return f"{wrong.said}, attempt {attempts}; {check}{again} {later}: nothing is lost"
    return f"{wrong.said}; {({401: SIGN_IN} | todo).get(wrong.status, 'docs/kaggle.md says more')}; then {again}"


def _reason(response: requests.Response) -> str:
    """The reason that Kaggle itself gives, as the end of a sentence, without credentials; empty if it gives none."""
    try:
        reason = " ".join(str(response.json()["message"]).split())
    except (ValueError, KeyError, TypeError):
        return ""
    reason = "".join(character for character in SECRET.sub("***", reason) if character.isprintable())
    return f" ({reason[:200]})" if reason else ""
