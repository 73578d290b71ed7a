"""The factors of a model's previews, fitted to its own VAE: printed with how well they fit, and how long it took.

    python scripts/fit_previews.py FOLDER

The factors are fitted when a model is loaded; nothing keeps them. This shows what they are, for a saved pipeline.
"""

from __future__ import annotations

import argparse
import time

import diffusers

from flux_magic.providers.diffusers.previews import fit_factors


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", help="the folder of a saved pipeline, or a Hub id that is on this disk")
    pipe = diffusers.DiffusionPipeline.from_pretrained(parser.parse_args().folder, use_safetensors=True)
    begin = time.monotonic()
    factors = fit_factors(pipe)
    if factors is None:
        raise SystemExit("this pipeline has no VAE that encodes, so it has no previews")
    print(f"fitted in {time.monotonic() - begin:.2f} s; they explain {factors.fit:.0%} of the colours' variance")
    print("channel      red    green     blue")
    for number, row in enumerate(factors.weights.tolist()):
        print(f"{number:>7}{''.join(f'{value:>9.4f}' for value in row)}")
    print(f"{'bias':>7}{''.join(f'{value:>9.4f}' for value in factors.bias.tolist())}")


if __name__ == "__main__":
    main()
