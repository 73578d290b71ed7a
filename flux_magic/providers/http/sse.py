"""Server-sent events from bytes, without any I/O.

After the WHATWG HTML standard, "Parsing an event stream", with one difference: an event cut off by the end of the
stream, before its empty line, is still returned (`finish`), because Spaces end that way.
"""

from __future__ import annotations

import codecs
import io
import re
from dataclasses import dataclass

_LINE_END = re.compile(r"\r\n|\n|\r")


@dataclass(frozen=True, slots=True)
class ServerSentEvent:
    """One event: its name ("message" if the stream gives none) and its data, lines joined by LF."""

    name: str
    data: str


class Decoder:
    """A decoder that turns chunks of bytes, cut anywhere, into events."""

    def __init__(self) -> None:
        self._utf8 = codecs.getincrementaldecoder("utf-8-sig")(errors="replace")
        self._pending = io.StringIO()
        self._after_cr = False
        self._name = ""
        self._data = io.StringIO()

    @property
    def held(self) -> int:
        """The number of characters of the unfinished event."""
        return self._pending.tell() + self._data.tell()

    def feed(self, chunk: bytes) -> list[ServerSentEvent]:
        """Return the events that this chunk completes."""
        return self._take(self._utf8.decode(chunk))

    def finish(self) -> list[ServerSentEvent]:
        """Return the events that the end of the stream completes."""
        events = self._take(self._utf8.decode(b"", final=True))
        last = self._take_line(self._pending.getvalue())
        self._pending = io.StringIO()
        return [*events, *last, *self._take_line("")]

    def _take(self, text: str) -> list[ServerSentEvent]:
        if self._after_cr and text:
            # A CR ended the last line at once; an LF that follows in another chunk belongs to it.
            text = text.removeprefix("\n")
            self._after_cr = False
        self._after_cr = self._after_cr or text.endswith("\r")
        *lines, rest = _LINE_END.split(text)
        events: list[ServerSentEvent] = []
        for line in lines:
            self._pending.write(line)
            events += self._take_line(self._pending.getvalue())
            self._pending = io.StringIO()
        self._pending.write(rest)
        return events

    def _take_line(self, line: str) -> list[ServerSentEvent]:
        if not line:
            return self._dispatch()
        field, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if field == "data":
            self._data.write(f"{value}\n")
        elif field == "event":
            self._name = value
        return []

    def _dispatch(self) -> list[ServerSentEvent]:
        name, data = self._name or "message", self._data.getvalue()
        self._name = ""
        if not data:
            return []
        self._data = io.StringIO()
        return [ServerSentEvent(name, data[:-1])]
