"""What other programs read in our files: exiftool, AUTOMATIC1111's web UI and Civitai, by their own rules."""

from __future__ import annotations

import base64
import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flux_magic.images import metadata
from flux_magic.records.foreign import read_texts
from tests.support.limits import PROGRAM
from tests.unit.test_metadata import NATIVE, PROMPTS, WITH_EXIF, carried, every_prompt, fits, prompts, text_of

PAIR = re.compile(r'\s*(\w[\w \-/]+):\s*("(?:\\.|[^\\"])+"|[^,]*)(?:,|$)')
NO_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")

SHOWN = {name: NATIVE[name] for name in ("PNG", "JPEG", "lossy WebP", "animated WebP", "lossless WebP with alpha")}
SHOWN |= {name: WITH_EXIF[name] for name in ("JPEG with little-endian EXIF", "WebP with EXIF")}


class Read(NamedTuple):
    prompt: str
    negative: str
    pairs: dict[str, str]


def as_the_web_ui(text: str) -> Read:
    """Return the web UI: the last line if it has three pairs, all lines stripped, a negative prompt from its mark
    on.
    """
    *lines, last = text.strip().split("\n")
    if len(PAIR.findall(last)) < 3:
        lines, last = [*lines, last], ""
    parts: dict[bool, list[str]] = {False: [], True: []}
    negative = False
    for line in map(str.strip, lines):
        negative = negative or line.startswith("Negative prompt:")
        parts[negative].append(line.removeprefix("Negative prompt:").strip() if negative else line)
    pairs = {key: json.loads(value) if value.startswith('"') else value for key, value in PAIR.findall(last)}
    return Read("\n".join(parts[False]), "\n".join(parts[True]), pairs)


def as_civitai(text: str) -> tuple[list[str], str | None]:
    """Civitai: of the lines that are not blank, the first that begins with `Steps: ` has the parameters."""
    lines = [line for line in text.split("\n") if line.strip()]
    details = next((line for line in lines if line.startswith("Steps: ")), None)
    return [line for line in lines if line is not details], details


def stripped(text: str) -> str:
    """Return a string as it is left once somebody strips each of its lines."""
    return "\n".join(line.strip() for line in text.split("\n")).strip()


@every_prompt
def test_the_web_ui_reads_the_prompt_and_what_made_it(prompt: str) -> None:
    read = as_the_web_ui(text_of(prompt, model="a model, large: 2"))
    assert stripped(metadata.unescape(read.prompt)) == stripped(prompt)
    assert read.negative == ""
    assert read.pairs == {
        "Steps": "4", "Seed": "42", "Size": "1024x768", "Model": "a model, large: 2", "Version": "flux_magic 0.1.0"
    }  # fmt: skip


@every_prompt
def test_civitai_takes_our_line_and_none_of_the_prompts(prompt: str) -> None:
    lines, details = as_civitai(text_of(prompt))
    assert details == "Steps: 4, Seed: 42, Size: 1024x768, Model: FLUX.1-schnell, Version: flux_magic 0.1.0"
    assert metadata.unescape("\n".join(lines)) == "\n".join(line for line in prompt.split("\n") if line.strip())


@given(prompts.filter(lambda text: not re.search("[\0\ud800-\udfff]", text)), st.text(min_size=1))
def test_any_prompt_and_model_pass_through_both(prompt: str, model: str) -> None:
    model = model.strip().replace("\0", "") or "x"
    text = text_of(prompt, model)
    read = as_the_web_ui(text)
    assert stripped(metadata.unescape(read.prompt)) == stripped(prompt)
    assert (read.negative, read.pairs["Model"], read.pairs["Seed"]) == ("", model, "42")
    assert as_civitai(text)[1] == text.split("\n")[-1]


@every_prompt
def test_both_read_a_negative_prompt_and_what_else_was_sent(prompt: str) -> None:
    others: dict[str, Any] = {
        "guidance": 3.5,
        "strength": 0.6,
        "shift": 1e-05,
        "use_it": True,
        "mode": "a, b: c",
        "Model": "x",
    }
    text = text_of("a fox", negative_prompt=prompt, **others)
    read = as_the_web_ui(text)
    assert (read.prompt, stripped(metadata.unescape(read.negative))) == ("a fox", stripped(prompt))
    assert read.pairs == {
        "Steps": "4",
        "CFG scale": "3.5",
        "Seed": "42",
        "Size": "1024x768",
        "Denoising strength": "0.6",
        "shift": "1e-05",
        "use_it": "True",
        "mode": "a, b: c",
        "Model": "FLUX.1-schnell",
        "Version": "flux_magic 0.1.0",
    }
    assert as_civitai(text)[1] == text.rpartition("\n")[2]
    ours = read_texts({"parameters": text})
    assert ours is not None
    assert (ours.prompt, ours.negative_prompt, ours.guidance, ours.strength) == ("a fox", prompt, 3.5, 0.6)
    assert text_of("a fox", negative_prompt="") == text_of("a fox")


@given(st.lists(st.sampled_from(["\\", " ", "\t", "\n", "Steps:", "Steps: ", "Negative prompt:", "x", "\u3000"])))
def test_escaping_is_undone_exactly(parts: list[str]) -> None:
    prompt = "".join(parts)
    assert metadata.unescape(text_of(prompt).rpartition("\n")[0]) == prompt


@pytest.mark.parametrize(
    ("prompt", "written"),
    [
        pytest.param("Steps: 9", "\\Steps: 9", id="a word"),
        pytest.param("x\n  Negative prompt: y", "x\n  \\Negative prompt: y", id="behind spaces"),
        pytest.param("\\\\Steps: 9", "\\\\\\Steps: 9", id="behind backslashes"),
        pytest.param("ten Steps: 9", "ten Steps: 9", id="within a line"),
        pytest.param("steps: 9\nSteps 9", "steps: 9\nSteps 9", id="another word"),
        pytest.param("\\x \\ Steps: 1", "\\x \\ Steps: 1", id="other backslashes"),
    ],
)
def test_a_line_that_would_be_taken_for_another_gets_a_backslash(prompt: str, written: str) -> None:
    assert text_of(prompt).rpartition("\n")[0] == written
    assert metadata.unescape(written) == prompt


def test_what_nobody_told_is_left_out() -> None:
    assert text_of("x", model="", seed=None) == "x\nSteps: 4, Size: 1024x768, Version: flux_magic 0.1.0"
    assert "Seed: 0," in text_of("x", seed=0)


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """Return what exiftool reads, by the file's place; it takes long to start, so it starts once."""
    assert shutil.which("exiftool"), "exiftool is not installed: apt-get install libimage-exiftool-perl"
    folder = tmp_path_factory.mktemp("pictures")
    for place, prompt in enumerate(PROMPTS.values()):
        for kind, data in SHOWN.items():
            edited = {"negative_prompt": "<fog>", "edited": True} if place == 1 else {}
            made = metadata.embed(data, carried(prompt, system_version="2 of June", drawn=not place, **edited))
            (folder / f"{place} {kind}").write_bytes(made)
    command = ["exiftool", "-json", "-b", "-G1", "-struct", *sorted(map(str, folder.iterdir()))]
    done = subprocess.run(command, capture_output=True, check=True, timeout=PROGRAM)
    return {Path(found["SourceFile"]).name: found for found in json.loads(done.stdout)}


def value_of(found: dict[str, Any], key: str) -> str | None:
    """Return a value of exiftool's, which has base64 for a string that not every program takes."""
    value: str | None = found.get(key)
    if value and value.startswith("base64:"):
        return base64.b64decode(value.removeprefix("base64:")).decode()
    return value


@pytest.mark.parametrize("kind", list(SHOWN))
def test_exiftool_reads_what_iptc_asks_for(shown: dict[str, dict[str, Any]], kind: str) -> None:
    for place, prompt in enumerate(PROMPTS.values()):
        found = shown[f"{place} {kind}"]
        source = ("algorithmicMedia", "compositeWithTrainedAlgorithmicMedia", "trainedAlgorithmicMedia")[min(place, 2)]
        text = NO_XML.sub("\ufffd", prompt)
        assert {key: value for key, value in found.items() if key.startswith("XMP-iptc")} == {
            "XMP-iptcExt:DigitalSourceType": f"http://cv.iptc.org/newscodes/digitalsourcetype/{source}",
            "XMP-iptcExt:AISystemUsed": "FLUX.1-schnell",
            "XMP-iptcExt:AISystemVersionUsed": "2 of June",
            "XMP-iptcExt:AIPromptInformation": text + ("\nNegative prompt: <fog>" if place == 1 else ""),
            "XMP-iptcCore:AltTextAccessibility": text,
        }


@pytest.mark.parametrize("kind", list(SHOWN))
def test_exiftool_reads_the_parameters_and_the_record(shown: dict[str, dict[str, Any]], kind: str) -> None:
    keys = ("PNG:Parameters", "PNG:Flux_magic") if kind == "PNG" else ("ExifIFD:UserComment", "XMP-flux_magic:Record")
    for place, prompt in enumerate(PROMPTS.values()):
        found = shown[f"{place} {kind}"]
        parameters = text_of(prompt) if fits(SHOWN[kind], prompt) else None
        assert [value_of(found, key) for key in keys] == [parameters, carried(prompt).record]
        assert "ExifTool:Warning" not in found
