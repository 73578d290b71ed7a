"""A Space that is far away: TLS, and 50 ms for a round trip."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

from .far import Certificate, far_away
from .heat import Told, fresh_space, racing, round_of
from .single import WIRE, ratios
from .table import Row, count, row

NAMES = ("floor", "floor again", "ours, the wire", "bare aiohttp", "gradio_client")
SIZE = 256
IMAGES = 18


def far_image(heats: int, pairs: int) -> Iterator[Row]:
    """Yield each client against the floor, and how many connections some images in a row take."""
    rounds: list[dict[str, Told]] = []
    connections: list[dict[str, int]] = []
    for heat in range(heats):
        with tempfile.TemporaryDirectory() as folder, fresh_space() as space:
            certificate = Certificate.made_in(Path(folder))
            with (
                far_away(NAMES, space, certificate) as far,
                racing(NAMES, far.addresses, SSL_CERT_FILE=str(certificate.path)) as racers,
            ):
                rounds += [round_of(racers, "image", size=SIZE, seed=1 + heat * pairs + one) for one in range(pairs)]
            connections.append({name: _connections(name, space, certificate) for name in NAMES})
    yield row("floor", [told["floor"]["seconds"] * 1000 for told in rounds], "ms")
    yield row("ours, the wire / floor", ratios(rounds, "ours, the wire"), target=WIRE)
    yield row("floor / floor", ratios(rounds, "floor again"), remark="the noise")
    yield row("bare aiohttp / floor", ratios(rounds, "bare aiohttp"))
    yield row("gradio_client / floor", ratios(rounds, "gradio_client"))
    for name in ("ours, the wire", "floor", "bare aiohttp", "gradio_client"):
        most = max(one[name] for one in connections)
        yield count(f"connections for {IMAGES} images, {name}", most, target=1 if name.startswith("ours") else None)


def _connections(name: str, space: str, certificate: Certificate) -> int:
    """Return how many a fresh client makes for some images, one after the other."""
    trusting = {"SSL_CERT_FILE": str(certificate.path)}
    with far_away([name], space, certificate) as far, racing([name], far.addresses, **trusting) as racers:
        for seed in range(1, IMAGES):  # it has made its first image already
            racers[name].ask("image", size=SIZE, seed=seed)
        return far.connections(name)
