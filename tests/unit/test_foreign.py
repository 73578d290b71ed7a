"""Images of other tools, as they write them: what is read, and what is said of the rest."""

from __future__ import annotations

import io
import json
import struct
from typing import Any

import pytest
from PIL import Image, PngImagePlugin

from flux_magic.errors import RecordError
from flux_magic.images import metadata
from flux_magic.images.metadata.codings import decode_comment
from flux_magic.results.recall import Recalled, recall_bytes
from tests.unit.samples import NO_AVIF, encoded

PAIRS = "\nSteps: 6, Sampler: Euler, CFG scale: 1, Seed: 7, Size: 512x384"
KETTLE = "a copper kettle"
TEXT = KETTLE + PAIRS
OPTIONS = {"prompt": KETTLE, "steps": 6, "seed": 7, "width": 512, "height": 384}
SETTINGS = {"steps": 6, "seed": 7, "width": 512, "height": 384}


def png(texts: dict[str, str] | None = None, raw: dict[str, bytes] | None = None, **options: Any) -> bytes:
    """Return a PNG with these strings as Pillow writes them, and these bytes in further tEXt chunks."""
    info = PngImagePlugin.PngInfo()
    for name, text in (texts or {}).items():
        info.add_text(name, text)
    for name, value in (raw or {}).items():
        info.add(b"tEXt", name.encode() + b"\0" + value)
    return encoded(pnginfo=info, **options)


def exif(main: dict[int, Any] | None = None, comment: bytes = b"") -> Image.Exif:
    made = Image.Exif()
    for tag, value in (main or {}).items():
        made[tag] = value
    if comment:
        made[0x8769] = {0x9286: comment}
    return made


def big_endian(comment: bytes, kind: int = 7) -> bytes:
    """EXIF in Motorola's order with this UserComment of this type."""
    main = struct.pack(">HHHIII", 1, 0x8769, 4, 1, 26, 0)
    sub = struct.pack(">HHHIII", 1, 0x9286, kind, len(comment), 44, 0)
    return b"MM\0*\0\0\0\x08" + main + sub + comment


def jpeg(main: dict[int, Any] | None = None, comment: bytes = b"", **options: Any) -> bytes:
    return encoded("jpeg", exif=exif(main, comment), **options)


def webp(main: dict[int, Any] | None = None, comment: bytes = b"", **options: Any) -> bytes:
    return encoded("webp", exif=exif(main, comment), **options)


def recalled(data: bytes) -> Recalled:
    return recall_bytes(data, "kettle")


def refusal(data: bytes) -> str:
    """Return what is said of an image that gives no cell."""
    with pytest.raises(RecordError) as caught:
        recalled(data)
    assert "\n" not in caught.value.message
    return str(caught.value)


LITTLE, BIG = "utf-16-le", "utf-16-be"
CODED = [
    pytest.param(TEXT, b"UNICODE\0" + TEXT.encode(BIG), id="big-endian"),
    pytest.param(TEXT, b"UNICODE\0" + TEXT.encode(LITTLE), id="little-endian"),
    pytest.param(TEXT, b"UNICODE\0\xfe\xff" + TEXT.encode(BIG), id="big-endian with a mark"),
    pytest.param(TEXT, b"UNICODE\0\xff\xfe" + TEXT.encode(LITTLE), id="little-endian with a mark"),
    pytest.param(TEXT, b"UNICODE\0" + TEXT.encode(), id="UTF-8 that is called UTF-16"),
    pytest.param(TEXT, b"UNICODE\0" + TEXT.encode(LITTLE)[:-1], id="a last byte that is missing"),
    pytest.param(TEXT, b"UNICODE\0" + TEXT.encode(LITTLE) + b"\0" * 6, id="NULs at the end"),
    pytest.param(TEXT, b"ASCII\0\0\0" + TEXT.encode(), id="ASCII"),
    pytest.param(TEXT, b"ASCII\0\0\0" + TEXT.encode(LITTLE), id="UTF-16 that is called ASCII"),
    pytest.param(TEXT, b"\0" * 8 + TEXT.encode(), id="the undefined code"),
    pytest.param(TEXT, TEXT.encode(), id="no code"),
    pytest.param(TEXT, TEXT.encode(BIG), id="UTF-16 without a code"),
    pytest.param("ein Fuchs, größer", "ein Fuchs, größer".encode("latin-1"), id="Latin-1 without a code"),
    pytest.param("ASCII art of a fox", b"ASCII art of a fox", id="a prompt that begins as a code does"),
    pytest.param("提灯, a lamp", b"JIS\0\0\0\0\0" + "提灯, a lamp".encode("iso2022_jp"), id="JIS"),
    pytest.param("提灯", b"JIS\0\0\0\0\0" + "提灯".encode("shift_jis"), id="Shift JIS"),
    *(
        pytest.param(text, b"UNICODE\0" + text.encode(order), id=f"{text} {order}")
        for text in ("雪の提灯、夜", "лиса в снегу", "여우와 눈", "ثعلب", '{a fox}, "x": y', "🦊🌨", "a")
        for order in (BIG, LITTLE)
    ),
]


@pytest.mark.parametrize(("text", "value"), CODED)
def test_a_comment_is_decoded_by_its_content(text: str, value: bytes) -> None:
    assert decode_comment(value) == text
    for data in (jpeg(comment=value), webp(comment=value), encoded(exif=exif(comment=value))):
        assert metadata.read(data).parameters == text
        assert recalled(data).options == (OPTIONS if text == TEXT else {"prompt": text})


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        pytest.param("a café, 提灯".encode(), "a café, 提灯", id="UTF-8"),
        pytest.param("a café, ñandú".encode("latin-1"), "a café, ñandú", id="Latin-1"),
        pytest.param(b"a kettle", "a kettle", id="ASCII"),
    ],
)
def test_a_text_chunk_is_utf8_if_it_can_be_and_else_latin1(raw: bytes, text: str) -> None:
    assert metadata.read(png(raw={"parameters": raw})).parameters == text


def test_our_own_latin1_that_could_be_utf8_is_written_so_that_it_stays() -> None:
    text = metadata.format_a1111(prompt="Ã©", steps=1, seed=1, width=8, height=8, model="m", version="flux_magic 1")
    made = metadata.embed(encoded(), metadata.Written(text, "{}", "Ã©", "x", "", drawn=False))
    assert metadata.read(made).parameters == text


def xmp(description: str, comment: str) -> str:
    """Return a packet as Draw Things writes it."""
    rdf = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
    items = "".join(
        f'<{name}><rdf:Alt><rdf:li xml:lang="x-default">{value}</rdf:li><rdf:li>other</rdf:li></rdf:Alt></{name}>'
        for name, value in (("dc:description", description), ("exif:UserComment", comment.replace('"', "&quot;")))
    )
    return (
        f'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="{rdf}"><rdf:Description '
        'xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:exif="http://ns.adobe.com/exif/1.0/">'
        f"{items}</rdf:Description></rdf:RDF></x:xmpmeta>"
    )


def node(kind: str, **inputs: Any) -> dict[str, Any]:
    return {"class_type": kind, "inputs": inputs}


def graph(text: Any, **others: Any) -> dict[str, Any]:
    """Return a graph of ComfyUI whose encoder has this text; names of other nodes begin with n."""
    sampler = node("KSampler", seed=7, steps=6, cfg=1, positive=["2", 0], negative=["3", 0], latent_image=["4", 0])
    nodes = {
        "2": node("CLIPTextEncode", text=text, clip=["1", 1]),
        "3": node("CLIPTextEncode", text="", clip=["1", 1]),
        "4": node("EmptyLatentImage", width=512, height=384),
        "5": sampler,
        "6": node("VAEDecode", samples=["5", 0]),
        "7": node("SaveImage", images=["6", 0]),
    }
    return {**nodes, **others}


GRAPH = json.dumps(graph(KETTLE))
DRAWN = json.dumps({"nodes": [], "links": []})
SWARM = json.dumps({"sui_image_params": {**OPTIONS, "swarm_version": "0.9"}}, indent=2)
INVOKE = {"model_weights": "sd-1.5", "image": {"prompt": [{"prompt": f"{KETTLE} [hens]", "weight": 1}], **SETTINGS}}
FOOOCUS = json.dumps(
    {"prompt": KETTLE, "full_prompt": ["x"], "steps": 6, "seed": "7", "resolution": "(512, 384)",
     "loras": [["ink", 0.5]],
     "base_model": "jugger.safetensors", "metadata_scheme": "fooocus", "version": "Fooocus v2.5.5"}
)  # fmt: skip
OLD_FOOOCUS = json.dumps(
    {"Prompt": KETTLE, "Performance": "Speed", "Steps": 6, "Resolution": "(512, 384)", "Base Model": "x", "Seed": 7}
)
RUINED = json.dumps({"Prompt": KETTLE, "Negative": "hens", **SETTINGS, "software": "RuinedFooocus"})
NOVEL = json.dumps({**OPTIONS, "uc": "hens", "scale": 5.0, "sampler": "k_euler"})
AROUND_NOVEL = {"Software": "NovelAI", "Source": "NovelAI Diffusion V4", "Description": KETTLE, "Comment": NOVEL}
DRAW_THINGS = json.dumps({"c": KETTLE, "uc": "hens", "seed": 7, "steps": 6, "size": "512x384", "v2": {}})
EASY = {"prompt": KETTLE, "use_stable_diffusion_model": "sd", "num_inference_steps": 6, **SETTINGS}
MFLUX = json.dumps({"mflux_version": "0.9", **OPTIONS})
CIVITAI = json.dumps({**graph("x"), "extraMetadata": json.dumps({"negativePrompt": "hens", **OPTIONS})})
EXTRAS = "Postprocess upscale by: 4, Postprocess upscaler: R-ESRGAN 4x+"
PROFILE = big_endian(b"UNICODE\0" + TEXT.encode(BIG))
RAW_PROFILE = f"\nexif\n    {len(PROFILE)}\n{PROFILE.hex()[:72]}\n{PROFILE.hex()[72:]}\n"


@pytest.mark.parametrize(
    ("data", "tool", "named"),
    [
        pytest.param(jpeg(comment=b"UNICODE\0" + SWARM.encode(LITTLE)), "SwarmUI", "", id="SwarmUI's JPEG"),
        pytest.param(webp(comment=b"UNICODE\0" + SWARM.encode(LITTLE)), "SwarmUI", "", id="SwarmUI's WebP"),
        pytest.param(encoded("webp", exif=big_endian(TEXT.encode() + b"\0", 2)), "AUTOMATIC1111", "", id="as ASCII"),
        pytest.param(jpeg({0x010E: TEXT}), "AUTOMATIC1111", "", id="description"),
        pytest.param(jpeg({0x9C9C: TEXT.encode(LITTLE)}), "AUTOMATIC1111", "", id="Windows' comment"),
        pytest.param(encoded("jpeg", comment=TEXT.encode()), "AUTOMATIC1111", "", id="a JPEG's comment"),
        pytest.param(encoded("jpeg", xmp=xmp(TEXT, "").encode()), "AUTOMATIC1111", "", id="XMP's description"),
        pytest.param(png({"Parameters": TEXT}), "AUTOMATIC1111", "", id="a capital keyword"),
        pytest.param(png({"Raw profile type exif": RAW_PROFILE}), "AUTOMATIC1111", "", id="EXIF as text"),
        pytest.param(png({"parameters": f"{TEXT}\n{EXTRAS}"}), "AUTOMATIC1111", "postproc", id="Extras below"),
        pytest.param(png({"parameters": f"{TEXT}, {EXTRAS}"}), "AUTOMATIC1111", "postproc", id="Extras behind"),
        pytest.param(png({"parameters": f"{TEXT}, App: SD.Next"}), "SD.Next", "", id="SD.Next"),
        pytest.param(webp({0x0110: f"prompt:{GRAPH}", 0x010F: f"workflow:{DRAWN}"}), "ComfyUI", "", id="its WebP"),
        pytest.param(webp({0x010F: f"Prompt: {GRAPH}"}), "ComfyUI", "", id="its WebP by another node"),
        pytest.param(webp({0x010B: f"prompt:{GRAPH}"}), "ComfyUI", "", id="further down"),
        pytest.param(jpeg(comment=f'{{"prompt": {GRAPH}}}'.encode()), "ComfyUI", "", id="ComfyUI's graph in JSON"),
        pytest.param(jpeg(comment=b"UNICODE\0" + CIVITAI.encode(BIG)), "Civitai", "hens", id="Civitai"),
        pytest.param(png({"sd-metadata": json.dumps(INVOKE)}), "InvokeAI", 'prompt "hens"', id="InvokeAI 2"),
        pytest.param(
            png({"Dream": f'"{KETTLE}" -s 6 -S 7 -W 512 -H 384 -C 7.5 -A k_lms'}), "InvokeAI", "k_lms", id="its Dream"
        ),
        pytest.param(png({"Dream": f'"{KETTLE}" -s6 -b1 -W512 -H384 -mk_lms -S7'}), "InvokeAI", "", id="its first"),
        pytest.param(png({"parameters": FOOOCUS, "fooocus_scheme": "fooocus"}), "Fooocus", "ink (0.5)", id="Fooocus"),
        pytest.param(jpeg({0x9286: FOOOCUS, 0x927C: "fooocus"}), "Fooocus", "jugger", id="Fooocus' JPEG"),
        pytest.param(webp({0x9286: FOOOCUS, 0x927C: "fooocus"}), "Fooocus", "jugger", id="Fooocus' WebP"),
        pytest.param(jpeg({0x9286: f"{TEXT}, Version: Fooocus v2.5.5"}), "Fooocus", "", id="Fooocus as A1111"),
        pytest.param(png({"parameters": OLD_FOOOCUS}), "Fooocus", "performance: Speed", id="an old Fooocus"),
        pytest.param(png({"parameters": RUINED}), "RuinedFooocus", "hens", id="RuinedFooocus"),
        pytest.param(png(AROUND_NOVEL), "NovelAI", "model: NovelAI Diffusion V4", id="NovelAI"),
        pytest.param(webp(comment=json.dumps(AROUND_NOVEL).encode()), "NovelAI", "Diffusion V4", id="NovelAI's WebP"),
        pytest.param(webp(comment=b"ASCII\0\0\0" + NOVEL.encode()), "NovelAI", "hens", id="NovelAI's WebP, flat"),
        pytest.param(encoded("jpeg", xmp=xmp("x", DRAW_THINGS).encode()), "Draw Things", "hens", id="Draw Things"),
        pytest.param(png({key: str(value) for key, value in EASY.items()}), "Easy Diffusion", "", id="Easy Diffusion"),
        pytest.param(jpeg(comment=json.dumps(EASY).encode()), "Easy Diffusion", "", id="Easy Diffusion's JPEG"),
        pytest.param(encoded(exif=exif(comment=b"ASCII\0\0\0" + MFLUX.encode())), "mflux", "", id="mflux"),
        pytest.param(png({"parameters": json.dumps(OPTIONS)}), "unknown", "", id="no known tool"),
    ],
)  # fmt: skip
def test_an_image_is_read_wherever_its_tool_writes(data: bytes, tool: str, named: str) -> None:
    found = recalled(data)
    assert (found.tool, found.usable) == (tool, OPTIONS)
    assert named.casefold() in " ".join(found.unmatched).casefold()


@NO_AVIF
def test_an_avif_is_read_by_its_exif() -> None:
    found = recalled(encoded("avif", exif=exif({0x0110: f"prompt:{GRAPH}", 0x010F: f"workflow:{DRAWN}"})))
    assert (found.tool, found.options) == ("ComfyUI", OPTIONS)
    assert metadata.read(encoded("avif")[:60]) == metadata.Found()


def test_midjourneys_options_are_no_prompt() -> None:
    job = "Job ID: 01234567-89ab-cdef-0123-456789abcdef"
    found = recalled(png({"Description": f"{KETTLE} --ar 16:9 --seed 7 --v 6 {job}"}))
    assert (found.tool, found.options) == ("Midjourney", {"prompt": KETTLE, "seed": 7})
    assert found.unmatched == ("ar: 16:9", "v: 6")


SAID, OTHER = node("PrimitiveString", value=KETTLE), node("PrimitiveString", value="WRONG")


def relay(**inputs: Any) -> dict[str, Any]:
    """Return a graph with a relay between the encoder and two strings, and the number 2."""
    return graph(["n1", 0], n1=node("Relay", **inputs), n2=SAID, n3=OTHER, n4=node("PrimitiveInt", value=2))


def switch(kind: str, **inputs: Any) -> dict[str, Any]:
    return {**relay(), "n1": node(kind, **inputs)}


@pytest.mark.parametrize(
    "nodes",
    [
        pytest.param(relay(whatever=["n2", 0]), id="a relay"),
        pytest.param(relay(anything=["n2", 0], unique_id="9", label="x"), id="a relay with settings"),
        pytest.param(relay(some_words=KETTLE, strength=1), id="a text of any name"),
        pytest.param(switch("ShowText", text=["n2", 0], text_0="of an earlier run"), id="a text that is shown"),
        pytest.param(switch("easy showAnything", anything=["n2", 0], text="of an earlier run"), id="shown otherwise"),
        pytest.param(switch("ImpactSwitch", select=2, mode=False, input1=["n3", 0], input2=["n2", 0]), id="1st"),
        pytest.param(switch("easy textIndexSwitch", index=0, text0=["n2", 0], text1=["n3", 0]), id="from 0"),
        pytest.param(switch("CR Text Input Switch", Input=["n4", 0], text1="WRONG", text2=KETTLE), id="linked"),
        pytest.param(switch("ComfySwitchNode", switch=False, on_true=["n3", 0], on_false=["n2", 0]), id="false"),
        pytest.param(switch("easy ifElse", boolean="True", on_true=["n2", 0], on_false=["n3", 0]), id="true as text"),
        pytest.param(switch("Text Input Switch", text_a=KETTLE, text_b="WRONG", boolean=True), id="the first of two"),
        pytest.param(switch("Any Switch (rgthree)", any_01=["n2", 0], any_02=["n3", 0]), id="the first that is there"),
        pytest.param(switch("SomethingElse", index=1, value0=["n3", 0], value1=["n2", 0]), id="not called a switch"),
        pytest.param(
            switch("ImpactWildcardProcessor", wildcard_text="a {x|y}", populated_text=KETTLE, seed=1), id="populated"
        ),
        pytest.param(switch("easy positive", positive=KETTLE), id="a text of one name"),
        pytest.param(graph("", **{"2": node("MyEncoder", words=KETTLE, clip=["1", 1])}), id="an encoder's own name"),
        pytest.param(
            graph("", **{"2": node("TextEncodeQwenImageEdit", prompt=KETTLE, clip=["1", 1], image=["n5", 0])}),
            id="an encoder of images",
        ),
        pytest.param(
            {**relay(), "n1": node("Logic Switch", select=2, input1=["n3", 0], input2=["n6", 0]), "n6": SAID},
            id="a switch behind another input",
        ),
        pytest.param(
            graph("", **{
                "5": {**graph("")["5"], "inputs": {**graph("")["5"]["inputs"], "positive": ["n5", 0]}},
                "n5": node("CR Conditioning Input Switch", Input=2, conditioning1=["3", 0], conditioning2=["n6", 0]),
                "n6": node("CLIPTextEncode", text=KETTLE, clip=["1", 1]),
            }), id="a switch of conditioning",
        ),
    ],
)  # fmt: skip
def test_a_graphs_prompt_is_the_one_that_its_links_and_switches_lead_to(nodes: dict[str, Any]) -> None:
    assert recalled(png({"prompt": json.dumps(nodes)})).options == OPTIONS


def drawn(*, named: bool) -> dict[str, Any]:
    """Return the drawing of a graph whose encoder has its text from a switch; with or without the names of values."""

    def slots(*names: str, **links: int) -> list[dict[str, Any]]:
        linked = [{"name": name, "link": link} for name, link in links.items()]
        return linked + [{"name": name, "widget": {"name": name}, "link": None} for name in names if named]

    def values(names: str, *values: Any) -> Any:
        return list(values) if not named else dict(zip(names.split(), values, strict=True))

    sampler = [7, "randomize", 6, 1, "euler", "simple", 1]
    names = ["seed", "steps", "cfg", "sampler_name", "scheduler", "denoise"]
    nodes = [
        {"id": 1, "type": "KSampler", "inputs": slots(*names, positive=1, latent_image=2), "widgets_values": sampler},
        {"id": 2, "type": "CLIPTextEncode", "inputs": slots(text=3), "widgets_values": ["old"]},
        {"id": 3, "type": "EmptyLatentImage", "widgets_values": values("width height batch_size", 512, 384, 1)},
        {"id": 4, "type": "Reroute", "mode": 4, "inputs": [{"name": "", "link": 4}], "widgets_values": []},
        {"id": 5, "type": "Some Text", "inputs": slots("any"), "widgets_values": [KETTLE]},
        {"id": 6, "type": "SaveImage", "inputs": slots(images=5), "widgets_values": ["x"]},
        {"id": 7, "type": "KSampler", "mode": 2, "widgets_values": [8, "fixed", 9, 1, "euler", "simple", 1]},
    ]
    links = [
        [1, 2, 0, 1, 1, "C"],
        [2, 3, 0, 1, 3, "L"],
        [3, 4, 0, 2, 1, "S"],
        [4, 5, 0, 4, 0, "S"],
        [5, 1, 0, 6, 0, "L"],
    ]
    objects = [{"id": link[0], "origin_id": link[1], "origin_slot": link[2]} for link in links]
    return {"nodes": nodes, "links": objects if named else links}


@pytest.mark.parametrize("named", [False, True])
def test_a_drawing_is_read_where_the_graph_that_ran_is_not_there(*, named: bool) -> None:
    assert recalled(png({"workflow": json.dumps(drawn(named=named))})).options == OPTIONS


LLM = node("OllamaGenerate", prompt="Write WRONG", model="llama3")


@pytest.mark.parametrize(
    ("nodes", "who"),
    [
        pytest.param(switch("OllamaGenerateV2", prompt="Write WRONG", model="x"), "OllamaGenerateV2", id="an LLM"),
        pytest.param(switch("Unheard Of", text="Write WRONG", temperature=0.7), "Unheard Of", id="by its settings"),
        pytest.param(switch("WD14Tagger|pysssss", image=["n5", 0], tags="WRONG"), "WD14Tagger", id="a tagger"),
        pytest.param(switch("Florence2Run", text_input="WRONG", image=["n5", 0]), "Florence2Run", id="a captioner"),
        pytest.param(switch("DPRandomGenerator", text="a {WRONG|x}", seed=4), "DPRandomGenerator", id="by lot"),
        pytest.param(switch("Text Random Line", multiline_text="WRONG\nx", seed=4), "Random Line", id="a line"),
        pytest.param(switch("StringReplace", string="WRONG", find="W", replace="x"), "StringReplace", id="replaced"),
        pytest.param(switch("Load Prompt", file_path="WRONG.txt"), "Load Prompt", id="a file"),
        pytest.param(switch("PickOne", one="WRONG one", other="WRONG two"), "several texts", id="several texts"),
        pytest.param({**switch("ShowText", text=["n6", 0], text_0="WRONG"), "n6": LLM}, "OllamaGenerate", id="shown"),
        pytest.param(
            {**switch("StringConcatenate", string_a="WRONG", string_b=["n6", 0]), "n6": LLM}, "Ollama", id="in part"
        ),
        pytest.param(
            {**switch("ImpactSwitch", select=["n6", 0], input1=["n2", 0], input2=["n3", 0]),
             "n6": node("Random Number", minimum=1, maximum=2, seed=4)}, "switch ImpactSwitch", id="a switch by lot",
        ),
        pytest.param(
            graph("", **{"2": node("FluxProUltra", prompt=["n6", 0], seed=7, steps=6, width=512, height=384),
                         "5": node("Other"), "7": node("SaveImage", images=["2", 0]), "n6": LLM}),
            "OllamaGenerate", id="before a node that asks a service",
        ),
    ],
)  # fmt: skip
def test_what_a_node_made_up_is_no_prompt_and_is_said(nodes: dict[str, Any], who: str) -> None:
    said = refusal(png({"prompt": json.dumps(nodes)}))
    assert said.startswith("kettle: ComfyUI made it, but we are not sure what its prompt was: ")
    assert who in said
    assert "WRONG" not in said
    assert "seed 7" in said


def test_a_seed_that_was_drawn_by_lot_is_not_its_generators_seed() -> None:
    nodes = graph(KETTLE, n1=node("Random Number", minimum=1, maximum=9, seed=7))
    nodes["5"]["inputs"]["seed"] = ["n1", 0]
    assert "seed" not in recalled(png({"prompt": json.dumps(nodes)})).options


@pytest.mark.parametrize(
    ("data", "says"),
    [
        pytest.param(png(), "the image does not say what made it", id="nothing"),
        pytest.param(png({"date:create": "2026", "Creation Time": "x"}), "does not say what made it", id="dates"),
        pytest.param(png({"parameters": EXTRAS}), "AUTOMATIC1111 made it, but its prompt is not in", id="Extras"),
        pytest.param(png({"postprocessing": EXTRAS, "extras": EXTRAS}), "AUTOMATIC1111 made it", id="Extras' keys"),
        pytest.param(jpeg(comment=b"UNICODE\0" + EXTRAS.encode(BIG)), "AUTOMATIC1111 made it", id="Extras' JPEG"),
        pytest.param(
            png({"Software": "NovelAI", "Title": "x", "Comment": '{"a": 1}'}),
            'words of NovelAI (Comment) that are not understood: {"a": 1}', id="NovelAI's JSON",
        ),
        pytest.param(png({"invokeai_graph": '{"nodes": 1}'}), "words of InvokeAI (invokeai_graph)", id="its graph"),
        pytest.param(png({"prompt": "[1]"}), "words of ComfyUI (prompt) that are not", id="no graph"),
        pytest.param(png({"hello": "x " * 99}), f"tool (hello) that are not understood: {'x ' * 29}x…", id="long"),
        pytest.param(jpeg({0x010E: "OLYMPUS DIGITAL CAMERA"}), "(EXIF ImageDescription) that are not", id="camera"),
        pytest.param(png({"Software": "Leonardo.ai"}), "names Leonardo.ai (Software), and holds no", id="a name"),
        pytest.param(encoded("jpeg", comment=b"a\x1b[31mb"), "not understood: a\ufffd[31mb", id="control"),
    ],
)  # fmt: skip
def test_what_is_not_understood_is_named_and_only_nothing_is_called_so(data: bytes, says: str) -> None:
    said = refusal(data)
    assert says in said
    assert ("may have been left out" in said) == ("does not say" in says)


def test_a_comment_of_no_tool_may_be_no_prompt() -> None:
    found = recalled(jpeg(comment=b"ASCII\0\0\0Screenshot"))
    assert (found.tool, found.options) == ("unknown", {"prompt": "Screenshot"})
    assert found.unmatched == ("the only text is the comment of its EXIF, which may be no prompt",)


def test_one_text_behind_many_entries_of_exif_is_read_once() -> None:
    """Return each of 3,000 entries has the same 4 MB: to read all of them would take 12 GB."""
    count, size = 3000, 4_000_000
    entries = b"".join(struct.pack(">HHII", 0x8000 + tag, 2, size, 8 + 2 + 12 * count + 4) for tag in range(count))
    tiff = b"MM\0*\0\0\0\x08" + struct.pack(">H", count) + entries + bytes(4) + b"x" * size
    out = io.BytesIO()
    Image.new("RGB", (1, 1)).save(out, "WEBP", exif=tiff)
    assert sum(map(len, metadata.read(out.getvalue()).texts.values())) <= 8 * 2**20
