"""Probable mistakes in a prompt: options, quotes around it, or numbers of a list."""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from . import dialects
from .table import PARAMETERS

_LONG_DASHES: Final = "\u2010\u2011\u2012\u2013\u2014\u2015\u2212\ufe58\ufe63\uff0d"
_WORD: Final = re.compile(
    rf"(?<!\S)(?P<dashes>[-{_LONG_DASHES}]{{1,3}})(?P<name>[^\W\d][\w{_LONG_DASHES}-]*)(?:=(?P<value>\S*))?(?P<end>[,;]?)(?!\S)"
)
_ASSIGNED: Final = re.compile(
    rf"(?<!\S)[,(]?(?P<name>{'|'.join(row.name for row in PARAMETERS)})=(?P<value>[\"']?\d[\dx.,\"']*)\)?(?!\S)"
)
_QUOTED: Final = re.compile(r"(?<!\S)\(?(?:\"[^\"\n]*\"|“[^“”\n]*”|„[^„“”\n]*[“”]|«[^«»\n]*»)")
_VALUE: Final = re.compile(r"\s+(?P<value>[“\"']?\d\S*|\{\w+\}|random\b|none\b)", re.IGNORECASE)
_ANY_VALUE: Final = re.compile(r"""\s+(?P<value>"[^"]*"|'[^']*'|“[^”]*”|[^\s"'“-]\S*)""")

_PAIRS: Final = (('"""', '"""'), ("'''", "'''"), ('"', '"'), ("'", "'"), ("“", "”"), ("„", "“"), ("„", "”"),
                 ("‘", "’"), ("«", "»"))  # fmt: skip


@dataclass(frozen=True, slots=True)
class Slip:
    """A word within a prompt that is an option of ours or of another tool.

    Attributes:
        typed: as typed, with its value where that tells what was meant.
        place: of `typed` in the prompt.
        option: as it has to be typed, with its value; empty for another tool's.
        answer: to another tool's word.
    """

    typed: str
    place: int
    option: str = ""
    answer: str = ""


def find_slips(prompt: str, flags: Mapping[str, str]) -> list[Slip]:
    """Return the words of a prompt that are options, in their order; what is in double quotes is none.

    `flags` are our own options, and the values that they take: "number", "text", or "" for none.
    """
    quoted = [match.span() for match in _QUOTED.finditer(prompt)]
    found = [*_find_dashed(prompt, flags), *_find_assigned(prompt)]
    starts = [start for start, _ in quoted]

    def is_free(slip: Slip) -> bool:
        before = bisect_right(starts, slip.place) - 1
        return before < 0 or slip.place >= quoted[before][1]

    return sorted(filter(is_free, found), key=lambda slip: slip.place)


def _find_dashed(prompt: str, flags: Mapping[str, str]) -> Iterator[Slip]:
    own, end = {dialects.remove_dashes(flag): flag for flag in flags}, len(prompt.rstrip())
    for match in _WORD.finditer(prompt):
        name = re.sub(rf"[{_LONG_DASHES}]", "-", match["name"])
        flag = own.get(name) or own.get(dialects.remove_dashes(name).lower() if len(name) > 1 else name)
        number = match["value"] or _take_value(_VALUE, prompt, match.end())
        if flag and _means_option(match["dashes"], flag, number, takes_value=flags[flag] != ""):
            any_value = number or (_take_value(_ANY_VALUE, prompt, match.end()) if flags[flag] == "text" else "")
            value = any_value if flags[flag] else ""
            yield Slip(_join_typed(match, value), match.start(), f"{flag} {value}".rstrip())
        elif not flag and (
            answer := _answer_foreign(match["dashes"], name, number, list(flags), is_last=match.end() >= end)
        ):
            yield Slip(match[0].rstrip(",;"), match.start(), answer=answer)


def _means_option(dashes: str, flag: str, number: str, *, takes_value: bool) -> bool:
    """Return True if a word with these dashes before it is an option: `--raw`, `-n`, `—seed`, `-steps 4`."""
    if dashes == "--" or dashes + dialects.remove_dashes(flag) == flag or len(dashes) == 3:
        return True
    if dashes == "-" or flag == "-n":
        return takes_value and bool(number)
    return True


def _answer_foreign(dashes: str, name: str, number: str, flags: list[str], *, is_last: bool) -> str:
    """Return the answer to another tool's option, or "" if it may be a word of the prompt."""
    if dashes == "--" and number:
        return dialects.explain(name, flags, number)
    if number or (dashes == "--" and (len(name) > 1 or is_last)):
        return dialects.find_answer(name, number)
    return ""


def _find_assigned(prompt: str) -> Iterator[Slip]:
    for match in _ASSIGNED.finditer(prompt):
        value = match["value"].rstrip("\"',.").lstrip("\"'")
        flag = next(row.flags[0] for row in PARAMETERS if row.name == match["name"])
        yield Slip(match[0].strip(",()"), match.start(), f"{flag} {value}")


def _take_value(pattern: re.Pattern[str], prompt: str, position: int) -> str:
    following = pattern.match(prompt, position)
    return following["value"].rstrip(",;") if following else ""


def _join_typed(match: re.Match[str], value: str) -> str:
    word = match[0].rstrip(",;")
    return word if not value or match["value"] else f"{word} {value}"


_MOST_NAMED: Final = 20
"""Options in a prompt that its message puts in their place."""


def describe_slips(slips: Sequence[Slip], typed: str, prompt: str, *, in_body: bool) -> str:
    """Return the message for the options in a prompt: what they are, where they go, how to send them all the same.

    `typed` is the magic with the options that are in their place.
    """
    slips = slips[:_MOST_NAMED]
    first, magic = slips[0], typed.split(maxsplit=1)[0]
    as_typed = f"with -- at the end of the {magic} line" if in_body else f"after {magic} --"
    as_typed = f"{as_typed} the prompt is sent as typed"
    if not first.option:
        answer = first.answer if first.answer.endswith("?") else f"{first.answer};"
        return f"{first.typed} is in the prompt, and no option here: {answer} {as_typed}"
    options = " ".join(dict.fromkeys(slip.option for slip in slips if slip.option))
    where = f"{typed} {options}" if in_body else f"{typed} {options} {_remove_slips(prompt, slips)}".rstrip()
    return f"{first.typed} is in the prompt, where it would be sent as words: options come first, {where}; {as_typed}"


def _remove_slips(prompt: str, slips: Sequence[Slip]) -> str:
    """Return the beginning of a prompt without the options in it."""
    rest = prompt
    for slip in reversed(slips):
        rest = rest[: slip.place] + rest[slip.place + len(slip.typed) :]
    rest = " ".join(rest.split()).strip(" ,;")
    return rest if len(rest) <= 40 else f"{rest[:37]}..."


def unwrap(prompt: str) -> str | None:
    """Return a prompt without the one pair of quotes that it is wholly in, or None if it is not in such quotes."""
    text = re.sub(r"^[fFrR]{1,2}(?=[\"'])", "", prompt.strip())
    for opening, closing in _PAIRS:
        inside = text[len(opening) : -len(closing)]
        if not text.startswith(opening) or not text.endswith(closing) or not inside.strip():
            continue
        alone = re.sub(r"(?<=\w)['’](?=\w)", "", inside)  # an apostrophe is no quote
        if opening not in alone and closing not in alone:
            return inside
    return None


_LINK: Final = rf"(?:[-,;:|&+{_LONG_DASHES}]|\.\.+|…|\bto\b|\band\b)"
_SPREAD: Final = re.compile(
    rf"""(?P<more>
      (?:\s*{_LINK}\s*\d+(?![^\s,;]))+  # " - 4", " to 4", " .. 4", " , 2 , 3"
    | (?:\s+\d+){{2,}}(?!\S)            # " 2 3"
    | \s+\d+\s*\Z                       # " 2", without a prompt
    )""",
    re.VERBOSE,
)
_CROSSED: Final = re.compile(r"(?P<more>\s*[x×X*]\s*\d+)(?!\S)")
_BRACKETED: Final = re.compile(r"(?P<more>[^\n()\[\]]{0,60}[)\]])(?!\S)")


def find_spread(value: str, after: str, *, is_size: bool) -> str:
    """Return what follows an option's value and belongs to it: ` 2 3` of `--seed 1 2 3`, or ""."""
    if re.match(r"(?:range|list)?[\[(]", value) and not re.search(r"[)\]]$", value):
        pattern = _BRACKETED
    elif not re.search(r"\d[,;:|x×X*-]?$|\.\.$", value):
        return ""
    elif value[-1] in ",;:|-." or (is_size and value[-1] in "x×X*"):
        pattern = re.compile(r"(?P<more>\s*\d+(?:\s*[,;:|x×X*]?\s*\d+)*)(?!\S)")
    else:
        pattern = _CROSSED if is_size else _SPREAD
    match = pattern.match(after)
    return match["more"] if match else ""


def suggest_numbers(text: str) -> str:
    """Return several numbers, or one, as they have to be typed, or "" if the string holds none: `1..4` for `1-4`."""
    plain = unicodedata.normalize("NFKC", text).replace("…", "..").strip().strip("“”\"'")
    if match := re.fullmatch(r"range\((\d+)(?:\s*,\s*(\d+))?(?:\s*,\s*(\d+))?\)", plain):
        first, end = (int(match[1]), int(match[2])) if match[2] else (0, int(match[1]))
        return f"{first}..{max(end - 1, first)}{f'..{match[3]}' if match[3] else ''}"
    plain = re.sub(r"^(?:list|tuple)(?=\()", "", plain).strip("()[]{}# ").strip(",;.- ")
    if one := _read_one_number(plain):
        return one
    if re.fullmatch(r"\d+\.0*(?:\s*,\s*\d+\.0*)+", plain):
        return ",".join(part.split(".")[0].strip() for part in plain.split(","))
    if match := re.fullmatch(rf"(\d+)\s*(?:[-:~{_LONG_DASHES}]|\.+|to|bis)\s*(\d+)(?:\.\.(\d+))?", plain):
        return f"{match[1]}..{match[2]}{f'..{match[3]}' if match[3] else ''}"
    if re.fullmatch(r"\d+(?:\s*(?:[,;|/&+\s]|and)\s*\d+)+", plain):
        return ",".join(re.findall(r"\d+", plain))
    return ""


def _read_one_number(plain: str) -> str:
    if re.fullmatch(r"\d+(?:_\d+)+|\d+", plain):
        return plain.replace("_", "")
    if re.fullmatch(r"\d+\.\d*|\d+(?:\.\d+)?[eE]\+?\d", plain) and float(plain).is_integer():
        return str(int(float(plain)))
    match = re.fullmatch(r"(\d+)\s*[^\W\d]+|[^\W\d]+[\s:=]*(\d+)", plain)
    return (match[1] or match[2]) if match else ""
