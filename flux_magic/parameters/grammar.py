"""The grammar of a `%%flux` cell, both ways: a string to options and prompt, and a record to its cell.

A line is options first (`--name value` or `--name=value`; quotes around a value with spaces), then the
prompt, raw; `--` ends the options. In a prompt `{name}` is the value of a name of the notebook, and
`{{name}}` is a literal `{name}`; everything else stays as it was typed. Options within a prompt are a mistake,
unless `--` or `--raw` says that they are words of it.
"""

from __future__ import annotations

import difflib
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ..errors import STEERING, InvalidRequest
from . import slips
from .dialects import explain
from .lists import is_many, list_items, name_kind
from .own_values import parse_assignment
from .settings import INLINE, MAX_SECONDS, MOST_AT_ONCE, MOST_SWEPT, SECONDS
from .sizes import format_size, parse_size, suggest_size
from .table import PARAMETERS, SWEPT, Parameter

SIZES = ("512x512", "768x768", "1024x1024", "1024x768", "768x1024", "1344x768", "768x1344", "2048x1024")
"""Sizes that Tab offers for `--size`; any other within the Space's bounds is as good."""

_SIZES = "512x512,768x512"


@dataclass(frozen=True, slots=True)
class Option:
    """One option of the magics: its flags, the reader of its value (None if it takes no value), and its help.

    One that is repeated may be given several times: its value is a list. `may_be_empty` is True if `""` is a value, and
    `is_words` if a person's sentence is: within its quotes a backslash is before a quote, or before another backslash.
    """

    flags: tuple[str, ...]
    help: str
    read: Callable[[str, str], object] | None = None
    metavar: str = ""
    is_repeated: bool = False
    may_be_empty: bool = False
    is_words: bool = False

    @property
    def name(self) -> str:
        flag = self.flags[0].lstrip("-").replace("-", "_")
        return next((row.name for row in PARAMETERS if self.flags == row.flags), flag)


def _read_integer(row: Parameter) -> Callable[[str, str], object]:
    def read(flag: str, text: str) -> int:
        if not re.fullmatch(r"[+-]?[0-9]{1,18}", text) or not row.is_allowed(int(text)):
            raise InvalidRequest(f"{flag} {text[:70]}: give {row.allowed}")
        return int(text)

    return read


def _read_integer_from(least: int, most: int | None = None) -> Callable[[str, str], object]:
    return _read_integer(Parameter(name="number", help="", least=least, most=most))


def _number(row: Parameter) -> Callable[[str, str], object]:
    def read(flag: str, text: str) -> float:
        try:
            return float(row.check(float(text)))
        except (ValueError, InvalidRequest):
            raise InvalidRequest(f"{flag} {text[:70]}: give {row.allowed}") from None

    return read


def _read_seconds(flag: str, text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0
    if not 0 < seconds < MAX_SECONDS:
        raise InvalidRequest(f"{flag} {text}: give {SECONDS}, for example {flag} 90")
    return seconds


def _read_size(flag: str, text: str) -> tuple[int, int]:
    if (size := parse_size(text)) is None:
        raise InvalidRequest(f"{flag} {text}: give width x height in pixels, for example {flag} 1024x768")
    return size


class Several(tuple[Any, ...]):
    """The values of an option that was given more than one, in the order typed; the same twice only for pairs."""

    __slots__ = ()


def _read_several(read: Callable[[str, str], object], example: str = "1,2,4 or 1..8") -> Callable[[str, str], object]:
    """Return a reader of one value as `read` takes it, or of several: `1,2,4`, `1..8`, `1..9..2`."""
    suggest = suggest_size if read is _read_size else slips.suggest_numbers

    def read_some(flag: str, text: str) -> object:
        texts = _split_values(flag, text, example)
        try:
            values = [read(flag, one) for one in texts]
        except InvalidRequest as error:
            if texts == [text] and ".." not in text:
                raise
            raise InvalidRequest(f"{error.message}; write several without spaces: {flag} {example}") from None
        return values[0] if len(values) == 1 else Several(values)

    def read_all(flag: str, text: str) -> object:
        try:
            return read_some(flag, text)
        except InvalidRequest as error:
            if more := _suggest_value(read_some, flag, text, suggest(text)):
                raise InvalidRequest(f"{error.message}; {more}") from None
            raise

    return read_all


def _split_values(flag: str, text: str, example: str) -> list[str]:
    """Return the single values of `1,2,4` or `1..8`, each as typed."""
    parts = text.split(",")
    if "" in parts:
        raise InvalidRequest(f"{flag} {text[:40]}: a value is missing; write several without spaces: {flag} {example}")
    if any(re.fullmatch(r"0[0-9]{2}", part) for part in parts[1:]):
        raise InvalidRequest(f"{flag} {text[:40]}: write a number without commas in it; several are {example}")
    if len(parts) > MOST_SWEPT:
        raise InvalidRequest(f"{flag} {text[:40]}: {len(parts)} values are more than {MOST_SWEPT}")
    counted = [_count_range(flag, part) for part in parts]
    if (number := sum(map(len, counted))) > MOST_SWEPT:
        raise InvalidRequest(f"{flag} {text[:40]}: {number} values are more than {MOST_SWEPT}")
    return [str(one) for part in counted for one in part]


_NO_SEED = re.compile(r"[-\u2212\u2013]\s*\d+|rand(om)?|none|null|auto|any|\?", re.IGNORECASE)


def _suggest_value(read: Callable[[str, str], object], flag: str, text: str, suggested: str) -> str:
    """Return what a value that cannot be read was probably meant as, in words, or ""."""
    if flag in {"--seed", "Seeds"} and _NO_SEED.fullmatch(text.strip()):
        return f"leave {flag} {'out' if flag == '--seed' else 'empty'} for a random one"
    if not suggested or suggested == text:
        return ""
    try:
        read(flag, suggested)
    except InvalidRequest:
        return ""
    return f"did you mean {f'{flag} ' if flag.startswith('-') else ''}{suggested}?"


def _count_range(flag: str, part: str) -> Sequence[object]:
    """Return the integers that a range counts, up or down; what is no range alone."""
    match = re.fullmatch(r"([0-9]{1,10})\.\.([0-9]{1,10})(?:\.\.([0-9]{1,10}))?", part)
    if match is None:
        return [part]
    first, last, step = int(match[1]), int(match[2]), int(match[3] or 1)
    if step == 0:
        raise InvalidRequest(f"{flag} {part}: it would count in steps of 0")
    numbers = range(first, last + 1, step) if first <= last else range(first, last - 1, -step)
    if len(numbers) > MOST_SWEPT:
        raise InvalidRequest(f"{flag} {part}: {len(numbers)} values are more than {MOST_SWEPT}")
    return numbers


def parse_value(name: str, text: str, called: str) -> object:
    """Return an option's value from a string, as `--name text` would give it; spaces around commas are allowed.

    Raises InvalidRequest as `parse_line`, which calls the option what it is `called`.
    """
    return parse_values(next(row for row in PARAMETERS if row.name == name), text, called)


def parse_values(row: Parameter, text: str, called: str) -> object:
    """Return the value that a text gives a parameter, or Several, as `parse_value`; the parameter may be a model's."""
    read = _make_option(row).read
    assert read is not None, f"{row.name} takes no value"  # noqa: S101 - a slip of ours
    typed = re.sub(r"\s*(,|\.\.)\s*", r"\1", text.strip())
    value = read(called, typed)
    _check_repeats(called, typed, value)
    return value


def _check_repeats(flag: str, typed: str, value: object) -> None:
    """Raise InvalidRequest if one of several values occurs twice."""
    if isinstance(value, Several) and (twice := [one for one, count in Counter(value).items() if count > 1]):
        raise InvalidRequest(f"{flag} {typed[:40]}: {_format_value(twice[0])} occurs twice")


def format_values(values: Sequence[object]) -> str:
    """Return several values as they are typed: `1..8`, `1,2,4`, `512x512,768x512`."""
    texts = [_format_value(value) for value in values]
    ascending = all(type(value) is int for value in values) and list(values) == list(
        range(int(texts[0]), int(texts[0]) + len(texts))
    )
    return f"{texts[0]}..{texts[-1]}" if ascending and len(texts) > 2 else ",".join(texts)


def _format_value(value: object) -> str:
    if isinstance(value, tuple):
        return format_size(*value)
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def _read_keep(flag: str, text: str) -> list[int | str]:
    """Return numbers of images from 1, and digests, as `1,4,7`, `1..3` and `1a2b3c4d5e6f` name them."""
    kept: list[int | str] = []
    for part in _split_values(flag, text, "1,4,7 or 1..3"):
        digest = part.removeprefix("sha256:")
        if re.fullmatch(r"[0-9]{1,5}", part):
            kept.append(int(part))
        elif re.fullmatch(r"[0-9a-f]{6,64}", digest):
            kept.append(digest)
        else:
            raise InvalidRequest(f"{flag} {text[:60]}: give numbers, {flag} 1,4,7, or at least 6 digits of digests")
    return kept


def _read_choice(*choices: str) -> Callable[[str, str], object]:
    def read(flag: str, text: str) -> str:
        if text not in choices:
            raise InvalidRequest(f"{flag} {text}: choose one of {', '.join(choices)}")
        return text

    return read


def read_name(flag: str, text: str) -> str:
    """Return a name for a result in the notebook. Raises InvalidRequest."""
    if re.search(r"[/\\]|\.\w+$", text):
        more = "; --save writes a file" if flag.startswith("-") else ""
        raise InvalidRequest(f"{flag} {text[:70]}: that names the result in the notebook{more}")
    if not text.isidentifier():
        example = f"{flag} fox" if flag.startswith("-") else "fox"
        raise InvalidRequest(f"{flag} {text}: give a name that Python takes, for example {example}")
    return text


def _make_option(row: Parameter) -> Option:
    """Return the option that sets a parameter of the table."""
    read: Callable[[str, str], object]
    if row.kind is tuple:
        read = _read_size
    elif row.kind is str:
        read = _read_choice(*map(str, row.choices)) if row.choices else _read_any if row.may_be_empty else _read_string
    else:
        read = _number(row) if row.kind is float else _read_integer(row)
    example = _SIZES if row.kind is tuple else "1,2,4 or 1..8"
    if row.sweepable and row.kind is not str:  # a comma is a part of a string
        read = _read_several(read, example)
    return Option(row.flags, row.help, read, row.example, may_be_empty=row.may_be_empty)


def _read_batch(flag: str, text: str) -> object:
    return text if text == "auto" else _read_integer_from(1, MOST_AT_ONCE)(flag, text)


def _read_string(flag: str, text: str) -> str:
    if not text:
        raise InvalidRequest(f"{flag} is empty: give a value, or leave the option out")
    return text


def _read_any(_flag: str, text: str) -> str:
    return text


def _make_words(flag: str, help: str, example: str) -> Option:  # noqa: A002 - what it is
    return Option((flag,), help, _read_any, f'"{example}"', may_be_empty=True, is_words=True)


OPTIONS = (
    *map(_make_option, PARAMETERS),
    Option(
        ("--set",),
        "a parameter of the model by its own name; give it several times for several",
        parse_assignment,
        "shift=4.0",
        is_repeated=True,
        may_be_empty=True,
    ),
    Option(
        ("--image",),
        "an image that goes in: a name of the notebook, a file, a URL, or sha256: and a digest; also several times",
        _read_string,
        "fox",
        is_repeated=True,
    ),
    Option(("--mask",), "an image of the same size, white where the other may change", _read_string, "mask.png"),
    Option(("--count", "-n"), "number of images, each with the next seed", _read_integer_from(1), "4"),
    Option(("--sweep",), "make an image for each of {red|blue}, and for each item of a list {names} in the prompt"),
    Option(("--zip",), "walk all that has several values together, an image for each pair, not for each combination"),
    Option(
        ("--concurrency",),
        f"images of a sweep that are made at once (default 4, at most {MOST_AT_ONCE})",
        _read_integer_from(1, MOST_AT_ONCE),
        "4",
    ),
    Option(("--model",), "the model's name", _read_string, "flux"),
    Option(("--provider",), "the engine: space (the default), inference, or another's name", _read_string, "space"),
    Option(
        ("--cluster",), "a Dask cluster that makes the images: local, or a scheduler's address", _read_string, "local"
    ),
    Option(("--batch",), "images of one shape that diffusers makes at once, or auto", _read_batch, "4"),
    Option(("--space",), "a Hugging Face id or page, an app's URL, or local", _read_string, "local"),
    Option(("--proxy",), "an http proxy", _read_string, "http://proxy.example:3128"),
    Option(("--timeout",), "the most seconds that a whole image may take", _read_seconds, "90"),
    Option(("--output",), "a name for the result in the notebook", read_name, "fox"),
    Option(
        ("--save",),
        "a file, a folder, or a pattern of {prompt} {seed} {steps} {size} {model} {digest} {n}",
        _read_string,
        "fox.png",
    ),
    Option(("--overwrite",), "let --save replace another image"),
    Option(("--inline",), "how the notebook keeps the image: png, jpeg, or a link", _read_choice(*INLINE), "png"),
    Option(("--only-image",), "show the image without the table and the cell below it"),
    Option(("--no-only-image",), "show the table and the cell, although %config leaves them out"),
    _make_words("--caption", 'words under the image, with {names} of the notebook; "" for none', "The first scene"),
    _make_words("--alt", 'alternative text of the image; "" for the prompt', "A fox in mist"),
    Option(("--raw",), "take {names} in the prompt as typed"),
    Option(("--dry-run",), "show what would be sent, and send nothing"),
    Option(("--fresh",), "ask the Space, even if the image is in the store"),
    Option(("--no-metadata",), "don't embed the generation parameters in the file"),
    Option(("--strip-credentials",), "remove the image's signature (C2PA) from its file, and put the record inside"),
    Option(("--sign",), "sign the image's file with your own key (content credentials, C2PA)"),
    Option(("--no-sign",), "don't sign it, although %config says so"),
    Option(("--quiet",), "show no progress"),
    Option(("--yes",), "allow more than 16 images in one cell"),
)

HISTORY_OPTIONS = (
    Option(("--last", "-n"), "how many, the newest first (default 20)", _read_integer_from(1), "50"),
    Option(("--search",), "those whose prompt has all these words", _read_string, "fox"),
    Option(("--model",), "those whose model's name has all these words", _read_string, "schnell"),
    *(_make_option(replace(row, sweepable=False)) for row in PARAMETERS),
    Option(
        ("--set",),
        "those with a model's own parameter; also several times",
        parse_assignment,
        "shift=4.0",
        is_repeated=True,
    ),
    Option(("--after",), "those since this day, or a time in ISO 8601, in UTC", _read_string, "2026-11-26"),
    Option(("--before",), "those before it", _read_string, "2026-12-01"),
    Option(("--starred",), "those with a star; is:starred in the words does the same"),
    Option(
        ("--tag",),
        "those with this tag, as #fox in the words; also several times",
        _read_string,
        "fox",
        is_repeated=True,
    ),
    Option(
        ("--mark",),
        "give the image of this digest a star, tags or both, by --starred and --tag; also several times",
        _read_string,
        "1a2b3c4d5e6f",
        is_repeated=True,
    ),
    Option(
        ("--unmark",),
        "take these off it; without --starred and --tag, all of them",
        _read_string,
        "1a2b3c4d5e6f",
        is_repeated=True,
    ),
    Option(("--delete",), "delete the image of this digest from the store", _read_string, "1a2b3c4d5e6f"),
    Option(("--clean",), "list what could go from the store: partial files, images without a record"),
    Option(("--yes",), "with --clean: delete it"),
)
"""The options of `%flux_history`."""

VERIFY_OPTIONS = (
    Option(("--static",), "only compare with the records: no Space is contacted"),
    Option(("--space",), "regenerate all of them on this Space: an id, a URL, or local", _read_string, "local"),
    Option(("--provider",), "ask this engine for the images that it made", _read_string, "inference"),
    Option(("--concurrency",), "how many at once (default 2)", _read_integer_from(1, MOST_AT_ONCE), "4"),
    Option(("--html",), "write a page with the pairs side by side", _read_string, "report.html"),
    Option(("--json",), "write the results as JSON", _read_string, "report.json"),
)
"""The options of `%flux_verify`."""

_OF_PANEL = {*(row.name for row in PARAMETERS), "set", "image", "mask", "count", "model", "provider", "space"}

PANEL_OPTIONS = (
    *(option for option in OPTIONS if option.name in _OF_PANEL),
    Option(("--new",), "start over, in place of what was set when this cell last ran"),
)
"""The options of `%flux_panel`."""

STATUS_OPTIONS = (
    *(option for option in OPTIONS if option.name in {"space", "model", "provider"}),
    Option(("--debug",), "show each job under way and what it waits for; no Space is contacted"),
)
"""The options of `%flux_status`."""

RECALL_OPTIONS = (Option(("--panel",), "open the control panel with it, in place of a cell"),)
"""The options of `%flux_recall`."""

PICK_OPTIONS = (
    Option(("--keep",), "the images to keep, by their numbers or digests, in this order", _read_keep, "1,4,7"),
    *(option for option in OPTIONS if option.name == "output"),
)
"""The options of `%flux_pick`."""

_NUMBERS = frozenset({*(row.name for row in PARAMETERS if row.kind is not str), "count", "concurrency", "timeout"})
"""Options whose value may be a name: not where images go or come from, as a cell out of an image may say that."""

_BY_FLAG = {flag: option for option in OPTIONS for flag in option.flags}
_TAKES = {
    flag: "" if option.read is None else "number" if option.name in _NUMBERS else "text"
    for flag, option in _BY_FLAG.items()
}
_QUOTES = {'"': '"', "'": "'", "“": "”"}
_WORD = re.compile(
    r"""\s*((?:"[^"]*"|'[^']*'|“[^”]*”|[^\s"'“])(?:"[^"]*"|'[^']*'|“[^”]*”|[^\s"'“])*|["'“].*)""", re.DOTALL
)
_SENTENCE = r"""(?:"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|“[^”]*”|\\["']|[^\s"'“])+"""
_WORD_OF_SENTENCE = re.compile(rf"""\s*({_SENTENCE}|["'“].*)""", re.DOTALL)
"""A word of a line, and the same where a backslash may be before a quote."""


_MOST_LOOKED_AT = 1000
"""Characters behind an option in which a message looks for what belongs to it."""


class Verbatim(str):
    """A prompt after `--`, in which everything is meant as written."""

    __slots__ = ()


def parse_line(
    line: str, offered: Sequence[Option] = OPTIONS, magic: str = "%flux", names: Mapping[str, object] | None = None
) -> tuple[dict[str, Any], str]:
    """Split a magic's line into its options (by name) and the prompt that follows them, raw.

    With `names`, those of the notebook, a number may be a `{name}`, and several a list's. A prompt behind `--` is
    Verbatim.

    Raises InvalidRequest for an option that is not one of those `offered`, and for a value that is missing or not
    allowed.
    """
    options, rest = _split_line(line, offered, magic, names)
    for option in () if options.get("zip") else offered:  # a list that is walked together with others may repeat itself
        value = options.get(option.name)
        if isinstance(value, Several):
            _check_repeats(option.flags[0], ",".join(map(_format_value, value)), value)
    return options, rest


def _split_line(
    line: str, offered: Sequence[Option], magic: str, names: Mapping[str, object] | None
) -> tuple[dict[str, Any], str]:
    options: dict[str, Any] = {}
    position = 0
    while match := _WORD.match(line, position):
        word = match[1]
        if not word.startswith("-") or word == "-":
            return options, line[match.start(1) :]
        position = match.end()
        if word == "--":
            return options, Verbatim(line[position:].removeprefix(" "))
        option = _find_option(word, line[position : position + _MOST_LOOKED_AT], offered, magic)
        if option.is_words and (longer := _WORD_OF_SENTENCE.match(line, match.start())):
            word, position = longer[1], longer.end()
        position = _take_option(options, option, word, line, position, names)
    return options, ""


def parse_around(line: str, offered: Sequence[Option], magic: str) -> tuple[dict[str, Any], str]:
    """Split a line as `parse_line` does, with options behind the words as well: no prompt follows.

    A word in quotes, and what follows `--`, is no option.
    """
    if re.match(r"\s*-\d", line):  # a number
        return {}, line.strip()
    options, words = parse_line(line, offered, magic)
    kept: list[str] = []
    while not isinstance(words, Verbatim) and (match := _take_next_option(words)):
        kept.append(words[: match.start()])
        more, words = parse_line(words[match.end() :], offered, magic)
        options |= more
    return options, " ".join([*kept, words]).strip()


def _take_next_option(words: str) -> re.Match[str] | None:
    quoted_or_option = re.finditer(r"""(?<!\S)("[^"]*"|'[^']*')(?!\S)|(?:\A|\s)(?=--?[^\W\d]|--(?!\S))""", words)
    return next((match for match in quoted_or_option if match[1] is None), None)


def _find_option(word: str, after: str, offered: Sequence[Option], magic: str) -> Option:
    flag, _, value = word.partition("=")
    if found := next((option for option in offered if flag in option.flags), None):
        return found
    if other := _BY_FLAG.get(flag):
        raise InvalidRequest(f"{magic} takes no {other.flags[0]}: that is an option of %flux")
    following = _WORD.match(after)
    raise _make_unknown_error(flag, value or (following[1] if following else ""), offered, magic)


def _take_option(
    options: dict[str, Any], option: Option, word: str, line: str, position: int, names: Mapping[str, object] | None
) -> int:
    flag, equals, value = word.partition("=")
    if option.read is None:
        if equals:
            other = f", or {off}" if (off := flag.replace("--", "--no-", 1)) in _BY_FLAG else ""
            raise InvalidRequest(f"{flag} takes no value: write {flag} alone{other}")
        options[option.name] = True
        return position
    if not equals:
        following = (_WORD_OF_SENTENCE if option.is_words else _WORD).match(line, position)
        if following is None or following[1].startswith("--") or following[1] in _BY_FLAG:
            raise InvalidRequest(f"{flag} needs a value, for example {flag} {option.metavar}")
        value, position = following[1], following.end()
    _check_quotes(flag, value, line[position : position + 1], is_words=option.is_words)
    if (not value and equals) or (option.is_repeated and value.endswith("=")):
        other = 'or "" for an empty one' if option.may_be_empty else "or leave the option out"
        raise InvalidRequest(f"{f'{flag} {value}'.rstrip()} is empty: give a value, {other}")
    if (
        option.name in SWEPT
        and option.name in _NUMBERS
        and (
            more := slips.find_spread(value, line[position : position + _MOST_LOOKED_AT], is_size=option.name == "size")
        )
    ):
        _refuse_spread(flag, option, value + more)
    value = _unquote_sentence(value) if option.is_words else _unquote(value)
    if names is not None and option.name in _NUMBERS:
        value = _expand_names(flag, value, names)
    read = option.read(flag, value)
    options[option.name] = [*options.get(option.name, []), read] if option.is_repeated else read
    return position


def _check_quotes(flag: str, value: str, after: str, *, is_words: bool) -> None:
    """Raise InvalidRequest for a quote that is not closed in a value, or right `after` it."""
    if is_words and (after in _QUOTES or (value and not re.fullmatch(_SENTENCE, value))):
        how = rf"""put a backslash before a quote in quotes, as in {flag} "the \"first\" fox's\""""
        raise InvalidRequest(f"{flag} {value[:40]}: a quote is not closed; {how}")
    if not is_words and value[:1] in _QUOTES and not value.endswith(_QUOTES[value[0]], 1):
        raise InvalidRequest(f"{flag} {value[:40]}: the quote is not closed")


def _refuse_spread(flag: str, option: Option, typed: str) -> None:
    """Raise InvalidRequest for a value with spaces in it: `1 2 3`, `1 - 4`, `1024 x 768`."""
    suggested = suggest_size(typed) if option.name == "size" else slips.suggest_numbers(typed)
    written = f"a value has no spaces, write {flag} {suggested or option.metavar}"
    raise InvalidRequest(f"{flag} {typed}: {written}; a prompt that begins with a number comes after --")


def _expand_names(flag: str, text: str, names: Mapping[str, object]) -> str:
    """Return what was typed for a number, with names replaced by their values."""

    def value(match: re.Match[str]) -> str:
        if match[1] not in names:
            raise InvalidRequest(f"{flag} {text[:70]}: there is no {match[0]} in this notebook")
        found = names[match[1]]
        if flag == "--size" and isinstance(found, tuple) and len(found) == 2 and all(isinstance(n, int) for n in found):
            return format_size(*found)
        items = list_items(found)
        if items is None and is_many(found):
            raise InvalidRequest(f"{flag} {text[:70]}: {match[0]} is a {name_kind(found)}; give a list of numbers")
        return _format_value(found) if items is None else ",".join(map(_format_value, items))

    return re.sub(NAME, value, text)


def quote(value: str) -> str | None:
    """Return a value as it is typed on a magic's line, in quotes if it needs them; None if none keep it as it is."""
    if _WORD_ALONE.fullmatch(value):
        return value
    if re.search(rf"[{_LINE_ENDS}{STEERING}\xa0]", value):
        return None
    return next((f"{mark}{value}{mark}" for mark in "\"'" if mark not in value), None)


def _unquote(value: str) -> str:
    return re.sub(r"""(["'])(.*?)\1|“(.*?)”""", lambda match: match[2] or match[3] or "", value)


def _unquote_sentence(value: str) -> str:
    """Return words without the quotes around them, and without the backslash before a quote or a backslash."""

    def take(match: re.Match[str]) -> str:
        inside = next((one for one in match.groups() if one is not None), "")
        return inside if match[3] is not None else re.sub(r"""\\(["'\\])""", r"\1", inside)

    return re.sub(r""""((?:\\.|[^"\\])*)"|'((?:\\.|[^'\\])*)'|“([^”]*)”|(\\["'])""", take, value, flags=re.DOTALL)


def _make_unknown_error(flag: str, value: str, offered: Sequence[Option], magic: str) -> InvalidRequest:
    if flag in {"--help", "-h"}:
        return InvalidRequest(f"{magic}? shows every option with an example")
    flags = [flag for option in offered for flag in option.flags]
    explained = explain(flag, flags, value) if "--steps" in flags else _suggest_nearest(flag, flags)
    if explained and not explained.endswith("?"):
        return InvalidRequest(f"unknown option {flag}: {explained}")
    known = " ".join(option.flags[0] for option in offered)
    return InvalidRequest(
        f"unknown option {flag}: {explained}{explained and ' '}There are {known}; "
        f"a {'prompt' if '--steps' in flags else 'word'} that begins with a dash comes after --"
    )


def _suggest_nearest(flag: str, flags: Sequence[str]) -> str:
    close = difflib.get_close_matches(flag, flags, n=1)
    return f"did you mean {close[0]}?" if close else ""


def check_options_first(prompt: str, typed: str = "%flux", *, in_body: bool = False) -> None:
    """Raise InvalidRequest for a prompt with options in it, unless it is Verbatim.

    `typed` is the magic with the options that are in their place.
    """
    if isinstance(prompt, Verbatim):
        return
    if found := slips.find_slips(prompt, _TAKES):
        raise InvalidRequest(slips.describe_slips(found, typed, prompt, in_body=in_body))


def take_prompt(line: str, body: str | None) -> str:
    """Return the prompt as typed: the cell's body without its last line end, or the rest of the magic's line.

    Raises InvalidRequest if there is text in both places, or in neither.
    """
    typed = (body or "").removesuffix("\n")
    if line.strip() and typed.strip():
        raise InvalidRequest(
            f"the prompt is in two places: put {line.strip()[:40]!r} into the cell's body, or leave the body empty"
        )
    if not typed.strip() and not line.strip():
        raise InvalidRequest("the prompt is empty: say in words what the image shows, after %flux or below %%flux")
    return typed if typed.strip() else line


NAME = r"\{([^\W\d]\w*)\}"
"""The pattern of a {name} in a prompt."""

_NAMES = re.compile(rf"\{{{NAME}\}}|{NAME}")


# IPython removes interpreter prompts from a pasted cell and empties lines of spaces before a magic sees it. A lone
# surrogate or a NUL does not survive the way to a kernel; a CR, a no-break space or a final line end is lost on the
# clipboard; a terminal obeys control characters. Such a prompt goes into a Python string.
_LINE_ENDS = r"\n\r\v\f\x1c-\x1e\x85\u2028\u2029"
_NO_CELL = re.compile(
    rf"(?:\A|[{_LINE_ENDS}])[^\S{_LINE_ENDS}]*(?:>>>|\.\.\.|(?:\[(?:ins|nav)\] ?)?In ?\[)"
    rf"|^[^\S\n]+$|[{STEERING}\xa0]|\n\Z",
    re.MULTILINE,
)

# A Space or model named in somebody else's image may contain spaces, and options after them.
_WORD_ALONE = re.compile(rf"""(?!-)[^\s"'“”{STEERING}]+(?<!=)""")
