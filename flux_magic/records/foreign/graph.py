"""ComfyUI's API graph, and ways through it: `{id: {"class_type": …, "inputs": {name: value or [id, slot]}}}`.

A graph is anyone's: links may lead nowhere or in circles. Every walk visits a node once, or stops.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from .switches import choose
from .wording import Unsure, Wording, check, list_pieces

MOST_LINKS: Final = 200
"""The longest way that is followed."""

_VALUES = ("value", "int", "integer", "number", "float", "string", "text", "boolean", "bool")
_LONGEST_KIND: Final = 200
_NEAR: Final = 10
"""The longest way to the value that decides a switch."""

_DRAWN_BY_LOT = re.compile(r"random(?!\W?noise)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Node:
    """One node: its class is `kind`."""

    id: str
    kind: str
    inputs: Mapping[str, Any]


class Graph:
    """The nodes by id, in the file's order; empty for JSON that is not a graph."""

    def __init__(self, given: Mapping[str, Any]) -> None:
        self.nodes: dict[str, Node] = {}
        for id_, node in given.items():
            kind = node.get("class_type") if isinstance(node, dict) else None
            if isinstance(kind, str):
                inputs = node.get("inputs")
                self.nodes[id_] = Node(id_, kind[:_LONGEST_KIND], inputs if isinstance(inputs, dict) else {})
        self.open: set[str] = set()
        self._settle_switches()

    def _settle_switches(self) -> None:
        """Give each switch the one input that it passes on; undecided switches are `open`."""
        settled = {}
        for node in self.nodes.values():
            is_switch, kept = choose(node.kind, node.inputs, lambda given: self.find_value(given, most=_NEAR))
            if kept:
                settled[node.id] = Node(node.id, "Reroute", kept)
            elif is_switch:
                self.open.add(node.id)
        self.nodes |= settled

    def follow(self, value: object) -> Node | None:
        """Return the node that an input is linked to; None for a plain value."""
        if isinstance(value, list) and len(value) == 2 and isinstance(value[0], (str, int)):
            return self.nodes.get(str(value[0]))
        return None

    def walk_upstream(self, start: Node, names: tuple[str, ...] = ()) -> Iterator[tuple[Node, Node | None]]:
        """Yield a node and all that leads to it, the nearest first, each with the node that it was met from.

        With `names`, only links of these inputs count, and those of nodes that have no other input.
        """
        met: dict[str, Node | None] = {start.id: None}
        waiting = deque([start])
        while waiting:
            node = waiting.popleft()
            yield node, met[node.id]
            for name, value in node.inputs.items():
                source = self.follow(value)
                wanted = not names or name in names or len(node.inputs) == 1
                if source is not None and wanted and source.id not in met:
                    met[source.id] = node
                    waiting.append(source)

    def walk(self, given: object, *names: str) -> Iterator[Node]:
        """Yield the nodes in a row from a link on: by the first of these inputs that a node has, or by its only one."""
        met = set[str]()
        node = self.follow(given)
        while node is not None and node.id not in met and len(met) < MOST_LINKS:
            met.add(node.id)
            yield node
            found = find_first(node, *names)
            node = self.follow(_get_only(node) if found is None else found)

    def find_value(self, given: object, *names: str, most: int = MOST_LINKS) -> object:
        """Return a plain value, or the one that a link leads to, by these names or those of a node with one value."""
        for _ in range(most):
            node = self.follow(given)
            if node is None:
                return given
            if node.id in self.open or _DRAWN_BY_LOT.search(node.kind):
                return None
            found = find_first(node, *names, *_VALUES)
            given = _get_only(node) if found is None else found
        return None

    def find_text(self, given: object, encoder: Node | None = None) -> Wording:
        """Return a string, or the one that a link leads to, put together where a node joins some."""
        parts: list[str] = []
        waiting, met = [given], set[tuple[str, bool]]()
        try:
            while waiting:
                value = waiting.pop()
                node = self.follow(value)
                if node is None:
                    parts += [value] if isinstance(value, str) else []
                    continue
                slot = value[1] if isinstance(value, list) else 0
                if (node.id, slot == 1) not in met:
                    met.add((node.id, slot == 1))
                    waiting += reversed(self._find_pieces(node, slot, encodes=node is encoder))
        except Unsure as unsure:
            return Wording("", str(unsure))
        return Wording("".join(parts))

    def _find_pieces(self, node: Node, slot: object, *, encodes: bool) -> list[Any]:
        if node.id in self.open:
            raise Unsure(f"the switch {node.kind} chose it during the run")
        check(node.kind, node.inputs, encodes=encodes)
        return list_pieces(node.kind, node.inputs, slot)


def find_first(node: Node, *names: str) -> object:
    """Return the first input with one of these names, unchanged."""
    return next((node.inputs[name] for name in names if name in node.inputs), None)


def _get_only(node: Node) -> object:
    """Return the value of a node's one input, as a reroute has it; None if there are more."""
    return next(iter(node.inputs.values())) if len(node.inputs) == 1 else None
