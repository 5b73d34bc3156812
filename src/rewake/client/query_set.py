"""The query set: which queries the server keeps answered for us, and what it said last.

Floor 2, `client`. A part of the conversation, without I/O. Queries join and leave at any time; the difference
goes out in one ModifyQuerySet when the conversation next speaks. After a reconnect all of them are asked for
again, under the same ids, with the journals that keep the ends of pages in place; the old results stay until
the first Transition of the new socket brings those of its snapshot.

Not here: who wants a query, and how many (`watch.py`).
Source: wire 1.5, 1.7 and 1.10.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from rewake.client import outgoing
from rewake.client.incoming import Modification, QueryFailed, QueryRemoved, raw_bytes
from rewake.client.instructions import Outcome

_REQUEST_ID = re.compile(r"\[Request ID: [^\]]*\]")


@dataclass(slots=True)
class _Query:
    path: str
    arguments: str
    # The server's note about how far pages reached, from the last result; goes back with every Add.
    journal: str | None = None
    outcome: Outcome | None = None
    # What results are compared by; a reconnect that brings the same is no news.
    essence: object = None
    # The server was told, on this socket.
    is_sent: bool = False


class QuerySet:
    """The queries of one conversation."""

    def __init__(self) -> None:
        self._queries: dict[int, _Query] = {}
        self._next_id = 0
        # What this socket's server still has to be told: queries that joined, and sent ones that left.
        self._added: list[int] = []
        self._removed: list[int] = []
        # The newest version sent on this socket.
        self.version = 0
        # Queries that were asked for, and have not been answered on this socket.
        self._open_questions: set[int] = set()

    def __len__(self) -> int:
        return len(self._queries)

    @property
    def is_answered(self) -> bool:
        """Every query has an answer from this socket."""
        return not self._open_questions

    def add(self, path: str, arguments: str) -> int:
        """Ask for a query; gives its id, which is never used again."""
        query_id = self._next_id
        self._next_id += 1
        self._queries[query_id] = _Query(path, arguments)
        self._open_questions.add(query_id)
        self._added.append(query_id)
        return query_id

    def remove(self, query_id: int) -> None:
        """Give a query up. Harmless when done before."""
        query = self._queries.pop(query_id, None)
        self._open_questions.discard(query_id)
        if query is not None and query.is_sent:
            self._removed.append(query_id)

    def forget_results(self) -> None:
        """The next result of every query is news, whatever it is."""
        for query in self._queries.values():
            query.outcome = query.essence = None

    def begin_socket(self) -> str:
        """A new socket: the message that asks for all queries. It goes out even when there are none, so that
        a Transition comes that tells how late it is."""
        self.version = 0
        self._removed.clear()
        self._open_questions = set(self._queries)
        self._added = list(self._queries)
        for query in self._queries.values():
            query.is_sent = False
        return self._step()

    def changes(self) -> str | None:
        """The message that tells of queries that joined and left since the last one; None without any."""
        self._added = [query_id for query_id in self._added if query_id in self._queries]
        return self._step() if self._added or self._removed else None

    def _step(self) -> str:
        modifications = [outgoing.remove_query(query_id) for query_id in self._removed]
        for query_id in self._added:
            query = self._queries[query_id]
            query.is_sent = True
            modifications.append(
                outgoing.add_query(
                    query_id, path=query.path, arguments=query.arguments, journal=query.journal
                )
            )
        self._added.clear()
        self._removed.clear()
        self.version += 1
        return outgoing.modify_query_set(base=self.version - 1, new=self.version, modifications=modifications)

    def take(self, modification: Modification) -> Outcome | None:
        """The news in a modification: the query's new outcome, or None.

        A query that was given up meanwhile may still be told about.
        """
        query = self._queries.get(modification.query_id)
        if query is None or isinstance(modification, QueryRemoved):
            return None
        self._open_questions.discard(modification.query_id)
        query.journal = modification.journal
        lines = tuple(modification.log_lines)
        if isinstance(modification, QueryFailed):
            text, data = modification.error_message, raw_bytes(modification.error_data)
            outcome = Outcome(query.path, None, text, data, lines)
            essence: object = (_REQUEST_ID.sub("", text, count=1), data, lines)
        else:
            value = raw_bytes(modification.value)
            assert value is not None
            outcome = Outcome(query.path, value, log_lines=lines)
            essence = (value, lines)
        if query.outcome is not None and query.essence == essence:
            return None
        query.outcome, query.essence = outcome, essence
        return outcome
