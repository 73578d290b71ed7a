"""The package's log, `logging.getLogger("flux_magic")`: each line masked as errors are, with the number of its job."""

from __future__ import annotations

import logging
from contextvars import ContextVar
from typing import Final

from ..errors import clean

MOST: Final = 500
"""Characters of a line: a Space's words may be long."""

job_number: ContextVar[int] = ContextVar("job_number", default=0)
"""The number of the job that this task works for, from 1; 0 outside a job."""


class _Mask(logging.Filter):
    """Replaces a record's message by one line that holds no secret and steers no terminal."""

    def filter(self, record: logging.LogRecord) -> bool:
        number = job_number.get()
        line = " ".join(clean(record.getMessage()).split())
        record.msg, record.args = f"{f'job {number}: ' if number else ''}{line[:MOST]}", None
        return True


_mask: Final = _Mask()
logging.getLogger("flux_magic").addHandler(logging.NullHandler())  # else Python prints warnings on stderr


def get_logger(name: str) -> logging.Logger:
    """Return a module's logger. Pass addresses through `shown_address`: a query may hold a key."""
    logger = logging.getLogger(name)
    logger.addFilter(_mask)
    return logger
