"""What a `%%flux` cell asks for: its line and body read, its options as settings, its prompt as requests."""

from __future__ import annotations

import builtins
import json
import keyword
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..errors import InvalidRequest
from ..parameters import grammar, slips
from ..parameters.placeholders import expand
from ..parameters.settings import MOST_IMAGES, MOST_SWEPT, NAMES, Settings, resolve
from ..sweeps.axes import values_at
from ..sweeps.requests import Sweep, check_number, plan, sweep
from ..sweeps.template import Template, template, unread, varying
from ..types import ImageRequest


@dataclass(frozen=True, slots=True)
class Cell:
    """What one cell asks for.

    Attributes:
        options: as typed, by name.
        settings: what is the same for all its images.
        images: their requests, each to be shown by itself; or a sweep, for one sheet.
        notes: what a person should know before they are made.
    """

    options: Mapping[str, Any]
    settings: Settings
    images: list[ImageRequest] | Sweep
    notes: list[str] = field(default_factory=list)

    def described(self) -> str:
        """What would be sent, and where to."""
        from ..client.target import resolve_target

        swept = isinstance(self.images, Sweep)
        requests = self.images.requests if isinstance(self.images, Sweep) else self.images
        target = resolve_target(self.settings, requests[0].model)
        prepared = [target.provider.prepare(request) for request in requests]
        where = prepared[0].address
        if self.settings.space and target.space is not None:
            where = target.space.url or "the local Space (started when first needed)"
        sent = [json.dumps(one.values, ensure_ascii=False, indent=1) for one in prepared]
        return "\n".join([f"nothing was sent; it would go to {where}", *([str(self.images)] if swept else []), *sent])


def read(line: str, body: str | None, names: Mapping[str, object]) -> Cell:
    """A cell read: `names` are the notebook's.

    Raises InvalidRequest for whatever can be known to fail before anything is sent.
    """
    options, rest = grammar.parse_line(line, names=names)
    typed, quoted = _typed(line, rest, body, raw=bool(options.get("raw")))
    _check(options)
    settings = resolve(**settings_of(options))
    made, notes = _template(typed, options, names)
    images = _images(made, options, settings)
    _check_save(options, settings, images)
    return Cell(options, settings, images, [*quoted, *notes])


def _typed(line: str, rest: str, body: str | None, *, raw: bool) -> tuple[str, list[str]]:
    """Return the prompt as typed, and a note about quotes around it.

    Quotes around all of a line are the shell's habit, so they are left out. Those around a cell's body are sent: it is
    the prompt to the character, and cells of earlier versions have to send what they always did.

    Raises InvalidRequest for options in it, unless `raw` or `--` says that they are words of the prompt.
    """
    meant = raw or isinstance(rest, grammar.Verbatim)
    if not meant:
        grammar.check_options_first(rest, f"%flux {line[: len(line) - len(rest)]}".rstrip())
        grammar.check_options_first(body or "", f"%%flux {line}".rstrip(), in_body=True)
    typed = grammar.prompt_of(rest, body)
    if not meant and not (body or "").strip() and not typed.strip(" \n\t\"'“”‘’"):
        raise InvalidRequest("the prompt is empty, but for quotes: say in words what the image shows")
    inside = None if meant else slips.unwrap(typed)
    if inside is None:
        return typed, []
    if (body or "").strip():
        return typed, ["the prompt is sent with the quotes around it: take them off if they are not part of it"]
    return inside, [f"the prompt is sent without the quotes around it; to send them too: %flux -- {typed.strip()[:60]}"]


def _images(made: Template, options: Mapping[str, Any], settings: Settings) -> list[ImageRequest] | Sweep:
    # What is only described costs nobody anything.
    free = options.get("yes") or options.get("dry_run")
    count, most = options.get("count", 1), MOST_SWEPT if free else MOST_IMAGES
    varied = {name: value for name, value in options.items() if isinstance(value, grammar.Several)}
    if made.axes or varied:
        return sweep(made, settings, varied, count, most=most)
    if options.get("sweep"):
        raise InvalidRequest(f"--sweep finds nothing to vary: {_why(made)}")
    check_number(count, most)
    text = made.text(())
    return plan(text, settings, count, typed=None if text == made.typed else made.typed)


def _why(made: Template) -> str:
    """Why a prompt has no axis."""
    if made.missing:
        return f"there is no {{{made.missing[0]}}} in this notebook"
    if made.notes:
        return made.notes[0]
    return "put {red|blue} or a list {names} into the prompt, or give --seed 1..8"


def _template(typed: str, options: Mapping[str, Any], names: Mapping[str, object]) -> tuple[Template, list[str]]:
    """The prompt with its names put in, and what should be known of them."""
    notes: list[str] = []
    if options.get("raw"):
        return Template(typed, (typed,)), notes
    if options.get("sweep"):
        made = template(typed, names)
    else:
        text, missing = expand(typed, names)
        made = Template(typed, (text,), missing=tuple(missing))
        notes = [f"{slot[:40]} sent as one text: --sweep makes an image of each" for slot in varying(typed, names)]
        notes += unread(typed, names)
    notes += made.notes
    if made.missing:
        listed = ", ".join(f"{{{name}}}" for name in made.missing)
        notes.append(f"{listed} sent as typed: no such name in this notebook")
    return made, notes


def settings_of(options: Mapping[str, Any]) -> dict[str, Any]:
    """What is the same for all images of a cell, as settings."""
    once = {name: value for name, value in options.items() if not isinstance(value, grammar.Several)}
    given = {name: value for name, value in once.items() if name in NAMES}
    if "size" in options and options.keys() & {"width", "height"}:
        raise InvalidRequest("--size and --width or --height say the same twice: give --size alone, or the others")
    if "size" in once:
        given["width"], given["height"] = once["size"]
    if options.get("fresh"):
        given["replay"] = "off"
    if options.get("no_metadata"):
        given["metadata"] = False
    return given


def _check(options: Mapping[str, Any]) -> None:
    """What can be known to fail is known before anything is sent."""
    name = options.get("output", "")
    if keyword.iskeyword(name) or hasattr(builtins, name):
        raise InvalidRequest(f"--output {name}: this is a word of Python's own, give another name")
    if options.get("raw") and options.get("sweep"):
        raise InvalidRequest("--raw takes what is in braces as typed, and --sweep varies it: give one of them")


def _check_save(options: Mapping[str, Any], settings: Settings, images: list[ImageRequest] | Sweep) -> None:
    """Raise InvalidRequest if the images cannot be saved there, each under a name of its own."""
    from ..results import file_names
    from ..results.generation import expanded, save_target

    if not options.get("save"):
        return
    path = expanded(options["save"])
    swept = isinstance(images, Sweep)
    axes, requests = (images.axes, images.requests) if isinstance(images, Sweep) else ((), images)
    names = [axis.name for axis in axes]
    save_target(path, len(requests), names, sheet=swept or len(requests) > 1)
    if file_names.is_pattern(path):
        rows = [
            file_names.expect_values(request, place + 1) | (values_at(axes, place) if axes else {})
            for place, request in enumerate(requests)
        ]
        file_names.check_distinct(path, rows, names)
    # An image of a random seed is another one than that in the file.
    elif settings.seed is None and not options.get("overwrite") and Path(path).is_file():
        raise InvalidRequest(
            f"--save {options['save']}: this file is there already; give another name, or add --overwrite"
        )
