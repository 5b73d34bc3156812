"""Circles: operations each of which must come before the next, and the last before the first.

Edges, with what makes them:

    ww        one appended to a list right after the other
    wr        one was shown the other's append as the last of a list
    rw        one was shown a list without the other's append
    session   one client did, or was shown, one after the other
    rt        one had ended before the other began, on the clock that all clients share

A history is serializable, in an order that agrees with sessions and time, if there is no circle. Circles are
looked for among the strongly connected operations (Tarjan 1972), first without sessions and time, so that the
name says the most; in each component the shortest circle of the simplest kind is told.

Time would give an edge for each pair of operations. Instead every end is a moment, moments form a chain, and
an operation hangs on the newest moment before it began; all in all a few edges for each operation.

Not here: lists that contradict each other (`versions.py`).
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict, deque
from collections.abc import Iterable, Iterator
from enum import Enum
from typing import NamedTuple

from tests.isolation.anomalies import Anomaly
from tests.isolation.history import Append, History, Kind, Operation
from tests.isolation.versions import Versions, external_reads

_STARTS_MAX = 300
"""Where a shortest circle is looked for in a component: in a large one there is something at every turn."""


class Why(Enum):
    """What makes an edge."""

    WW = "ww"
    WR = "wr"
    RW = "rw"
    SESSION = "session"
    TIME = "rt"


_BASES = ("G0", "G1c", "G-single", "G2")
"""Simplest first."""

DATA = frozenset({Why.WW, Why.WR, Why.RW})


class Edge(NamedTuple):
    """A step to another node. `key` is the list that makes it; empty where none does."""

    target: int
    why: Why
    key: str


class Graph:
    """Nodes are operations, and behind these the moments and meeting points that save edges."""

    def __init__(self, operations: list[Operation]) -> None:
        self.operations = operations
        self.edges: list[list[Edge]] = [[] for _ in operations]
        self._number = {operation: number for number, operation in enumerate(operations)}

    @classmethod
    def of(cls, history: History, versions: Versions) -> Graph:
        """All edges that a history gives."""
        graph = cls([operation for operation in history.operations if versions.happened(operation)])
        graph._add_lists(versions)
        graph._add_sessions()
        graph._add_time()
        return graph

    def is_operation(self, node: int) -> bool:
        """Whether a node is an operation and not a mere point on the way."""
        return node < len(self.operations)

    def following(self, node: int, kinds: frozenset[Why]) -> Iterator[Edge]:
        """The edges of `kinds` that go out of a node."""
        return (edge for edge in self.edges[node] if edge.why in kinds)

    def _edge(self, source: int, target: int, why: Why, key: str = "") -> None:
        if source != target:
            self.edges[source].append(Edge(target, why, key))

    def _point(self) -> int:
        self.edges.append([])
        return len(self.edges) - 1

    def _writer(self, versions: Versions, key: str, value: str) -> int | None:
        meant, operation = versions.writer.get(value, ("", None))
        return self._number.get(operation) if operation is not None and meant == key else None

    def _add_lists(self, versions: Versions) -> None:
        # Who was acknowledged and is in no list stands after all that are: lists are only appended to.
        unseen: dict[str, list[int]] = defaultdict(list)
        for number, operation in enumerate(self.operations):
            for key, value in operation.appends:
                if value not in versions.place.get(key, ()) and number not in unseen[key]:
                    unseen[key].append(number)
        ends: dict[str, int] = {}
        for key, numbers in unseen.items():
            ends[key] = self._point()
            for number in numbers:
                self._edge(ends[key], number, Why.RW, key)
        for key, values in versions.final.items():
            writers = [self._writer(versions, key, value) for value in values]
            before: int | None = None
            for writer in writers:
                if writer is not None and before is not None:
                    self._edge(before, writer, Why.WW, key)
                before = writer if writer is not None else before
            if before is not None:
                for number in unseen.get(key, ()):
                    self._edge(before, number, Why.WW, key)
        for number, operation in enumerate(self.operations):
            for read in external_reads(operation):
                if versions.fits(read):
                    self._add_read(versions, number, read.key, len(read.values), ends)

    def _add_read(self, versions: Versions, number: int, key: str, length: int, ends: dict[str, int]) -> None:
        final = versions.final.get(key, ())
        if length:
            writer = self._writer(versions, key, final[length - 1])
            if writer is not None:
                self._edge(writer, number, Why.WR, key)
        for value in final[length:]:
            # The reader's own append may be the next; then the one after that.
            writer = self._writer(versions, key, value)
            if writer is not None and writer != number:
                self._edge(number, writer, Why.RW, key)
                return
        if key in ends and not any(
            isinstance(step, Append) and step.key == key for step in self.operations[number].steps
        ):
            self._edge(number, ends[key], Why.RW, key)

    def _add_sessions(self) -> None:
        last: dict[tuple[str, object], int] = {}
        for number, operation in enumerate(self.operations):
            lane = (operation.session, operation.kind)
            if operation.ended is None or operation.kind is Kind.PAST:
                continue
            if lane in last:
                self._edge(last[lane], number, Why.SESSION)
            last[lane] = number

    def _add_time(self) -> None:
        ends = sorted(
            (each.ended, number) for number, each in enumerate(self.operations) if each.ended is not None
        )
        times = [ended for ended, _ in ends]
        moments: list[int] = []
        for _, number in ends:
            moment = self._point()
            if moments:
                self._edge(moments[-1], moment, Why.TIME)
            self._edge(number, moment, Why.TIME)
            moments.append(moment)
        for number, operation in enumerate(self.operations):
            before = bisect_left(times, operation.begun) if operation.begun is not None else 0
            if before:
                self._edge(moments[before - 1], number, Why.TIME)


def circle_anomalies(history: History, versions: Versions) -> Iterator[Anomaly]:
    """A shortest circle of the simplest kind for every knot in a history; and one more where sessions or time
    make a simpler one.
    """
    graph = Graph.of(history, versions)
    told: dict[int, int] = {}
    for order in (frozenset[Why](), frozenset({Why.SESSION}), frozenset({Why.SESSION, Why.TIME})):
        for component in components(graph, DATA | order, range(len(graph.edges))):
            circle = _circle_in(graph, component, order)
            rank = _BASES.index(base_of(edge.why for _, edge in circle))
            if rank < min(told.get(node, len(_BASES)) for node in component):
                told.update(dict.fromkeys(component, rank))
                yield _told(graph, circle)


Circle = list[tuple[int, Edge]]
"""The steps of a circle: from where, and by which edge."""


def components(graph: Graph, kinds: frozenset[Why], nodes: Iterable[int]) -> list[set[int]]:
    """The strongly connected components with more than one node, among `nodes` by edges of `kinds`."""
    inside = set(nodes)
    index: dict[int, int] = {}
    low: dict[int, int] = {}
    on_stack: set[int] = set()
    stack: list[int] = []
    found: list[set[int]] = []
    for root in inside:
        if root in index:
            continue
        index[root] = low[root] = len(index)
        stack.append(root)
        on_stack.add(root)
        work = [(root, graph.following(root, kinds))]
        while work:
            node, edges = work[-1]
            for edge in edges:
                target = edge.target
                if target not in inside:
                    continue
                if target not in index:
                    index[target] = low[target] = len(index)
                    stack.append(target)
                    on_stack.add(target)
                    work.append((target, graph.following(target, kinds)))
                    break
                if target in on_stack:
                    low[node] = min(low[node], index[target])
            else:
                work.pop()
                if work:
                    parent = work[-1][0]
                    low[parent] = min(low[parent], low[node])
                if low[node] == index[node]:
                    component = set()
                    while node not in component:
                        top = stack.pop()
                        on_stack.discard(top)
                        component.add(top)
                    if len(component) > 1:
                        found.append(component)
    return found


def _circle_in(graph: Graph, component: set[int], order: frozenset[Why]) -> Circle:
    for kinds in (frozenset({Why.WW}), frozenset({Why.WW, Why.WR})):
        for part in components(graph, kinds | order, component):
            return _shortest_circle(graph, part, kinds | order)
    # Every circle in here reads too early somewhere. One that does so once says more than one that does so
    # twice.
    single = _shortest_single(graph, component, frozenset({Why.WW, Why.WR}) | order)
    return single or _shortest_circle(graph, component, DATA | order)


def _shortest_circle(graph: Graph, part: set[int], kinds: frozenset[Why]) -> Circle:
    best: Circle = []
    starts = [node for node in part if graph.is_operation(node)]
    for start in sorted(starts)[:_STARTS_MAX]:
        circle = path(graph, start, start, part, kinds)
        if circle and (not best or _length(graph, circle) < _length(graph, best)):
            best = circle
        if best and _length(graph, best) == 2:
            break
    return best


def _shortest_single(graph: Graph, component: set[int], kinds: frozenset[Why]) -> Circle:
    """The shortest circle with one rw edge."""
    best: Circle = []
    starts = [node for node in component if graph.is_operation(node)]
    for start in sorted(starts)[:_STARTS_MAX]:
        for edge in graph.following(start, frozenset({Why.RW})):
            ways = (
                [(edge,)]
                if graph.is_operation(edge.target)
                else [(edge, second) for second in graph.edges[edge.target]]
            )
            for way in ways:
                target = way[-1].target
                back = path(graph, target, start, component, kinds) if target in component else []
                if back:
                    circle = list(zip((start, *(step.target for step in way[:-1])), way, strict=True)) + back
                    if not best or _length(graph, circle) < _length(graph, best):
                        best = circle
                    if _length(graph, best) == 2:
                        return best
    return best


def path(graph: Graph, source: int, target: int, nodes: set[int], kinds: frozenset[Why]) -> Circle:
    """The way from `source` to `target` over the fewest operations, a circle where both are the same.

    Empty if there is none.
    """
    came: dict[int, tuple[int, Edge]] = {}
    cost = {source: 0}
    waiting = deque([(0, source)])
    while waiting:
        so_far, node = waiting.popleft()
        if so_far > cost[node]:
            continue
        if node == target and came.get(target) is not None:
            break
        for edge in graph.following(node, kinds):
            if edge.target not in nodes:
                continue
            step = int(graph.is_operation(edge.target))
            is_back = edge.target == source == target and source not in came
            if is_back or so_far + step < cost.get(edge.target, len(graph.edges) + 1):
                cost[edge.target] = so_far + step
                came[edge.target] = (node, edge)
                (waiting.append if step else waiting.appendleft)((so_far + step, edge.target))
    if target not in came:
        return []
    way: Circle = []
    node = target
    while not way or node != source:
        before, edge = came[node]
        way.append((before, edge))
        node = before
    return way[::-1]


def _length(graph: Graph, circle: Circle) -> int:
    return sum(graph.is_operation(node) for node, _ in circle)


def name_of(kinds: Iterable[Why]) -> str:
    """The name of a circle by the edges between its operations."""
    edges = list(kinds)
    order = "-realtime" if Why.TIME in edges else "-session" if Why.SESSION in edges else ""
    return base_of(edges) + order


def base_of(kinds: Iterable[Why]) -> str:
    """The part of a circle's name that says what sort of dependencies it is made of."""
    edges = list(kinds)
    early = edges.count(Why.RW)
    return "G2" if early > 1 else "G-single" if early else "G1c" if Why.WR in edges else "G0"


def _told(graph: Graph, circle: Circle) -> Anomaly:
    # Begin at an operation, and join what leads over mere points into one step.
    first = next(place for place, (node, _) in enumerate(circle) if graph.is_operation(node))
    steps: list[tuple[int, Edge]] = []
    for node, edge in circle[first:] + circle[:first]:
        if graph.is_operation(node):
            steps.append((node, edge))
    names = [graph.operations[node].name for node, _ in steps]
    lines = [
        f"{name} -> {following}: {_because(edge, name, following)}"
        for name, (_, edge), following in zip(names, steps, names[1:] + names[:1], strict=True)
    ]
    lines += [str(graph.operations[node]) for node, _ in steps]
    return Anomaly(name_of(edge.why for _, edge in steps), "\n    ".join(["", *lines]))


def _because(edge: Edge, one: str, other: str) -> str:
    reasons = {
        Why.WW: f"{other} appended to {edge.key} after {one} (ww)",
        Why.WR: f"{other} was shown what {one} appended to {edge.key} (wr)",
        Why.RW: f"{one} was shown {edge.key} without what {other} appended (rw)",
        Why.SESSION: f"{other} came after {one} in one session (session)",
        Why.TIME: f"{one} had ended before {other} began (rt)",
    }
    return reasons[edge.why]
