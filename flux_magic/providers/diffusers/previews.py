"""Previews: the estimated final image of a step, small, by a linear map from latents to colours.

The factors of the map are no table of anybody's: they are fitted when a model is loaded, by `fit_factors`, to what the
model's own VAE makes of random smooth images. `scripts/fit_previews.py` prints them, and how well they fit.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

_IMAGES: Final = 8
"""Random images that the factors are fitted to."""

_LATENTS: Final = 16
"""The side of such an image, in latents."""

_SIDE: Final = 256
"""Pixels of a preview's longer side, at most."""


@dataclass(frozen=True, slots=True)
class Factors:
    """A linear map: `weights` has a row of red, green and blue for each channel, and `bias` one for all.

    `fit` is the share of the colours' variance that it explains, 0 to 1.
    """

    weights: Any
    bias: Any
    fit: float


def fit_factors(pipe: Any) -> Factors | None:
    """Fit the map to a pipeline's own VAE by least squares; None if it has none that encodes.

    The images are random and smooth, from a generator of their own: no image's seed changes.
    """
    import torch

    vae = getattr(pipe, "vae", None)
    if vae is None or not hasattr(vae, "encode"):
        return None
    scale = int(getattr(pipe, "vae_scale_factor", 8))
    generator = torch.Generator("cpu").manual_seed(0)
    coarse = torch.rand((_IMAGES, 3, 6, 6), generator=generator)
    images = torch.nn.functional.interpolate(coarse, size=_LATENTS * scale, mode="bicubic").clamp(0, 1)
    with torch.inference_mode():
        sent = (images * 2 - 1).to(vae.device if str(vae.device) != "meta" else "cpu", vae.dtype)
        is_video = "temperal_downsample" in vae.config or "temporal_downsample" in vae.config
        encoded = vae.encode(sent.unsqueeze(2) if is_video else sent)
        latents = _normalize(vae, encoded.latent_dist.mode() if hasattr(encoded, "latent_dist") else encoded[0])
        latents = _flatten_time(latents).float().cpu()
        colours = torch.nn.functional.adaptive_avg_pool2d(images, latents.shape[-2:])
        rows, wanted = (one.permute(0, 2, 3, 1).reshape(-1, one.shape[1]) for one in (latents, colours))
        known = torch.cat([rows, torch.ones(len(rows), 1)], dim=1)
        # A ridge keeps channels apart that hardly differ.
        square = known.T @ known + 1e-4 * torch.eye(known.shape[1])
        solved = torch.linalg.solve(square, known.T @ wanted)
        left = (known @ solved - wanted).var() / wanted.var()
    if not torch.isfinite(solved).all():
        return None
    return Factors(solved[:-1], solved[-1], max(0.0, 1 - float(left)))


def _flatten_time(latents: Any) -> Any:
    return latents.squeeze(2) if latents.ndim == 5 else latents


def _normalize(vae: Any, latents: Any) -> Any:
    """Return latents as the pipeline's loop has them, except for a batch norm, which `unpack` takes back."""
    import torch

    config = vae.config
    if hasattr(vae, "bn"):
        return latents
    if config.get("latents_mean") is not None and config.get("latents_std") is not None:
        shape = (1, -1, *(1,) * (latents.ndim - 2))
        mean, std = (torch.tensor(config[name]).view(shape) for name in ("latents_mean", "latents_std"))
        return (latents.float().cpu() - mean) / std
    return (latents - (config.get("shift_factor") or 0)) * (config.get("scaling_factor") or 1)


def unpack(pipe: Any, latents: Any, ratio: float) -> Any:
    """Return latents as channels, rows and columns, however the pipeline packs them; `ratio` is height by width."""
    import torch

    if latents.ndim != 3:
        return _flatten_time(latents)
    number, tokens, channels = latents.shape
    sides = [(side, tokens // side) for side in range(1, tokens + 1) if tokens % side == 0]
    high, wide = min(sides, key=lambda side: abs(side[0] / side[1] - ratio))
    norm = getattr(getattr(pipe, "vae", None), "bn", None)
    if norm is not None:
        std = torch.sqrt(norm.running_var + pipe.vae.config.batch_norm_eps)
        latents = latents * std.to(latents) + norm.running_mean.to(latents)
    packed = latents.view(number, high, wide, channels // 4, 2, 2)
    return packed.permute(0, 3, 1, 4, 2, 5).reshape(number, channels // 4, high * 2, wide * 2)


def render(factors: Factors, latents: Any) -> str:
    """Return one image's latents as a small JPEG in a data URL."""
    from PIL import Image

    colours = latents.float().cpu().permute(1, 2, 0) @ factors.weights + factors.bias
    image = Image.fromarray(colours.clamp(0, 1).mul(255).round().byte().numpy())
    scale = _SIDE / max(image.size)
    image = image.resize(
        (max(1, round(image.width * scale)), max(1, round(image.height * scale))), Image.Resampling.BILINEAR
    )
    file = io.BytesIO()
    image.save(file, "JPEG", quality=75)
    return f"data:image/jpeg;base64,{base64.b64encode(file.getvalue()).decode()}"


@contextmanager
def watch_estimates(pipe: Any, on_estimate: Callable[[Any], None]) -> Iterator[None]:
    """Hand on the estimated final latents of each step within the block.

    A pipeline's callback has the noisy latents alone, so the scheduler's own step is watched. Of a flow it is x - sigma
    v; of other schedulers it is what they say, if they do.
    """
    scheduler = getattr(pipe, "scheduler", None)
    if scheduler is None or "step" in vars(scheduler):
        yield
        return
    step = scheduler.step
    is_flow = "FlowMatch" in type(scheduler).__name__

    def watched(model_output: Any, timestep: Any, sample: Any, *others: Any, **options: Any) -> Any:
        wants_dict = options.pop("return_dict", True)
        index = None
        if is_flow:
            if scheduler.step_index is None and hasattr(scheduler, "_init_step_index"):
                scheduler._init_step_index(timestep)  # noqa: SLF001 - as its own step does first
            index = scheduler.step_index
        made = step(model_output, timestep, sample, *others, return_dict=True, **options)
        if is_flow and index is not None:
            on_estimate(sample - scheduler.sigmas[index].to(sample.device) * model_output)
        elif (estimate := getattr(made, "pred_original_sample", None)) is not None:
            on_estimate(estimate)
        return made if wants_dict else (made.prev_sample,)

    scheduler.step = watched
    try:
        yield
    finally:
        del scheduler.step
