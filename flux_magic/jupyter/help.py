"""The help that `%flux?` shows; it is written when somebody asks for it."""

from __future__ import annotations

from ..parameters import grammar
from ..parameters.table import PARAMETERS


def format_help() -> str:
    """Return the text that `%flux?` shows."""
    rows = [(f"{', '.join(option.flags)} {option.metavar}".rstrip(), option.help) for option in grammar.OPTIONS]
    listed = "\n".join(f"  {flags:<36} {text}" for flags, text in rows)
    swept = [row for row in sorted(PARAMETERS, key=lambda row: row.name != "seed") if row.sweepable]
    *several, last = (row.flags[0] for row in swept if row.kind is not str)  # a comma is a part of a string
    return f"""Make an image of what the prompt says, and show it with the parameters that made it.

  %flux [options] prompt          on one line: options first, the rest is the prompt

  %%flux [options]                in a cell of its own: the lines below are the prompt
  a red fox in {{place}}, morning mist

The image is shown wherever the line is, in a loop or a function too. fox = %flux … shows no image,
and neither does a line that ends with ; (the ; is not sent). Put a prompt that ends with one into a %%flux cell.

{{name}} in a prompt becomes the value of that name where the line runs: first the function's, then the notebook's;
{{{{name}}}} is a literal {{name}}.
An option's number can be given this way too: --seed {{seed}}. Nothing else in a prompt is changed, except that quotes
around the whole prompt of a %flux line are left out. Options come before the prompt. -- ends them: what follows, or
the body, is sent as typed.

{", ".join(several)} and {last} take several values, 1,2,4 or 1..8: that makes every combination, shown
as one sheet. With --sweep, {{red|blue}} and lists {{names}} in the prompt are varied too.

Any parameter of a model can be set: --guidance 3.5, --negative "blurry" and --strength 0.6 if it has them, and what it
alone has by its own name, as in --set shift=4.0 (several values: --set shift=1,3). %flux_status owner/name shows all
that a Space takes, with ranges, choices and defaults. A parameter that it does not have is an error, and nothing is
sent.

Options, each with an example of its value:

{listed}

Examples:

  %%flux --steps 4 --seed 42 --size 1024x768 --output fox
  a red fox in the morning mist

  %flux --space local -n 4 --save pictures/ a lighthouse

  %%flux --sweep --steps 1,2,4 --seed 42
  a {{red|blue|green}} fox

Defaults for all cells: %config FluxMagics shows them, %config FluxMagics.steps = 4 sets one.
"""
