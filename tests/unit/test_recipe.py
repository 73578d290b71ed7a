from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flux_magic.parameters.table import MAX_SEED
from flux_magic.records.foreign import Recipe, describe_unread, read_texts
from flux_magic.records.foreign.values import WEIGHTS
from tests.support.growth import assert_linear

WEBUI = (
    "a lighthouse at dusk, (storm:1.2), <lora:add_detail:0.8>, oil\n"
    "on canvas <hypernet:ink>\n"
    "Negative prompt: blurry,\n"
    "low quality\n"
    "Steps: 24, Sampler: DPM++ 2M, Schedule type: Karras, CFG scale: 6.5, Seed: 3141592653, Size: 832x1216, "
    "Model hash: 31e35c80fc, Model: dreamshaper_8, Denoising strength: 0.4, Clip skip: 2, Hires upscale: 1.5, "
    "Hires steps: 10, Hires upscaler: R-ESRGAN, ADetailer model: face_yolov8n.pt, ADetailer confidence: 0.3, "
    'ControlNet 0: "Module: canny, Weight: 1.0", Lora hashes: "add_detail: 7c6bad76eb54, other_one: 0a1b2c3d4e5f", '
    'TI hashes: "easynegative: c74b4e810b03", Version: v1.10.1'
)
FORGE = (
    "a red fox\nSteps: 20, Sampler: Euler, Schedule type: Simple, CFG scale: 1, Distilled CFG Scale: 3.5, Seed: 42, "
    "Size: 1024x768, Model hash: c161224931, Model: flux1-dev-Q8_0, Beta schedule alpha: 0.6, "
    "Version: f2.0.1v1.10.1-previous-664-gd557aef9, Module 1: ae, Module 2: clip_l"
)
CIVITAI = (
    "a koi pond\nNegative prompt: text\nSteps: 25, Sampler: Euler a, CFG scale: 4, Seed: 7, Size: 832x1216, "
    "Created Date: 2025-02-03T04:05:06.7Z, Civitai resources: "
    '[{"type":"checkpoint","modelVersionId":11,"modelName":"Pond XL: [v]","modelVersionName":"v1"},'
    '{"type":"lora","weight":0.7,"modelVersionId":12,"modelName":"Ripples","modelVersionName":"2"},'
    '{"type":"embed","modelName":"clearly"},{"weight":1},"x"], Civitai metadata: {"a": "b, c: d"}'
)
OURS = (
    "  a fox, (word:1.2) <lora:x:1>\r\n\\Steps: three,\n  \\\\Negative prompt: kept\n\n"
    "Steps: 4, Sampler: Euler, Schedule type: Simple, CFG scale: 1, Seed: 42, Size: 1024x768, "
    "Model: FLUX.1-schnell, Version: flux_magic 0.1.0"
)


def node(kind: str, **inputs: Any) -> dict[str, Any]:
    return {"class_type": kind, "inputs": inputs, "_meta": {"title": kind}}


SDXL = {
    "3": node("KSampler", seed=156680208700286, steps=20, cfg=8.0, sampler_name="euler", scheduler="normal")
    | {"is_changed": [float("nan")]},
    "4": node("CheckpointLoaderSimple", ckpt_name="sdxl\\base_1.0.safetensors"),
    "5": node("EmptyLatentImage", width=1024, height=768, batch_size=1),
    "6": node("CLIPTextEncode", text="a glass bottle, (galaxy:1.3)", clip=["10", 1]),
    "7": node("CLIPTextEncode", text="watermark", clip=["10", 1]),
    "8": node("VAEDecode", samples=["3", 0], vae=["4", 2]),
    "9": node("SaveImage", filename_prefix="ComfyUI", images=["11", 0]),
    "10": node("LoraLoader", lora_name="styles/ink.safetensors", strength_model=0.75, model=["4", 0], clip=["4", 1]),
    "11": node("ImageUpscaleWithModel", upscale_model=["12", 0], image=["8", 0]),
    "12": node("UpscaleModelLoader", model_name="4x.pth"),
    "13": node("ControlNetApplyAdvanced", positive=["6", 0], negative=["7", 0], control_net=["14", 0], strength=0.6),
    "14": node("ControlNetLoader", control_net_name="canny.safetensors"),
}
SDXL["3"]["inputs"] |= {
    "denoise": 1.0,
    "model": ["10", 0],
    "positive": ["13", 0],
    "negative": ["13", 1],
    "latent_image": ["5", 0],
}

FLUX = {
    "6": node("CLIPTextEncode", text=["40", 0], clip=["11", 0]),
    "8": node("VAEDecode", samples=["13", 0], vae=["10", 0]),
    "9": node("SaveImage", filename_prefix="flux", images=["8", 0]),
    "10": node("VAELoader", vae_name="ae.safetensors"),
    "11": node("DualCLIPLoader", clip_name1="t5xxl_fp16.safetensors", clip_name2="clip_l.safetensors", type="flux"),
    "12": node("UNETLoader", unet_name="flux1-dev.safetensors", weight_dtype="default"),
    "13": node(
        "SamplerCustomAdvanced",
        noise=["25", 0],
        guider=["22", 0],
        sampler=["16", 0],
        sigmas=["17", 0],
        latent_image=["27", 0],
    ),
    "16": node("KSamplerSelect", sampler_name="euler"),
    "17": node("BasicScheduler", scheduler="simple", steps=["41", 0], denoise=1, model=["30", 0]),
    "22": node("BasicGuider", model=["30", 0], conditioning=["26", 0]),
    "25": node("RandomNoise", noise_seed=["42", 0]),
    "26": node("FluxGuidance", guidance=3.5, conditioning=["6", 0]),
    "27": node("EmptySD3LatentImage", width=["43", 0], height=1024, batch_size=1),
    "30": node("ModelSamplingFlux", max_shift=1.15, base_shift=0.5, width=1024, height=1024, model=["31", 0]),
    "31": node("LoraLoaderModelOnly", lora_name="anime.safetensors", strength_model=1, model=["12", 0]),
    "40": node("PrimitiveStringMultiline", value="a barista\nwith a sign"),
    "41": node("PrimitiveInt", value=28),
    "42": node("Reroute", anything=["44", 0]),
    "43": node("Width and height", width=832, height=1216),
    "44": node("Seed (rgthree)", seed=1234),
}

INVOKE = {
    "app_version": "5.4.2",
    "generation_mode": "flux_txt2img",
    "positive_prompt": "a mossy cottage",
    "negative_prompt": "people",
    "width": 1152,
    "height": 896,
    "seed": 2094827,
    "rand_device": "cpu",
    "cfg_scale": 7.5,
    "steps": 30,
    "scheduler": "dpmpp_2m_k",
    "model": {"key": "k", "hash": "blake3:0", "name": "Juggernaut XL v9", "base": "sdxl", "type": "main"},
    "loras": [
        {"model": {"name": "Ink", "base": "sdxl", "type": "lora"}, "weight": 0.65},
        {"lora": {"model_name": "old/Pencil", "base_model": "sdxl"}, "weight": 1},
        "nothing",
    ],
    "vae": {"name": "sdxl-vae-fp16-fix"},
    "controlnets": [{}, {}],
    "ipAdapters": [],
    "seamless_x": True,
    "seamless_y": False,
    "strength": None,
}

SWARM = {
    "sui_image_params": {
        "prompt": "a tram in Lisbon <lora:film:0.5>",
        "negativeprompt": "cars",
        "model": "OfficialStableDiffusion/sd_xl_base_1.0",
        "images": 4,
        "seed": "17",
        "steps": 20,
        "cfgscale": 7.0,
        "aspectratio": "1:1",
        "width": 1024,
        "height": 1024,
        "comfyuisampler": "dpmpp_2m",
        "automaticvae": True,
        "loras": ["styles/film", "grain"],
        "loraweights": ["0.5"],
        "original_prompt": "a tram",
        "swarm_version": "0.9.3.1",
    },
    "sui_extra_data": {"date": "2025-01-25", "generation_time": "4.84 sec"},
}


def parameters(text: str) -> Recipe:
    recipe = read_texts({"parameters": text})
    assert recipe is not None
    return recipe


def comfyui(graph: Mapping[str, Any]) -> Recipe:
    recipe = read_texts({"prompt": json.dumps(graph)})
    assert recipe is not None
    return recipe


def changed(graph: Mapping[str, Any], id_: str, **inputs: Any) -> dict[str, Any]:
    """Return a graph with other inputs in one of its nodes."""
    old = graph[id_]
    return {**graph, id_: {**old, "inputs": {**old["inputs"], **inputs}}}


def test_the_text_of_automatic1111_is_a_recipe_and_all_that_has_no_counterpart_here() -> None:
    assert parameters(WEBUI) == Recipe(
        tool="AUTOMATIC1111",
        prompt="a lighthouse at dusk, (storm:1.2), oil\non canvas",
        steps=24,
        width=832,
        height=1216,
        unmatched=(
            "model: dreamshaper_8",
            "LoRA: add_detail (0.8)",
            "hypernetwork: ink",
            WEIGHTS,
            "LoRA: other_one",
            "embedding: easynegative",
            "seed 3141592653: larger than 2147483647",
            "hires fix: 1.5x (R-ESRGAN), steps 10, denoising strength 0.4",
            "ADetailer: model face_yolov8n.pt, confidence 0.3",
            "sampler: DPM++ 2M",
            "schedule type: Karras",
            "clip skip: 2",
            "ControlNet 0: Module: canny, Weight: 1.0",
        ),
        guidance=6.5,
        negative_prompt="blurry, low quality",
    )


def test_the_text_of_forge_for_flux_is_read_as_well() -> None:
    assert parameters(FORGE) == Recipe(
        tool="AUTOMATIC1111",
        prompt="a red fox",
        seed=42,
        steps=20,
        width=1024,
        height=768,
        unmatched=(
            "model: flux1-dev-Q8_0",
            "CFG scale: 1",
            "sampler: Euler",
            "schedule type: Simple",
            "beta schedule alpha: 0.6",
            "module 1: ae",
            "module 2: clip_l",
        ),
        guidance=3.5,
    )


def test_models_in_the_json_of_civitai_are_named() -> None:
    recipe = parameters(CIVITAI)
    assert (recipe.prompt, recipe.seed, recipe.steps, recipe.width, recipe.height) == ("a koi pond", 7, 25, 832, 1216)
    assert (recipe.negative_prompt, recipe.guidance) == ("text", 4)
    assert recipe.unmatched == ("model: Pond XL: [v]", "LoRA: Ripples (0.7)", "embed: clearly", "sampler: Euler a")


def test_our_own_text_gives_the_prompt_as_it_was_sent() -> None:
    assert parameters(OURS) == Recipe(
        tool="flux_magic",
        prompt="  a fox, (word:1.2) <lora:x:1>\r\nSteps: three,\n  \\Negative prompt: kept\n",
        seed=42,
        steps=4,
        width=1024,
        height=768,
    )


@pytest.mark.parametrize("model", ["FLUX.1-schnell", "black-forest-labs-flux-1-schnell"])
def test_our_own_text_does_not_name_the_model_that_there_is(model: str) -> None:
    assert parameters(f"a fox\nSteps: 4, Size: 8x8, Model: {model}, Version: flux_magic 0.1.0").unmatched == ()


def test_our_own_text_names_another_model_and_whatever_was_added() -> None:
    recipe = parameters(OURS.replace("FLUX.1-schnell", "flux_magic stand-in, Extra: 1").replace("\n\nSteps", "\nSteps"))
    assert recipe.unmatched == ("model: flux_magic stand-in", "extra: 1")
    assert recipe.prompt.endswith("kept")


@pytest.mark.parametrize("text", ["Steps: 1", "  Negative prompt: x", "\\Steps: 1", "a\n\n \\\\Steps:\n", "\\", "a: b"])
def test_a_prompt_that_was_escaped_for_our_own_text_comes_back(text: str) -> None:
    lines = (
        line[: len(line) - len(line.lstrip())] + "\\" + line.lstrip()
        if line.lstrip().lstrip("\\").startswith(("Steps:", "Negative prompt:"))
        else line
        for line in text.split("\n")
    )
    written = "\n".join([*lines, "Steps: 4, Seed: 42, Size: 8x8, Version: flux_magic 0.1.0"])
    assert parameters(written).prompt == text


LINE = "Steps: 20, Sampler: Euler, Seed: 5, Size: 512x768"


@pytest.mark.parametrize(
    ("text", "prompt", "fields"),
    [
        pytest.param(f"a fox\n{LINE}", "a fox", (5, 20, 512, 768), id="no negative prompt"),
        pytest.param(LINE, "", (5, 20, 512, 768), id="no prompt"),
        pytest.param(f"Negative prompt: x\n{LINE}", "", (5, 20, 512, 768), id="only a negative prompt"),
        pytest.param(f"a fox\r\nin snow\r\n{LINE}\r\n", "a fox\nin snow", (5, 20, 512, 768), id="Windows line ends"),
        pytest.param("a fox\nSampler: x, Seed: 5, Steps: 9", "a fox", (5, 9, None, None), id="steps are not first"),
        pytest.param("a fox\nSteps: 9, Seed: 5", "a fox\nSteps: 9, Seed: 5", (None,) * 4, id="two pairs are a prompt"),
        pytest.param("time: noon, mood: calm, sky: red", "time: noon, mood: calm, sky: red", (None,) * 4, id="colons"),
        pytest.param("a fox\nin snow", "a fox\nin snow", (None,) * 4, id="only a prompt"),
        pytest.param(f"a fox\n{LINE}\nTemplate: a {{fox|cat}}", "a fox", (5, 20, 512, 768), id="a template"),
        pytest.param(
            f"a fox\n{LINE}\nTemplate: a {{fox|cat}}\n\nin two\nNegative Template: b",
            "a fox",
            (5, 20, 512, 768),
            id="templates of several lines",
        ),
        pytest.param(
            f"a\n{LINE}\nTemplate: b\n{LINE}", f"a\n{LINE}\nTemplate: b", (5, 20, 512, 768), id="in the middle"
        ),
        pytest.param(f"Template: fox\n{LINE}", "Template: fox", (5, 20, 512, 768), id="a prompt like a template"),
        pytest.param(f"a, <lora:x:1>, b\n{LINE}", "a, b", (5, 20, 512, 768), id="a tag between commas"),
        pytest.param(f"<lora:x:1>, a,,b\n{LINE}", "a,b", (5, 20, 512, 768), id="a tag at the beginning"),
        pytest.param(f"a <lora:x:te=1:unet=2>fox\n{LINE}", "a fox", (5, 20, 512, 768), id="a tag within"),
        pytest.param(f"a <lora:x><lyco:y:1> fox\n{LINE}", "a fox", (5, 20, 512, 768), id="two tags within"),
        pytest.param(f"a <lora::1> fox\n{LINE}", "a <lora::1> fox", (5, 20, 512, 768), id="a tag without a name"),
        pytest.param(f"a,,b <x:1> <lora:>\n{LINE}", "a,,b <x:1> <lora:>", (5, 20, 512, 768), id="no tags"),
        pytest.param(f"a\x00\x1b\u2028fox\n{LINE}", "a\x00\x1b\u2028fox", (5, 20, 512, 768), id="control characters"),
        pytest.param(f"{{red|blue}} fox\n{LINE}", "{red|blue} fox", (5, 20, 512, 768), id="braces"),
        pytest.param("a\nSteps: x, Seed: , Size: 8×16", "a", (None, None, 8, 16), id="words for numbers"),
        pytest.param("a\nSteps: 0, Seed: -1, Size: big", "a", (None,) * 4, id="out of bounds"),
        pytest.param("a\nSteps: 2.0, Seed: 0, Size: 8 x 8", "a", (0, 2, 8, 8), id="floats"),
        pytest.param("a\nSteps: 2, Seed: 2147483647, Size: 0x9999999", "a", (MAX_SEED, 2, None, None), id="largest"),
    ],
)
def test_texts_of_automatic1111_have_many_shapes(text: str, prompt: str, fields: tuple[int | None, ...]) -> None:
    recipe = parameters(text)
    assert recipe.prompt == prompt
    assert (recipe.seed, recipe.steps, recipe.width, recipe.height) == fields


@pytest.mark.parametrize(
    ("line", "phrase"),
    [
        pytest.param("Model hash: abc", "model hash: abc", id="a hash alone"),
        pytest.param('Lora hashes: "a b: 1"', "LoRA: a b", id="a LoRA without a tag"),
        pytest.param('Hires prompt: "one,\\ntwo: three"', "hires fix: prompt one, two: three", id="a quoted value"),
        pytest.param("Hires resize: 8x8", "hires fix: 8x8", id="hires fix to a size"),
        pytest.param('Note: "bad \\q escape"', 'note: "bad \\q escape"', id="broken quotes"),
        pytest.param('Note: "open', 'note: "open', id="an open quote"),
        pytest.param("Note: a\x1b[31mb\u202e", "note: a�[31mb�", id="what cannot be printed"),
        pytest.param("Note: 👩‍🚀", "note: 👩‍🚀", id="a joined emoji"),
        pytest.param("Note: " + "x" * 200, "note: " + "x" * 93 + "…", id="a long value"),
        pytest.param("Seed: " + "9" * 60, f"seed {'9' * 49}…: larger than 2147483647", id="a long seed"),
        pytest.param("Seed: " + "9" * 5000, "seed: " + "9" * 93 + "…", id="a seed that Python cannot read"),
        pytest.param("Seed: -1", "seed -1: smaller than 0", id="a seed below 0"),
        pytest.param("Size: big", "size: big", id="a size in words"),
        pytest.param("Size: 9999999x8", "width: 9999999", id="a width that no picture has"),
        pytest.param("Steps: 0", "steps: 0", id="no steps"),
        pytest.param("Steps: many", "steps: many", id="steps in words"),
        pytest.param('Hashes: {"model": "a", "lora:x": "b"}, Model: m', "model: m", id="hashes as JSON"),
        pytest.param("Civitai resources: [broken", "civitai resources: [broken", id="broken JSON of Civitai"),
        pytest.param("Civitai resources: 3", "civitai resources: 3", id="other JSON of Civitai"),
    ],
)
def test_a_value_without_a_counterpart_is_a_phrase(line: str, phrase: str) -> None:
    assert phrase in parameters(f"a\nVersion: 1, Sampler: s, Tiling: True, {line}").unmatched


def test_a_lora_is_named_once_and_so_are_the_weights() -> None:
    text = f'<lora:Ink:1> (a:1.1) (b:1.2) <lora:ink:0.2> <lyco:wash:0.3>\n{LINE}, Lora hashes: "ink: 0a, wash: 1b"'
    assert parameters(text).unmatched == ("LoRA: Ink (1)", "LyCORIS: wash (0.3)", WEIGHTS, "sampler: Euler")


def test_of_many_phrases_there_are_twenty_and_how_many_more() -> None:
    line = ", ".join(f"Key {number}: {number}" for number in range(31))
    unmatched = parameters(f"a\n{LINE}, {line}").unmatched
    assert len(unmatched) == 21
    assert unmatched[-2:] == ("key 18: 18", "and 12 more")


def test_a_graph_of_comfyui_is_read_from_the_saved_picture_back() -> None:
    assert comfyui(SDXL) == Recipe(
        tool="ComfyUI",
        prompt="a glass bottle, (galaxy:1.3)",
        steps=20,
        width=1024,
        height=768,
        unmatched=(
            "node: ControlNetApplyAdvanced",
            WEIGHTS,
            "LoRA: ink (0.75)",
            "model: base_1.0",
            "seed 156680208700286: larger than 2147483647",
            "sampler: euler",
            "scheduler: normal",
            "node: ImageUpscaleWithModel",
        ),
        guidance=8,
        negative_prompt="watermark",
    )


def test_a_graph_for_flux_with_a_custom_sampler_is_read_through_its_helpers() -> None:
    assert comfyui(FLUX) == Recipe(
        tool="ComfyUI",
        prompt="a barista\nwith a sign",
        seed=1234,
        steps=28,
        width=832,
        height=1024,
        unmatched=(
            "node: ModelSamplingFlux",
            "LoRA: anime (1)",
            "model: flux1-dev",
            "sampler: euler",
            "scheduler: simple",
        ),
        guidance=3.5,
    )


@pytest.mark.parametrize(
    ("graph", "expected"),
    [
        pytest.param(
            {
                "1": node("KSampler", seed=1, steps=4, positive=["2", 0], negative=["3", 0], latent_image=["4", 0]),
                "2": node("CLIPTextEncodeFlux", t5xxl="a long text", clip_l="short", guidance=2.5),
                "3": node("ConditioningZeroOut", conditioning=["2", 0]),
                "4": node("EmptyFlux2LatentImage", width=640, height=480),
            },
            Recipe("ComfyUI", "a long text", 1, 4, 640, 480, ("prompt for CLIP: short",), guidance=2.5),
            id="two encoders, no negative prompt, and nothing that saves",
        ),
        pytest.param(
            {
                "1": node(
                    "KSampler (Efficient)", seed=["5", 3], steps=4, model=["2", 0], positive=["2", 1], negative=0
                ),
                "2": node(
                    "Efficient Loader",
                    ckpt_name="m.ckpt",
                    lora_name="None",
                    positive="a fox",
                    empty_latent_width=512,
                    empty_latent_height=256,
                ),
                "5": node("Seed Everywhere", seed=9),
                "6": node("Image Save", images=["1", 5]),
            },
            Recipe("ComfyUI", "a fox", 9, 4, 512, 256, ("model: m",)),
            id="efficiency nodes",
        ),
        pytest.param(
            {
                "1": node("KSamplerAdvanced", noise_seed=3, add_noise="enable", steps=25, latent_image=["3", 0]),
                "2": node("KSamplerAdvanced", noise_seed=0, add_noise="disable", steps=25, latent_image=["1", 0]),
                "3": node("EmptyLatentImage", width=64, height=32),
                "4": node("PreviewImage", images=["5", 0]),
                "5": node("VAEDecode", samples=["2", 0]),
                "6": node("SaveImage", images=["404", 0]),
            },
            Recipe("ComfyUI", "", 3, 25, 64, 32, ("other samplers before the last: 1",)),
            id="a refiner",
        ),
        pytest.param(
            {
                "1": node("KSampler", seed=1, steps=8, positive=["8", 0], latent_image=["3", 0]),
                "2": node("KSampler", seed=2, steps=4, positive=["8", 0], denoise=0.5, latent_image=["4", 0]),
                "3": node("EmptyLatentImage", width=64, height=32),
                "4": node("LatentUpscaleBy", samples=["1", 0], scale_by=1.5),
                "5": node("VAEDecode", samples=["2", 0]),
                "6": node("SaveImage", images=["5", 0]),
                "8": node("CLIPTextEncode", text=["9", 0]),
                "9": node("StringConcatenate", string_a=["10", 0], string_b="snow", delimiter=", "),
                "10": node("ShowText|pysssss", text=["11", 0], text_0="old"),
                "11": node("String Literal", string="a fox"),
            },
            Recipe(
                "ComfyUI",
                "a fox, snow",
                2,
                4,
                64,
                32,
                ("node: LatentUpscaleBy", "denoise: 0.5", "other samplers before the last: 1"),
            ),
            id="a second pass, and a text put together",
        ),
        pytest.param(
            {
                "1": node("SamplerCustom", noise_seed=1, positive=["2", 0], latent_image=["3", 0], model=["5", 0]),
                "2": node("CLIPTextEncodeSDXL", text_g=["7", 0], text_l=["7", 0], width=1, height=1),
                "3": node("VAEEncode", pixels=["4", 0]),
                "4": node("LoadImage", image="me.png"),
                "5": node(
                    "Power Lora Loader (rgthree)",
                    lora_1={"on": True, "lora": "a.safetensors", "strength": 0.5},
                    lora_2={"on": False, "lora": "b.safetensors", "strength": 1},
                    model=["6", 0],
                ),
                "6": node("UnetLoaderGGUF", unet_name="flux1-schnell-Q4_0.gguf"),
                "7": node("Any", whatever=["8", 0]),
                "8": node("Text box", text="a cat"),
            },
            Recipe(
                "ComfyUI",
                "a cat",
                1,
                unmatched=("LoRA: a (0.5)", "model: flux1-schnell-Q4_0", "an image that it starts from"),
            ),
            id="a picture to start from",
        ),
        pytest.param(
            {"1": node("FluxProUltra", prompt="a dog", seed=4, width=8, height=16), "2": node("LLM", prompt="x")},
            Recipe("ComfyUI", "a dog", 4, None, 8, 16),
            id="a node that asks a service",
        ),
        pytest.param(
            {"1": node("XlabsSampler", noise_seed=5, steps="7", positive="typed", latent_image=["1", 0])},
            Recipe("ComfyUI", "typed", 5, 7),
            id="a sampler with a text of its own that leads to itself",
        ),
    ],
)
def test_graphs_of_comfyui_have_many_shapes(graph: dict[str, Any], expected: Recipe) -> None:
    assert comfyui(graph) == expected


@pytest.mark.parametrize(
    ("id_", "inputs", "field", "value"),
    [
        pytest.param("3", {"seed": "12"}, "seed", 12, id="a text for a number"),
        pytest.param("3", {"seed": 12.0}, "seed", 12, id="a float for a number"),
        pytest.param("3", {"seed": float("nan")}, "seed", None, id="not a number"),
        pytest.param("3", {"seed": float("inf")}, "seed", None, id="infinity"),
        pytest.param("3", {"seed": True}, "seed", None, id="a bool for a number"),
        pytest.param("3", {"seed": 1e300}, "seed", None, id="a huge float"),
        pytest.param("3", {"seed": {"a": [1]}}, "seed", None, id="an object for a number"),
        pytest.param("3", {"seed": ["404", 0]}, "seed", None, id="a link to nowhere"),
        pytest.param("3", {"seed": ["3", 0]}, "seed", None, id="a link to itself"),
        pytest.param("3", {"add_noise": [[]]}, "seed", None, id="a list for a switch"),
        pytest.param("3", {"positive": ["3", 0]}, "prompt", "", id="conditioning in a circle"),
        pytest.param("3", {"positive": ["404", 0]}, "prompt", "", id="conditioning from nowhere"),
        pytest.param("3", {"positive": 3}, "prompt", "", id="conditioning that is none"),
        pytest.param("3", {"model": ["10", 0, 0]}, "prompt", "a glass bottle, (galaxy:1.3)", id="a link too long"),
        pytest.param("6", {"text": ["6", 0]}, "prompt", "", id="a text in a circle"),
        pytest.param("6", {"text": 5}, "prompt", "", id="a number for a text"),
        pytest.param("10", {"model": ["10", 0]}, "steps", 20, id="a model in a circle"),
        pytest.param("10", {"lora_name": [[]]}, "steps", 20, id="a list for a LoRA"),
        pytest.param("5", {"width": "wide"}, "width", None, id="a word for a width"),
        pytest.param("5", {"height": ["5", 0]}, "height", None, id="a height in a circle"),
        pytest.param("9", {"images": {}}, "seed", None, id="nothing that leads to the file"),
    ],
)
def test_a_hostile_graph_of_comfyui_is_read_as_far_as_it_goes(
    id_: str, inputs: dict[str, Any], field: str, value: object
) -> None:
    assert getattr(comfyui(changed(SDXL, id_, **inputs)), field) == value


@pytest.mark.parametrize(
    "texts",
    [
        pytest.param({"workflow": '{"nodes": [{"id": 1, "type": "KSampler"}]}'}, id="no graph"),
        pytest.param({"workflow": '{"nodes": []}', "prompt": "{broken"}, id="a broken graph"),
        pytest.param({"prompt": json.dumps({"1": node("LoadImage", image="a.png")})}, id="no sampler"),
        pytest.param({"prompt": '{"1": {"class_type": "SaveImage", "inputs": 5}, "2": 3}'}, id="no inputs"),
    ],
)
def test_a_workflow_without_a_sampler_is_still_known_as_one_of_comfyui(texts: dict[str, str]) -> None:
    unmatched = ("the workflow: no sampler is found in what the file holds of it",)
    assert read_texts(texts) == Recipe("ComfyUI", "", unmatched=unmatched)


def test_the_json_of_invokeai_is_a_recipe() -> None:
    assert read_texts({"invokeai_metadata": json.dumps(INVOKE)}) == Recipe(
        tool="InvokeAI",
        prompt="a mossy cottage",
        seed=2094827,
        steps=30,
        width=1152,
        height=896,
        unmatched=(
            "model: Juggernaut XL v9",
            "LoRA: Ink (0.65)",
            "LoRA: Pencil (1)",
            "LoRA: nothing",
            "scheduler: dpmpp_2m_k",
            "VAE: sdxl-vae-fp16-fix",
            "controlnets: 2",
            "seamless x: on",
        ),
        guidance=7.5,
        negative_prompt="people",
    )


def test_another_mode_of_invokeai_is_named_and_values_of_other_types_are_left() -> None:
    given = {"generation_mode": "img2img", "seed": [], "steps": "9", "positive_prompt": 3, "model": "m", "loras": 3}
    assert read_texts({"invokeai_metadata": json.dumps(given)}) == Recipe(
        "InvokeAI", "", steps=9, unmatched=("model: m", "generation mode: img2img")
    )


def test_the_json_of_swarmui_is_a_recipe() -> None:
    assert parameters(json.dumps(SWARM)) == Recipe(
        tool="SwarmUI",
        prompt="a tram in Lisbon",
        seed=17,
        steps=20,
        width=1024,
        height=1024,
        unmatched=(
            "model: sd_xl_base_1.0",
            "LoRA: film (0.5)",
            "LoRA: grain",
            "sampler: dpmpp_2m",
        ),
        guidance=7,
        negative_prompt="cars",
    )


def flux(**sampler: Any) -> dict[str, str]:
    """Return ComfyUI's graph for FLUX, with another guider."""
    return {"prompt": json.dumps({**FLUX, "22": node("CFGGuider", model=["30", 0], positive=["26", 0], **sampler)})}


def from_image(**sampler: Any) -> dict[str, str]:
    """Return a graph of ComfyUI that starts from an image."""
    graph = {
        "1": node("KSampler", seed=1, positive="a fox", negative="mist", latent_image=["2", 0], **sampler),
        "2": node("VAEEncode", pixels=["3", 0]),
        "3": node("LoadImage", image="/home/me/secret.png"),
    }
    return {"prompt": json.dumps(graph)}


def told(tool: str, **values: Any) -> dict[str, str]:
    """Return the JSON of a flat tool."""
    given = {"prompt": "a fox", "seed": 1, "steps": 4, **values}
    return {
        "SwarmUI": {"parameters": json.dumps({"sui_image_params": given})},
        "NovelAI": {"Comment": json.dumps({"uc": "", "software": "NovelAI", **given})},
        "Draw Things": {"XMP exif:UserComment": json.dumps({"c": "a fox", "uc": "", **given})},
    }.get(tool, {"invokeai_metadata": json.dumps(given)})


NOT_READ = (None, "", None)
IMAGE = "an image that it starts from"
JOB = "Job ID: 01234567-89ab-cdef-0123-456789abcdef"
ODD = [
    (float("nan"), "nan"),
    (1e999, "inf"),
    (-3, "scale: -3"),
    (10**30, "scale: 1"),
    ([3], ""),
    ({}, ""),
    (True, "on"),
]


@pytest.mark.parametrize(
    ("texts", "read", "named"),
    [
        pytest.param({"parameters": f"a\n{LINE}, CFG scale: 7"}, (7, "", None), "", id="A1111"),
        pytest.param({"parameters": f"a\n{LINE}, CFG scale: 1"}, NOT_READ, "CFG scale: 1", id="A1111 without"),
        pytest.param(
            {"parameters": f"a\nNegative prompt: b <lora:c:1>\n  d\n{LINE}, CFG scale: 7, Denoising strength: 0.4"},
            (7, "b d", 0.4), IMAGE, id="A1111 from an image",
        ),
        pytest.param(
            {"parameters": f"a\n{LINE}, Distilled CFG Scale: 3.5, CFG scale: 4"},
            (3.5, "", None), "CFG scale: 4", id="A1111, both",
        ),
        pytest.param({"parameters": OURS}, NOT_READ, "", id="our constants of before"),
        pytest.param(
            {"parameters": f"a\nNegative prompt:  b \n\\Steps: c\n{LINE}, CFG scale: 1, Version: flux_magic 1"},
            (1, " b \nSteps: c", None), "", id="ours",
        ),
        pytest.param(flux(cfg=1), (3.5, "", None), "CFG scale: 1", id="ComfyUI, a guidance of FLUX"),
        pytest.param(flux(cfg=4.5), (3.5, "", None), "CFG scale: 4.5", id="ComfyUI, both"),
        pytest.param(from_image(cfg=6, denoise=0.6), (6, "mist", 0.6), IMAGE, id="ComfyUI from an image"),
        pytest.param(from_image(cfg=["9", 0], denoise=1), (None, "mist", None), IMAGE, id="ComfyUI, whole"),
        pytest.param(told("", guidance=4, cfg_scale=1.0), (4, "", None), "CFG scale: 1", id="InvokeAI, FLUX"),
        pytest.param(told("", cfg_scale=5, strength=0.7), (5, "", 0.7), IMAGE, id="InvokeAI"),
        pytest.param(
            {"Dream": '"a fox [hen]" -s 5 -C 7.5 -f 0.3 -I x.png'}, (7.5, "hen", 0.3), "init image: x.png", id="Dream"
        ),
        pytest.param(
            told("SwarmUI", fluxguidancescale=2.5, cfgscale=1, negativeprompt="b", initimagecreativity=0.6),
            (2.5, "b", 0.6), "CFG scale: 1", id="SwarmUI",
        ),
        pytest.param(told("NovelAI", scale=5, strength=0.69), (5, "", None), "strength: 0.69", id="NovelAI"),
        pytest.param(
            told("NovelAI", strength=0.69, request_type="Img2ImgRequest"), (None, "", 0.69), IMAGE, id="NovelAI's other"
        ),
        pytest.param(told("Draw Things", scale=4, strength=1), (4, "", None), "strength: 1", id="Draw Things"),
        pytest.param(
            told("", guidance="3.5", image_strength=0.4), (3.5, "", None), "image strength: 0.4", id="mflux"
        ),
        pytest.param(told("", guidance_scale=4.0, sharpness=2), (4, "", None), "sharpness: 2", id="Fooocus"),
        pytest.param({"Description": f"a --no b {JOB}"}, NOT_READ, "no: b", id="Midjourney"),
        *(
            pytest.param(told("", cfg_scale=odd, strength=odd, negative_prompt=odd), NOT_READ, named, id=repr(odd))
            for odd, named in ODD
        ),
        pytest.param(told("", cfg_scale="9" * 500, strength="0.5e5"), NOT_READ, "strength: 0.5e5", id="strings"),
    ],
)  # fmt: skip
def test_guidance_negative_prompt_and_strength_are_read_as_each_tool_names_them(
    texts: dict[str, str], read: tuple[float | None, str, float | None], named: str
) -> None:
    recipe = read_texts(texts)
    assert recipe is not None
    assert (recipe.guidance, recipe.negative_prompt, recipe.strength) == read
    assert named in " ".join(recipe.unmatched)
    assert "secret" not in str(recipe)


def test_swarmui_may_list_its_loras_in_a_text() -> None:
    given = {"sui_image_params": {"prompt": None, "loras": "a,b", "loraweights": "0.5,1"}}
    assert parameters(json.dumps(given)).unmatched == ("LoRA: a (0.5)", "LoRA: b (1)")


@pytest.mark.parametrize(
    "texts",
    [
        pytest.param({}, id="nothing"),
        pytest.param({"parameters": " \n", "prompt": "", "workflow": "", "invokeai_metadata": ""}, id="empty texts"),
        pytest.param({"parameters": '{"prompt": "a"}'}, id="JSON of another tool"),
        pytest.param({"parameters": '{"sui_image_params": []}'}, id="a list of SwarmUI's"),
        pytest.param({"prompt": "a red fox", "workflow": "[]"}, id="no JSON"),
        pytest.param({"prompt": '{"1": {"class_type": 5}}', "workflow": '{"nodes": {}}'}, id="no graph"),
        pytest.param({"invokeai_metadata": '{"app_version": "5"}'}, id="InvokeAI without a prompt"),
        pytest.param({"Comment": "a red fox"}, id="other keywords"),
        pytest.param({"invokeai_metadata": '{"a":' * 200_000, "workflow": "[" * 200_000}, id="deep JSON"),
        pytest.param({"prompt": 5, "workflow": None}, id="no texts"),
    ],
)
def test_where_nothing_is_understood_there_is_no_recipe(texts: dict[str, str]) -> None:
    assert read_texts(texts) is None


GRAPH = json.dumps(FLUX)


@pytest.mark.parametrize(
    ("texts", "tool", "prompt"),
    [
        pytest.param({"invokeai_metadata": json.dumps(INVOKE)}, "InvokeAI", "a mossy cottage", id="InvokeAI first"),
        pytest.param({"parameters": json.dumps(SWARM)}, "SwarmUI", "a tram in Lisbon", id="then SwarmUI"),
        pytest.param({}, "ComfyUI", "a red fox", id="a saver node's text before the graph"),
        pytest.param({"prompt": ""}, "AUTOMATIC1111", "a red fox", id="the text alone"),
        pytest.param({"parameters": ""}, "ComfyUI", "a barista\nwith a sign", id="the graph alone"),
        pytest.param({"parameters": "a cat"}, "ComfyUI", "a barista\nwith a sign", id="a bare prompt after the graph"),
        pytest.param(
            {"parameters": "a cat", "prompt": "", "workflow": '{"nodes": []}'}, "ComfyUI", "a cat", id="drawn"
        ),
        pytest.param({"parameters": OURS.split("\n", 1)[1]}, "flux_magic", None, id="our own before the graph"),
        pytest.param(
            {"parameters": f"a cat\n{LINE}, Version: ComfyUI", "prompt": ""}, "ComfyUI", "a cat", id="a saver node's"
        ),
    ],
)
def test_of_several_texts_the_most_trusted_one_counts(texts: dict[str, str], tool: str, prompt: str | None) -> None:
    recipe = read_texts({"parameters": FORGE, "prompt": GRAPH, **texts})
    assert recipe is not None
    assert recipe.tool == tool
    assert prompt is None or recipe.prompt == prompt


def test_one_number_that_python_cannot_read_spoils_no_file() -> None:
    text = json.dumps({**INVOKE, "steps": 0}).replace('"steps": 0', '"steps": ' + "7" * 5000)
    recipe = read_texts({"invokeai_metadata": text})
    assert recipe is not None
    assert (recipe.seed, recipe.steps) == (2094827, None)


def _chain(count: int, kind: str, **inputs: Any) -> str:
    """As many nodes in a row, each with these inputs, where NEXT is the following node."""
    nodes = {
        str(number): node(
            kind, **{name: [str(number + 1), 0] if value == "NEXT" else value for name, value in inputs.items()}
        )
        for number in range(count)
    }
    return json.dumps(nodes)


KEYWORDS = (
    "parameters",
    "prompt",
    "workflow",
    "invokeai_metadata",
    "sd-metadata",
    "Dream",
    "EXIF UserComment",
    "Comment",
)
SETTINGS = "\nSteps: 1, Seed: 2, Size: 8x8"


@pytest.mark.parametrize(
    "made",
    [
        pytest.param(lambda n: "a: " * n, id="short keys"),
        pytest.param(lambda n: "ab: ," * n, id="no values"),
        pytest.param(lambda n: "a" * n, id="a word"),
        pytest.param(lambda n: " " * n + "x", id="blanks"),
        pytest.param(lambda n: "\n" * n + "x" + SETTINGS, id="line ends"),
        pytest.param(lambda n: "a -/" * n, id="what a key may hold"),
        pytest.param(lambda n: SETTINGS + ', ab: "' * n, id="open quotes"),
        pytest.param(lambda n: SETTINGS + ', ab: "x" y' * n, id="quotes that end too early"),
        pytest.param(lambda n: SETTINGS + ', ab: "' + "\\" * n, id="backslashes"),
        pytest.param(lambda n: SETTINGS + ', ab: "' + '\\"' * n, id="quoted quotes"),
        pytest.param(lambda n: SETTINGS + ', ab: "x"' + " " * n + "y", id="blanks behind a quote"),
        pytest.param(lambda n: SETTINGS + ", Civitai resources: " + "[" * n, id="brackets"),
        pytest.param(lambda n: SETTINGS + ", Civitai resources: [" * n, id="resources"),
        pytest.param(lambda n: ", ".join(f"k{number}: 1" for number in range(n)) + ", Steps: 1", id="pairs"),
        pytest.param(lambda n: "<lora:a:" * n + SETTINGS, id="open tags"),
        pytest.param(lambda n: "<lora:a:1>" + ", " * n + SETTINGS, id="commas"),
        pytest.param(lambda n: "(" + ": 1" * n + SETTINGS, id="open weights"),
        pytest.param(lambda n: "(:" * n + SETTINGS, id="parentheses"),
        pytest.param(lambda n: "\nNegative prompt:" * n + SETTINGS, id="negative prompts"),
        pytest.param(lambda n: "Template:\n" * n + SETTINGS, id="templates"),
        pytest.param(lambda n: "\\" * n + SETTINGS + ", Version: flux_magic 1", id="escapes"),
        pytest.param(lambda n: SETTINGS.replace("2", "2" * n), id="digits"),
        pytest.param(lambda n: '"' + "\\x" * n, id="an open command"),
        pytest.param(lambda n: '"x"' + " -s" * n, id="options"),
        pytest.param(lambda n: " --a" * n + " Job ID: 01234567-89ab-cdef-0123-456789abcdef", id="Midjourney's options"),
        pytest.param(lambda n: json.dumps({"image": {"prompt": "[" * n + " " * n}}), id="negative parts"),
        pytest.param(lambda n: json.dumps({"1": node("generat" * n, prompt="a", seed=["1", 0])}), id="a node's name"),
        pytest.param(lambda n: _chain(n // 10, "Switch", index="NEXT", input0="NEXT", input1="NEXT"), id="switches"),
        pytest.param(lambda n: _chain(n // 10, "SaveImage", images="NEXT"), id="nodes that save"),
        pytest.param(
            lambda n: _chain(n // 10, "KSampler", positive="NEXT", latent_image="NEXT", model="NEXT", seed=1),
            id="samplers",
        ),
        pytest.param(lambda n: _chain(n // 10, "SamplerCustom", noise="NEXT"), id="samplers within samplers"),
        pytest.param(
            lambda n: (
                json.dumps({"x": node("KSampler", positive=["0", 0])})[:-1]
                + ", "
                + _chain(n // 10, "CLIPTextEncode", text="NEXT", text_b="NEXT")[1:]
            ),
            id="texts",
        ),
        pytest.param(
            lambda n: (
                json.dumps({"x": node("KSampler", positive="x", model=["y", 0])})[:-1]
                + ', "y": '
                + json.dumps(
                    node(
                        "L",
                        model=["y", 0],
                        **{str(one): {"on": True, "lora": str(one), "strength": 1} for one in range(n)},
                    )
                )
                + "}"
            ),
            id="LoRAs in a circle",
        ),
    ],
)
def test_a_text_of_malice_takes_a_time_that_grows_with_its_length_alone(made: Callable[[int], str]) -> None:
    def read(text: str) -> None:
        read_texts(dict.fromkeys(KEYWORDS, text))

    assert_linear(made, read, 5_000)


def _is_sound(recipe: Recipe | None) -> bool:
    if recipe is None:
        return True
    phrases = recipe.unmatched
    return (
        (recipe.seed is None or 0 <= recipe.seed <= MAX_SEED)
        and all(size is None or size >= 1 for size in (recipe.steps, recipe.width, recipe.height))
        and (recipe.guidance is None or 0 < recipe.guidance <= 1000)
        and (recipe.strength is None or 0 < recipe.strength < 1)
        and len(phrases) <= 21
        and all(0 < len(phrase) <= 100 and phrase.splitlines() == [phrase] for phrase in phrases)
    )


WORDS = [
    *("class_type", "inputs", "KSampler", "SamplerCustomAdvanced", "SaveImage", "CLIPTextEncode", "LoraLoader", "1"),
    *(
        "positive",
        "negative",
        "model",
        "seed",
        "steps",
        "width",
        "text",
        "latent_image",
        "lora_name",
        "guider",
        "nodes",
    ),
    *("sui_image_params", "prompt", "loras", "loraweights", "positive_prompt", "name", "weight", "on", "lora"),
]
WORDS += ["image", "uc", "c", "size", "resolution", "software", "extraMetadata", "Comment", "populated_text", "select"]
WORDS += ["input1", "input2", "on_true", "boolean", "ImpactSwitch", "any", "links", "widgets_values", "type", "id"]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.sampled_from(WORDS),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(WORDS) | st.text(), inner, max_size=6),
    max_leaves=30,
)
LINK = st.tuples(st.sampled_from("12345"), st.just(0)).map(list)
INPUTS = st.dictionaries(st.sampled_from(WORDS), LINK | JSON, max_size=6)
GRAPHS = st.dictionaries(
    st.sampled_from("12345"),
    st.fixed_dictionaries({"class_type": st.sampled_from(WORDS), "inputs": INPUTS}),
    max_size=5,
)


@given(value=JSON | GRAPHS | st.fixed_dictionaries({"sui_image_params": JSON}))
def test_whatever_json_a_file_holds_no_reader_raises(value: object) -> None:
    text = json.dumps(value)
    for keyword in KEYWORDS:
        assert _is_sound(read_texts({keyword: text}))
        describe_unread({keyword: text})


PIECES = st.sampled_from(
    [
        *("Steps: 4", "Seed: 42", "Size: 8x8", "Model: m", "Version: flux_magic 1", "Hires upscale: 2", "Note: "),
        *(
            "Postprocess upscale by: 4",
            "Job ID: 01234567-89ab-cdef-0123-456789abcdef",
            " --ar 16:9",
            "-s 5",
            "-S5",
            "[",
        ),
        *("Negative prompt: ", "Template: ", "<lora:a:1>", "<lora:", "(a:1)", '"', "\\", ", ", ": ", "\n", "\r\n"),
        *('Civitai resources: [{"modelName":"x"}]', "Hashes: {}", "{", "}", "\ud800", "\x00"),
    ]
)


@given(pieces=st.lists(PIECES | st.text(max_size=6), max_size=30))
def test_whatever_text_a_file_holds_no_reader_raises(pieces: list[str]) -> None:
    text = "".join(pieces)
    assert _is_sound(read_texts(dict.fromkeys(KEYWORDS, text)))
    assert "\n" not in describe_unread({"Comment": text, "Software": text})
