"""The reading of a `%%flux` cell: its line and body, its options as settings, its prompt as requests."""

from __future__ import annotations

import builtins
import json
import keyword
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ..errors import InvalidRequest, NotInStore
from ..parameters import grammar, slips
from ..parameters.options import collect_settings, read_own
from ..parameters.placeholders import escape_words, expand, fill_some_words
from ..parameters.settings import MOST_IMAGES, MOST_SWEPT, Settings, resolve
from ..results.words import OWN
from ..sweeps.axes import flatten, get_values
from ..sweeps.requests import Sweep, build_requests, build_sweep, check_number
from ..sweeps.template import Template, describe_unread, find_varying, read_template
from ..types import ImageRequest
from .inputs import find_given


@dataclass(frozen=True, slots=True)
class Cell:
    """The request of one cell.

    Attributes:
        options: as typed, by name.
        settings: the settings that all its images share.
        images: the requests of images that are shown one by one; or a sweep, for one sheet.
        notes: remarks for the user before the images are made.
    """

    options: Mapping[str, Any]
    settings: Settings
    images: list[ImageRequest] | Sweep
    notes: list[str] = field(default_factory=list)

    def describe(self) -> str:
        """Describe what would be sent, and where to."""
        from ..client.target import resolve_target

        swept = isinstance(self.images, Sweep)
        requests = self.images.requests if isinstance(self.images, Sweep) else self.images
        target = resolve_target(self.settings, requests[0].model)
        prepared = [target.prepare(request) for request in requests]
        where = prepared[0].address
        if self.settings.space and target.space is not None:
            where = target.space.url or "the local Space (started when first needed)"
        sent = [json.dumps(one.values, ensure_ascii=False, indent=1) for one in prepared]
        notes = [prepared[0].note] if prepared[0].note else []
        said = f"nothing was sent; it would go to {where}"
        return "\n".join([said, *([str(self.images)] if swept else []), *sent, *notes])


def read(line: str, body: str | None, names: Mapping[str, object]) -> Cell:
    """Read a cell; `names` are the notebook's.

    Raises InvalidRequest for any mistake that can be found before anything is sent.
    """
    options, rest = grammar.parse_line(line, names=names)
    typed, quoted = _unwrap_prompt(line, rest, body, raw=bool(options.get("raw")))
    _check(options)
    settings = resolve(**collect_settings(options))
    made, notes = _read_template(typed, options, names)
    images = _build_images(made, options, settings)
    _check_save(options, settings, images)
    settings, unfilled = _fill_words(settings, images, names, raw=bool(options.get("raw")))
    notes += unfilled
    if {"image", "mask"} & options.keys():
        given, left = find_given(options, names)
        images, notes = _add_inputs(images, given, settings, line), [*notes, *left]
    return Cell(options, settings, images, [*quoted, *notes])


def _fill_words(
    settings: Settings, images: list[ImageRequest] | Sweep, names: Mapping[str, object], *, raw: bool
) -> tuple[Settings, list[str]]:
    """Put the names into caption and alternative text, and note those that are missing.

    The names of an image's own values, such as `{seed}`, and of a sweep's axes stay: each image has its own.
    """
    filled: dict[str, Any] = {}
    notes: list[str] = []
    for option in ("caption", "alt"):
        if typed := getattr(settings, option):
            axes = {axis.name for axis in flatten(images.axes)} if isinstance(images, Sweep) else set()
            filled[option], missing = (escape_words(typed), []) if raw else fill_some_words(typed, names, {*axes, *OWN})
            notes += [f"{{{name}}} stays as typed in the {option}: no such name in this notebook" for name in missing]
    return replace(settings, **filled), notes


def _add_inputs(
    images: list[ImageRequest] | Sweep, given: Mapping[str, list[object]], settings: Settings, line: str
) -> list[ImageRequest] | Sweep:
    """Return the requests with the images that go in, which are loaded here, before anything is sent."""
    from ..client.given import add_inputs, load_given

    try:
        loaded = load_given(given, settings)
    except NotInStore as error:
        again = re.sub(r"(?i)\bsha256:\S+", "PATH", f"%%flux {line}".rstrip(), count=1)
        raise NotInStore(error.message, f"Give the image's file in its place: {again}") from None
    if isinstance(images, Sweep):
        return replace(images, requests=tuple(add_inputs(images.requests, loaded)))
    return list(add_inputs(images, loaded))


def _unwrap_prompt(line: str, rest: str, body: str | None, *, raw: bool) -> tuple[str, list[str]]:
    """Return the prompt as typed, and a note about quotes around it.

    Quotes around all of a line are the shell's habit, so they are left out. Those around a cell's body are sent: the
    body is the prompt, character by character. Cells of earlier versions have to send what they always did.

    Raises InvalidRequest for options in it, unless `raw` or `--` says that they are words of the prompt.
    """
    meant = raw or isinstance(rest, grammar.Verbatim)
    if not meant:
        grammar.check_options_first(rest, f"%flux {line[: len(line) - len(rest)]}".rstrip())
        grammar.check_options_first(body or "", f"%%flux {line}".rstrip(), in_body=True)
    typed = grammar.take_prompt(rest, body)
    if not meant and not (body or "").strip() and not typed.strip(" \n\t\"'“”‘’"):
        raise InvalidRequest("the prompt is empty except for quotes: say in words what the image shows")
    inside = None if meant else slips.unwrap(typed)
    if inside is None:
        return typed, []
    if (body or "").strip():
        return typed, ["the prompt is sent with the quotes around it: remove them if they are not part of it"]
    return inside, [f"the prompt is sent without the quotes around it; to send them too: %flux -- {typed.strip()[:60]}"]


def _build_images(made: Template, options: Mapping[str, Any], settings: Settings) -> list[ImageRequest] | Sweep:
    # A dry run costs nothing.
    free = options.get("yes") or options.get("dry_run")
    count, most = options.get("count", 1), MOST_SWEPT if free else MOST_IMAGES
    varied: dict[str, Any] = {name: value for name, value in options.items() if isinstance(value, grammar.Several)}
    varied |= {name: values for name, values in read_own(options).items() if len(values) > 1}
    has_images = bool({"image", "mask"} & options.keys())
    pairs = bool(options.get("zip"))
    if made.axes or varied:
        return build_sweep(made, settings, varied, count, most=most, has_images=has_images, pairs=pairs)
    if pairs or options.get("sweep"):
        name = "--zip" if pairs else "--sweep"
        raise InvalidRequest(f"{name} finds nothing to vary: {_explain_no_axis(made)}")
    check_number(count, most)
    text = made.fill(())
    typed = None if text == made.typed else made.typed
    return build_requests(text, settings, count, typed=typed, has_images=has_images)


def _explain_no_axis(made: Template) -> str:
    """Explain why a prompt has no axis."""
    if made.missing:
        return f"there is no {{{made.missing[0]}}} in this notebook"
    if made.notes:
        return made.notes[0]
    return "put {red|blue} or a list {names} into the prompt, or give --seed 1..8"


def _read_template(typed: str, options: Mapping[str, Any], names: Mapping[str, object]) -> tuple[Template, list[str]]:
    """Return the prompt with its names filled in, and notes about them."""
    notes: list[str] = []
    if options.get("raw"):
        return Template(typed, (typed,)), notes
    if options.get("sweep") or options.get("zip"):
        made = read_template(typed, names, repeats=bool(options.get("zip")))
    else:
        text, missing = expand(typed, names)
        made = Template(typed, (text,), missing=tuple(missing))
        notes = [f"{slot[:40]} sent as a whole: --sweep makes an image of each" for slot in find_varying(typed, names)]
        notes += describe_unread(typed, names)
    notes += made.notes
    if made.missing:
        listed = ", ".join(f"{{{name}}}" for name in made.missing)
        notes.append(f"{listed} sent as typed: no such name in this notebook")
    return made, notes


def check_name(name: str, called: str = "--output") -> None:
    """Raise InvalidRequest for a name that Python reserves; `called` says where it was typed."""
    if keyword.iskeyword(name) or hasattr(builtins, name):
        raise InvalidRequest(f"{called} {name}: this is a reserved word of Python, give another name")


def _check(options: Mapping[str, Any]) -> None:
    """Raise InvalidRequest for options that are known to fail before anything is sent."""
    check_name(options.get("output", ""))
    if options.get("raw") and (varies := [name for name in ("sweep", "zip") if options.get(name)]):
        raise InvalidRequest(f"--raw takes what is in braces as typed, and --{varies[0]} varies it: give one of them")


def _check_save(options: Mapping[str, Any], settings: Settings, images: list[ImageRequest] | Sweep) -> None:
    """Raise InvalidRequest if the images cannot be saved there, each under a name of its own."""
    from ..results import file_names
    from ..results.generation import check_target, expand_path

    if not options.get("save"):
        return
    path = expand_path(options["save"])
    swept = isinstance(images, Sweep)
    axes, requests = (images.axes, images.requests) if isinstance(images, Sweep) else ((), images)
    names = [axis.name for axis in flatten(axes)]
    own = {name for request in requests for name in request.parameters}
    check_target(path, len(requests), [*names, *own], sheet=swept or len(requests) > 1)
    if file_names.is_pattern(path):
        rows = [
            file_names.expect_values(request, place + 1) | (get_values(axes, place) if axes else {})
            for place, request in enumerate(requests)
        ]
        file_names.check_distinct(path, rows, names)
    # With a random seed the new image differs from the one in the file.
    elif settings.seed is None and not options.get("overwrite") and Path(path).is_file():
        raise InvalidRequest(
            f"--save {options['save']}: this file already exists; give another name, or add --overwrite"
        )
