"""One warm image, on this machine: each client against three bare requests on one connection."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence

from .heat import Told, fresh_space, racing, round_of
from .table import Row, row

NAMES = ("floor", "floor again", "ours, the wire", "bare aiohttp", "gradio_client")
SIZES = (256, 1024)
WIRE = 1.05
CPU = 5.0
"""Milliseconds of the processor's time that an image may cost before it is decoded."""
BEYOND = 1.2


def one_image(heats: int, pairs: int) -> Iterator[Row]:
    """At both sizes: the wire alone, then what the whole path adds to it."""
    rounds: dict[int, list[dict[str, Told]]] = defaultdict(list)
    parts: dict[int, list[Told]] = defaultdict(list)
    for heat in range(heats):
        with fresh_space() as address, racing([*NAMES, "ours"], address) as racers:
            whole = racers.pop("ours")
            for number in range(pairs):
                for size in SIZES:
                    seed = 1 + heat * pairs + number
                    rounds[size].append(round_of(racers, "image", size=size, seed=seed))
                    parts[size].append(whole.ask("parts", size=size, seed=seed))
    for size in SIZES:
        yield from _on_the_wire(f"{size}×{size}", rounds[size])
        yield from _beyond(f"{size}×{size}", parts[size])


def ratios(rounds: Sequence[dict[str, Told]], name: str, other: str = "floor") -> list[float]:
    """Return how much longer one client took than the other, round by round."""
    return [told[name]["seconds"] / told[other]["seconds"] for told in rounds]


def _on_the_wire(size: str, rounds: Sequence[dict[str, Told]]) -> Iterator[Row]:
    yield row(f"{size}: floor", [told["floor"]["seconds"] * 1000 for told in rounds], "ms")
    yield row(f"{size}: ours, the wire / floor", ratios(rounds, "ours, the wire"), target=WIRE)
    yield row(f"{size}: floor / floor", ratios(rounds, "floor again"), remark="the noise")
    for name in ("bare aiohttp", "gradio_client"):
        yield row(f"{size}: {name} / floor", ratios(rounds, name))
    for name in ("ours, the wire", "bare aiohttp", "floor"):
        worked = [told[name]["cpu"] * 1000 for told in rounds]
        yield row(f"{size}: processor time, {name}", worked, "ms", CPU if name.startswith("ours") else None)


def _beyond(size: str, parts: Sequence[Told]) -> Iterator[Row]:
    least = [told["decode"] + told["digest"] + told["write"] for told in parts]
    ours = [told["before"] + told["after"] for told in parts]
    pairs = zip(ours, least, strict=True)
    shares = ", ".join(f"{name} {row(name, [1000 * told[name] for told in parts]).middle:.1f}" for name in _LEAST)
    worked = [told["cpu before decoding"] * 1000 for told in parts]
    yield row(f"{size}: processor time, all of ours before decoding", worked, "ms", CPU)
    yield row(f"{size}: ours beyond the wire", [value * 1000 for value in ours], "ms")
    yield row(f"{size}: the least of that", [value * 1000 for value in least], "ms", remark=f"{shares} ms")
    yield row(f"{size}: ours beyond the wire / the least", [one / other for one, other in pairs], target=BEYOND)


_LEAST = ("decode", "digest", "write")
