"""How sources ask their services: JSON over the polite client, each answer kept so that it is asked for once.

A source says what to ask and how to read the refusals of its service; this module retries what may pass, keeps
answers in the journal (a scrape taken up again replays them; some services demand such a cache), and turns every
refusal into one line without the key in it.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar
from urllib.parse import urlencode

from scrapers.answers import text
from scrapers.client import PoliteClient, Reply, redact
from scrapers.errors import DownloadError, PassingError, SourceError
from scrapers.journal import Journal
from scrapers.retry import RETRIED_STATUSES

__all__ = ["Api"]

_MAX_BYTES = 32 << 20
_WORDS_FOR_REFUSALS = ("detail", "message", "error_message", "info", "error", "title")
_ANY_REFUSAL = frozenset(range(400, 500))

Check = Callable[[Any, Mapping[str, str]], None]
_Result = TypeVar("_Result")


class Api:
    """One source's way to its service.

    Args:
        name: the source's name, for messages.
        client: the network.
        journal: where answers are kept; None keeps none.
        secrets: key values that must not reach the journal or a message.
    """

    def __init__(
        self, name: str, client: PoliteClient, journal: Journal | None = None, secrets: tuple[str, ...] = ()
    ) -> None:
        self.name = name
        self._client = client
        self._journal = journal
        self._secrets = tuple(filter(None, secrets))

    def get_json(
        self,
        url: str,
        params: Mapping[str, str | int | Sequence[str]] | None = None,
        *,
        headers: Mapping[str, str] | None = None,
        explain: Mapping[int, str] | None = None,
        throttle_statuses: frozenset[int] = frozenset(),
        absent_statuses: frozenset[int] = frozenset(),
        check: Check | None = None,
    ) -> Any:
        """Ask, or read the answer kept from an earlier run.

        Args:
            url: the service's address.
            params: its query; a sequence repeats the name.
            headers: sent along, never kept.
            explain: what a refusing status means here, and the mend.
            throttle_statuses: statuses by which this service says "slower", besides the usual ones.
            absent_statuses: statuses by which it says that there is no such thing; the answer is then None.
            check: called with (answer, headers) before it is kept; raises SourceError or PassingError where an
                answer that came as 200 is really a refusal.

        Raises:
            SourceError: the service refused, stayed unreachable, or answered with something unreadable.
        """
        full = f"{url}?{urlencode(params, doseq=True)}" if params else url
        kept = self._journal.page(self._scrubbed(redact(full))) if self._journal else None
        if kept is not None:
            return json.loads(kept)

        def ask() -> Any:
            with self._client.attempt(
                full,
                headers={"Accept": "application/json", "Accept-Encoding": "gzip, deflate", **(headers or {})},
                accept_statuses=_ANY_REFUSAL - throttle_statuses - RETRIED_STATUSES,
                retry_statuses=RETRIED_STATUSES | throttle_statuses,
            ) as reply:
                if reply.status in absent_statuses:
                    return None
                body = reply.decoded(_MAX_BYTES)
            answer = self._parsed(reply, body, explain or {})
            if check is not None:
                check(answer, reply.headers)
            return answer

        answer = self._retried(ask)
        if self._journal:
            self._journal.keep_page(self._scrubbed(redact(full)), self._scrubbed(json.dumps(answer)).encode())
        return answer

    def post_form(self, url: str, form: Mapping[str, str]) -> Any:
        """Send a form and read the JSON answer; nothing of it is kept.

        Raises:
            SourceError: as `get_json`.
        """

        def ask() -> Any:
            with self._client.attempt(
                url, form=form, accept_statuses=_ANY_REFUSAL - RETRIED_STATUSES
            ) as reply:
                body = reply.decoded(_MAX_BYTES)
            return self._parsed(reply, body, {})

        return self._retried(ask)

    def _retried(self, ask: Callable[[], _Result]) -> _Result:
        try:
            return self._client.config.retry.run(ask, self._client.sleep, self._client.rng)
        except PassingError as error:
            back = f"; it asks for {error.retry_after_s:.0f} s of rest" if error.retry_after_s else ""
            raise SourceError(
                f"{self.name}: {self._scrubbed(str(error))}{back}; run the same command again later to continue"
            ) from None
        except DownloadError as error:
            raise SourceError(f"{self.name}: {self._scrubbed(str(error))}") from None

    def _parsed(self, reply: Reply, body: bytes, explain: Mapping[int, str]) -> Any:
        """The answer, or SourceError with the service's own words."""
        try:
            answer = json.loads(body)
        except (ValueError, RecursionError):
            answer = None
        if reply.status >= 400:
            said = _words_of(answer) or (_plain(body) if answer is None else "")
            mend = f"; {explain[reply.status]}" if reply.status in explain else ""
            words = f" ({self._scrubbed(said)})" if said else ""
            raise SourceError(f"{self.name}: {redact(reply.url)} answered {reply.status}{words}{mend}")
        if answer is None:
            raise SourceError(f"{self.name}: {redact(reply.url)} answered with something that is not JSON")
        return answer

    def _scrubbed(self, words: str) -> str:
        for secret in self._secrets:
            words = words.replace(secret, "…")
        return words


def _words_of(answer: Any) -> str:
    """The refusal in the service's own words, wherever it puts them."""
    while isinstance(answer, dict):
        answer = next((answer[name] for name in _WORDS_FOR_REFUSALS if answer.get(name)), None)
    return (text(str(answer)) or "")[:200] if answer else ""


def _plain(body: bytes) -> str:
    """A refusal in plain text; an HTML page says nothing worth repeating."""
    words = text(body[:300].decode("utf-8", "replace")) or ""
    return "" if words.startswith("<") else words[:200]
