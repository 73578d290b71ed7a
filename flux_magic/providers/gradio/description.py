"""The description of a model by the endpoints of its Space. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ...parameters.table import ROWS, Parameter
from .choosing import Need, choose_endpoint, count_images, has_mask, list_endpoints, needs_image
from .meanings import read_steps, to_number
from .placing import Sizes, get_seed_range, is_reported, list_sizes
from .signature import Contract, Input, Signature


def describe_space(contract: Contract, preferred: str, chosen: Signature | None, sizes: Sizes) -> dict[str, Any]:
    """Return what a ModelDescription says of the chosen endpoint, else of the one of a prompt alone.

    If images would go to another endpoint, its parameters are told as well, at the end.

    Raises InvalidRequest if no endpoint makes images.
    """
    chosen = chosen or choose_endpoint(contract, Need(), preferred=preferred)
    with_images = choose_endpoint(contract, Need(images=1), preferred=preferred)
    rows = {row.name: row for one in (with_images, chosen) for row in list_rows(one)}
    order = dict.fromkeys(row.name for one in (chosen, with_images) for row in list_rows(one))
    choice = chosen.find("size")
    is_only = choice is not None and chosen.find("width") is None and not choice.is_open
    return {
        "parameters": tuple(rows[name] for name in order),
        "sizes": tuple(dict.fromkeys(list_sizes(choice, sizes).values())) if choice is not None and is_only else (),
        "input_images": max(count_images(chosen), count_images(with_images)),
        "needs_image": needs_image(chosen),
        "takes_mask": has_mask(chosen) or has_mask(with_images),
        "rewrites": tuple(one.parameter for one in chosen.find_all("rewrite") if one.initial is True),
        "endpoints": list_endpoints(contract, chosen),
        "seeded": chosen.find("seed") is not None,
    }


def list_rows(signature: Signature) -> Iterator[Parameter]:
    """Yield a row for each parameter of an endpoint, in its order."""
    for one in signature.asked:
        if one.meaning == "seed":
            least, most = get_seed_range(one)
            yield Parameter(name="seed", help=one.label, least=least, most=most, own_name=one.name, title=one.label)
        elif is_reported(one):
            yield _build_row(one)


def _build_row(one: Input) -> Parameter:
    known, initial, choices = ROWS.get(one.parameter), one.initial, tuple(value for value, _ in one.choices)
    if one.meaning == "steps" and choices:
        steps = {value: read_steps(label) for value, label in one.choices}
        initial, choices = steps.get(initial), tuple(filter(None, steps.values()))
    return Parameter(
        name=one.parameter,
        help=known.help if known else one.label,
        kind=known.kind if known else _find_kind(one),
        least=one.least if one.least is not None or known is None or choices else known.least,
        most=one.most if one.most is not None or known is None or choices else known.most,
        choices=() if one.is_open else choices,
        default=to_number(initial) if one.kind == "number" else initial,
        step=one.step or 0,
        own_name=one.name,
        title=one.label,
    )


def _find_kind(one: Input) -> type:
    if one.choices or one.kind == "string":
        return str
    if one.kind == "boolean":
        return bool
    numbers = [to_number(number) for number in (one.least, one.step, one.initial) if number is not None]
    return int if one.step is not None and all(isinstance(number, int) for number in numbers) else float
