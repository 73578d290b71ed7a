"""Tiny pipelines with random weights, made on the spot: each has the classes of a model that people use."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import diffusers
import torch
import transformers

_WORDS: Final = sorted("abcdefghijklmnopqrstuvwxyz")


def make_clip_tokenizer(folder: Path) -> Any:
    """Return a tokenizer of CLIP's kind that knows the characters alone."""
    folder.mkdir(parents=True, exist_ok=True)
    tokens = [*_WORDS, *(f"{word}</w>" for word in _WORDS), "<|startoftext|>", "<|endoftext|>"]
    (folder / "vocab.json").write_text(json.dumps({token: number for number, token in enumerate(tokens)}))
    (folder / "merges.txt").write_text("#version: 0.2\n")
    return transformers.CLIPTokenizer(str(folder / "vocab.json"), str(folder / "merges.txt"), model_max_length=77)


def make_t5_tokenizer() -> Any:
    """Return a tokenizer of T5's kind that knows the characters alone."""
    pieces = [(token, 0.0) for token in ("<pad>", "</s>", "<unk>", "\u2581")] + [(word, -3.0) for word in _WORDS]
    return transformers.T5TokenizerFast(vocab=pieces, extra_ids=0)


def make_qwen_tokenizer() -> Any:
    """Return a tokenizer of Qwen's kind that knows the characters alone."""
    vocabulary = {token: number for number, token in enumerate([*_WORDS, "<|endoftext|>"])}
    made = transformers.Qwen2TokenizerFast(vocab=vocabulary, merges=[])
    made.chat_template = "{% for message in messages %}{{ message['content'] }}{% endfor %}"
    return made


def _make_clip(size: int = 32, *, projected: bool = False) -> Any:
    config = transformers.CLIPTextConfig(
        hidden_size=size,
        intermediate_size=37,
        num_attention_heads=4,
        num_hidden_layers=2,
        vocab_size=60,
        projection_dim=size,
        bos_token_id=52,
        eos_token_id=53,
        pad_token_id=53,
    )
    kind = transformers.CLIPTextModelWithProjection if projected else transformers.CLIPTextModel
    return kind(config)


def _make_vae(channels: int, blocks: int = 2, **options: Any) -> Any:
    return diffusers.AutoencoderKL(
        sample_size=32,
        in_channels=3,
        out_channels=3,
        down_block_types=("DownEncoderBlock2D",) * blocks,
        up_block_types=("UpDecoderBlock2D",) * blocks,
        block_out_channels=(4,) * blocks,
        layers_per_block=1,
        latent_channels=channels,
        norm_num_groups=1,
        **{"use_quant_conv": False, "use_post_quant_conv": False, "shift_factor": 0.0609, "scaling_factor": 1.5035}
        | options,
    )


def _make_flux_parts(scratch: Path, blocks: int = 2, **options: Any) -> dict[str, Any]:
    torch.manual_seed(0)
    t5 = transformers.T5Config(
        d_model=32, d_kv=8, d_ff=37, num_layers=2, num_heads=4, vocab_size=64, is_encoder_decoder=False
    )
    return {
        "transformer": diffusers.FluxTransformer2DModel(
            patch_size=1,
            in_channels=16,
            num_layers=1,
            num_single_layers=1,
            attention_head_dim=16,
            num_attention_heads=2,
            joint_attention_dim=32,
            pooled_projection_dim=32,
            axes_dims_rope=(4, 4, 8),
            **options,
        ),
        "text_encoder": _make_clip(),
        "text_encoder_2": transformers.T5EncoderModel(t5),
        "tokenizer": make_clip_tokenizer(scratch / "clip"),
        "tokenizer_2": make_t5_tokenizer(),
        "vae": _make_vae(4, blocks),
        "scheduler": diffusers.FlowMatchEulerDiscreteScheduler(shift=1.0),
    }


def make_flux(scratch: Path) -> Any:
    """Return a pipeline of FLUX.1-dev's classes, which takes a guidance."""
    return diffusers.FluxPipeline(**_make_flux_parts(scratch, guidance_embeds=True))


def make_schnell(scratch: Path) -> Any:
    """Return a pipeline of FLUX.1-schnell's classes and configuration, which takes no guidance."""
    return diffusers.FluxPipeline(**_make_flux_parts(scratch, guidance_embeds=False))


def make_kontext(scratch: Path) -> Any:
    """Return a pipeline of FLUX.1-Kontext's classes; its megapixel is 16 by 16 latents."""
    return diffusers.FluxKontextPipeline(**_make_flux_parts(scratch, 6, guidance_embeds=True))


def _make_qwen3(layers: int) -> Any:
    return transformers.Qwen3Config(
        hidden_size=16,
        intermediate_size=16,
        num_hidden_layers=layers,
        num_attention_heads=2,
        num_key_value_heads=2,
        head_dim=8,
        vocab_size=64,
        max_position_embeddings=512,
    )


def make_klein(_scratch: Path) -> Any:
    """Return a pipeline of FLUX.2-klein's classes."""
    torch.manual_seed(0)
    return diffusers.Flux2KleinPipeline(
        transformer=diffusers.Flux2Transformer2DModel(
            patch_size=1,
            in_channels=16,
            num_layers=1,
            num_single_layers=1,
            attention_head_dim=16,
            num_attention_heads=2,
            joint_attention_dim=48,
            timestep_guidance_channels=256,
            axes_dims_rope=(4, 4, 4, 4),
            guidance_embeds=False,
        ),
        text_encoder=transformers.Qwen3ForCausalLM(_make_qwen3(27)),
        tokenizer=make_qwen_tokenizer(),
        vae=diffusers.AutoencoderKLFlux2(
            sample_size=32,
            in_channels=3,
            out_channels=3,
            down_block_types=("DownEncoderBlock2D",) * 2,
            up_block_types=("UpDecoderBlock2D",) * 2,
            block_out_channels=(4, 8),
            layers_per_block=1,
            latent_channels=4,
            norm_num_groups=1,
            use_quant_conv=False,
            use_post_quant_conv=False,
        ),
        scheduler=diffusers.FlowMatchEulerDiscreteScheduler(),
        is_distilled=True,
    )


def make_z_image(_scratch: Path) -> Any:
    """Return a pipeline of Z-Image's classes."""
    torch.manual_seed(0)
    return diffusers.ZImagePipeline(
        transformer=diffusers.ZImageTransformer2DModel(
            all_patch_size=(2,),
            all_f_patch_size=(1,),
            in_channels=16,
            dim=32,
            n_layers=2,
            n_refiner_layers=1,
            n_heads=2,
            n_kv_heads=2,
            qk_norm=True,
            cap_feat_dim=16,
            rope_theta=256.0,
            t_scale=1000.0,
            axes_dims=[8, 4, 4],
            axes_lens=[256, 32, 32],
        ),
        text_encoder=transformers.Qwen3Model(_make_qwen3(2)),
        tokenizer=make_qwen_tokenizer(),
        vae=_make_vae(16),
        scheduler=diffusers.FlowMatchEulerDiscreteScheduler(),
    )


def make_sdxl(scratch: Path) -> Any:
    """Return a pipeline of SDXL's classes."""
    torch.manual_seed(0)
    return diffusers.StableDiffusionXLPipeline(
        unet=diffusers.UNet2DConditionModel(
            block_out_channels=(8, 16),
            layers_per_block=1,
            sample_size=32,
            in_channels=4,
            out_channels=4,
            down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
            up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
            attention_head_dim=(2, 4),
            use_linear_projection=True,
            addition_embed_type="text_time",
            addition_time_embed_dim=8,
            transformer_layers_per_block=(1, 1),
            projection_class_embeddings_input_dim=80,
            cross_attention_dim=64,
            norm_num_groups=1,
        ),
        scheduler=diffusers.EulerDiscreteScheduler(beta_schedule="scaled_linear", timestep_spacing="leading"),
        vae=_make_vae(4, shift_factor=None, scaling_factor=0.13025, use_quant_conv=True, use_post_quant_conv=True),
        text_encoder=_make_clip(),
        tokenizer=make_clip_tokenizer(scratch / "clip"),
        text_encoder_2=_make_clip(projected=True),
        tokenizer_2=make_clip_tokenizer(scratch / "clip"),
    )


MAKERS: Final[dict[str, Callable[[Path], Any]]] = {
    "flux": make_flux,
    "schnell": make_schnell,
    "kontext": make_kontext,
    "klein": make_klein,
    "z_image": make_z_image,
    "sdxl": make_sdxl,
}
"""The makers by a short name."""


def save(name: str, folder: Path) -> Path:
    """Save a tiny pipeline as `save_pretrained` does, and return its folder."""
    pipe = MAKERS[name](folder.parent / f"{folder.name} scratch")
    pipe.save_pretrained(folder)
    return folder
