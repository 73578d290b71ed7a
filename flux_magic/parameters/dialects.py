"""The words of other tools, and the answer to each: the option here, or that there is no such option."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from typing import Final

from .sizes import suggest_size

_ANSWERS: Final = {
    "guidance guidance-scale guidance-strength distilled-guidance true-guidance-scale flux-guidance cfg cfg-scale "
    "cfgscale true-cfg true-cfg-scale distilled-cfg distilled-cfg-scale scale g": (
        "--guidance 3.5 says how closely to follow the prompt"
    ),
    "negative negative-prompt neg neg-prompt negprompt no uc undesired avoid exclude without": (
        '--negative "blurry" says what the image must not show'
    ),
    "strength denoise denoising denoising-strength image-strength img-strength prompt-strength iw": (
        "--strength 0.6 says how much of an image that goes in is changed"
    ),
    "image images-in img input-image init-image init-img init image-prompt img2img image-to-image source-image "
    "reference ref mask mask-image inpaint outpaint cref sref oref "
    "control controlnet control-image ip-adapter i": (
        "--image fox names an image that goes in, for a model that edits"
    ),
    "lora loras lora-scale lora-style embedding embeddings textual-inversion hypernetwork vae sampler sampler-name "
    "sampling-method scheduler schedule karras sigmas eta clip-skip shift max-sequence-length prompt-enhance "
    "prompt-upsampling": "{own} sets a parameter of the model's own, if it has one; %flux_status shows what it takes",
    "checkpoint ckpt weights model-name model-id engine version v m niji": "the model is named with --model",
    "ar aspect aspect-ratio aspectratio ratio shape orientation": "--size says width x height in pixels",
    "resolution res dimensions dims image-size img-size": "--size says width x height in pixels: --size 1024x768",
    "w W": "--width 1024 sets the width, --size 1024x768 both sides",
    "H": "--height 768 sets the height, --size 1024x768 both sides",
    "num-images num-images-per-prompt num-outputs num-samples number num images n-images batch-size batch-count "
    "n-iter n-samples niter repeat repeats iterations samples quantity amount many b N": "-n makes several: -n 4",
    "num-inference-steps inference-steps num-steps n-steps sampling-steps sample-steps ddim-steps step-count s": (
        "--steps 4 sets the inference steps"
    ),
    "S random-seed manual-seed noise-seed rng generator": "--seed 42 sets the seed",
    "randomize-seed randomize random random-seeds": "without --seed each image has a random seed",
    "prompt prompts p text positive positive-prompt description caption-prompt": (
        "the prompt needs no option; write it after the options, or in the lines below %%flux"
    ),
    "alt-text alternative alternative-text": '--alt "a fox in mist" sets the alternative text; else it is the prompt',
    "title label": '--caption "The first scene" puts words under the image',
    "image-only no-table hide-table no-parameters": "--only-image shows the image alone",
    "name var variable result assign as": "--output fox gives the result a name in the notebook",
    "out outfile out-file output-file output-path filename file-name file outdir out-dir output-dir output-folder "
    "dir folder directory path dest destination o": "--save fox.png writes a file, --save pictures/ into a folder",
    "format output-format image-format type filetype ext extension png jpg jpeg webp": (
        "--save fox.jpg writes a JPEG; --inline says how the notebook keeps the image"
    ),
    "quality output-quality q": "there is no quality setting; more --steps show more detail",
    "style style-raw stylize stylise chaos c weird tile turbo relax fast stop exp styles preset theme mood": (
        "this model has no such control; say it in the prompt"
    ),
    "upscale upscaler hires hires-fix highres-fix enhance refine refiner face-restore restore-faces gfpgan": (
        "this model has no second pass; ask for a larger --size"
    ),
    "api-key apikey key token hf-token auth auth-token access-token": (
        "a token never goes into a cell; set HF_TOKEN in the environment, or %config FluxMagics.token"
    ),
    "device gpu cuda cpu mps dtype torch-dtype fp16 bf16 half precision threads low-vram": (
        "the image is made where the Space runs, which has its own hardware; --space names another"
    ),
    "local": "--space local uses the Space on this machine",
    "offline": '%config FluxMagics.replay = "only" asks no Space',
    "url host server endpoint base-url address provider backend api repo repo-id hub space-id space-url": (
        "the Space is named with --space, by its id or URL"
    ),
    "verbose debug log log-level trace vv": "%config FluxMagics.verbose_errors = True shows tracebacks",
    "force replace clobber f": "--overwrite replaces a saved file; --fresh makes an image again that is in the store",
    "no-cache nocache cache refresh regenerate redo again rerun no-replay force-new": (
        "--fresh asks the Space, even if the image is in the store"
    ),
    "replay": '--fresh asks the Space; %config FluxMagics.replay = "off" does so for all cells',
    "metadata no-exif exif strip-metadata no-info no-record private": "--no-metadata leaves the record out of the file",
    "signed signature c2pa credentials content-credentials": "--sign signs the image's file with your own key",
    "silent no-progress hide-progress": "--quiet shows no progress",
    "dry preview test what-if whatif simulate show-request print": "--dry-run shows what would be sent",
    "parallel workers max-workers jobs max-concurrency": "--concurrency 4 makes four images of a sweep at once",
    "max-time max-wait wait time-limit": "--timeout 90 limits the seconds that an image may take",
    "http-proxy https-proxy proxies": "--proxy http://proxy.example:3128 sets a proxy",
    "y confirm assume-yes": "more than 16 images in one cell need --yes",
    "grid matrix vary variations variation permute xyz x-y-z": (
        "several values make a sheet: --seed 1..4; with --sweep also {red|blue} in the prompt"
    ),
    "store cache-dir shared-store runner": "that is set for all cells; %config FluxMagics shows how",
    "h help usage man": "%flux? shows every option with an example",
}

_COUNTERPARTS: Final = {
    "cfg": ("guidance",),
    "neg": ("negative", "negative-prompt"),
    "denoise": ("strength",),
    "init-image": ("image",),
}
"""A word of each answer whose words have a counterpart here, and the names of that, in Python or on a line."""

_BY_WORD: Final = {word: answer for words, answer in _ANSWERS.items() for word in words.split()}


def explain(word: str, known: Sequence[str], value: str = "") -> str:
    """Return what a word that is no option was meant as, or "" if that is not known.

    Args:
        word: as typed, with or without dashes: `--num_images`, `num-images`.
        known: the options that there are, the nearest of which in its characters comes after the other tools' words.
        value: typed behind the word. The size of an aspect ratio is computed from it.
    """
    by_plain = {remove_dashes(name).lower(): name for name in known}
    bare = remove_dashes(word).lower()
    for one in (bare, bare.removesuffix("s")):
        if one in by_plain:
            return f"did you mean {by_plain[one]}?"
    answer = find_answer(word, value)
    for one, names in _COUNTERPARTS.items():
        if answer == _BY_WORD[one] and (meant := next((by_plain[name] for name in names if name in by_plain), None)):
            return f"did you mean {meant}?"
    if answer:
        return answer
    if close := difflib.get_close_matches(bare, by_plain, n=1, cutoff=0.75 if len(bare) > 2 else 1):
        return f"did you mean {by_plain[close[0]]}?"
    if close := difflib.get_close_matches(bare, _BY_WORD, n=1, cutoff=0.85 if len(bare) > 4 else 1):
        return find_answer(close[0], value)
    return ""


def find_answer(word: str, value: str = "") -> str:
    """Return the answer to another tool's word for an option, or "" if the word is not among them."""
    name = remove_dashes(word)
    found = _BY_WORD.get(name if len(name) == 1 else name.lower(), "")
    found = found.replace("{own}", f"--set {name.replace('-', '_')}={value or '...'}")
    if found != _BY_WORD["ar"]:
        return found
    size = suggest_size(value)
    return f"{found}: --size {size}" if size else f"{found}: --size 1344x768 is 16:9"


def remove_dashes(word: str) -> str:
    """Return an option's word without the dashes before it, and with `-` for `_`: `num-images` for `--num_images`."""
    return re.sub(r"[_\s]", "-", word.lstrip("-"))
