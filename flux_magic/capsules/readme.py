"""The README of a capsule: what it is, who made it, and how a stranger checks and runs it."""

from __future__ import annotations

from pathlib import Path
from typing import Final
from urllib.parse import quote

from ..types import escape_markdown
from .crate import Description
from .requirements import Requirements

_TEXT: Final = """\
# {title}

{by}Licence: {licence}. Date: {date}.

This is a capsule of flux_magic: notebooks, and all that is needed to run them again without a network and to get the
same images.

{notebooks}

| | |
|---|---|
| `flux_images/` | the images as the models delivered them, each with its record; `inputs/` has what went into edits |
| `pages/` | the notebooks as web pages, to read; only their checksums are checked, not what they show |
| `requirements.txt`, `wheels/` | the packages with their exact versions, as in {source}: Python {python} |
| `ro-crate-metadata.json` | the same for programs (RO-Crate): each image with prompt, model, seed and ingredients |
| `SHA256SUMS`, `capsule.json` | the checksums of all files, and of each cell |

## Check it

```sh
pip install "{wheel}[pack,sign]" -r requirements.txt
flux-magic reproduce capsule.zip            # the zip file, wherever it is
flux-magic reproduce capsule.zip --env      # the same in an environment of its own, which needs the first package alone
flux-magic reproduce capsule.zip --static   # runs nothing: are the files and images as they were packed?
sha256sum --check SHA256SUMS                # the same for files, without flux_magic
```

`flux-magic reproduce` runs the code in the notebooks as you, so read their cells first. The exit code is 0 if all is as
it was packed. Checksums show that nothing was changed by accident. Anyone who packs a capsule can compute new ones, so
only a signed image shows whose key signed it.

## Open it

Unpack it, `pip install -r requirements.txt jupyterlab` there, and start `jupyter lab`. Binder needs nothing else: it
reads `requirements.txt` and `runtime.txt`. With `FLUX_MAGIC_REPLAY=only` in the environment every image comes from
`flux_images/`, and no model is asked.
"""


def write_readme(told: Description, notebooks: list[str], needed: Requirements) -> str:
    """Return the README of a capsule, as Markdown."""
    people = [f"[{escape_markdown(name)}]({page})" if page else escape_markdown(name) for name, page in told.authors]
    pages = {name: f"pages/{Path(name).with_suffix('.html').as_posix()}" for name in notebooks}
    listed = [f"- [{escape_markdown(name)}]({quote(name)}), [as a page]({quote(page)})" for name, page in pages.items()]
    return _TEXT.format(
        title=escape_markdown(told.title),
        by=f"By {', '.join(people)}. " if people else "",
        licence=escape_markdown(told.licence) or "none was given",
        date=told.date,
        notebooks="\n".join(listed),
        source=escape_markdown(needed.source),
        python=needed.python,
        wheel=needed.lines[0].partition("[")[0],
    )
