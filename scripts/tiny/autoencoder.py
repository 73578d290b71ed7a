"""The autoencoder: images of 128 by 128 to latents of 8 by 16 by 16, and back; trained on parts of fresh drawings.

Encoder and decoder are trained together first, quickly. Then the latents are fixed, and a wider decoder, which is the
one that ships, is trained on them for longer, beside the transformer.
"""

from __future__ import annotations

from typing import Any, Final

import diffusers
import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812 - as everybody names it
from diffusers.models.autoencoders.vae import AutoencoderTinyBlock
from PIL import Image

from scripts.tiny.drawings import SIDE, draw_scene, draw_with_mask
from scripts.tiny.muon import Muon
from scripts.tiny.room import Room, Training, fall, seed_all
from scripts.tiny.scenes import make_scene

CHANNELS: Final = 8
WIDTH: Final = 32
DECODER_WIDTH: Final = 48
STEPS: Final = 3200
DECODER_STEPS: Final = 5000
RATE: Final = 2e-3
CROP: Final = 64
DEVIATION: Final = 0.27
"""The deviation of colours from 0 to 1 in drawings."""
NOISE: Final = 0.12
"""Noise on the latents in training: what the transformer is a little wrong about, the decoder forgives."""


def make_autoencoder(decoder_width: int = DECODER_WIDTH) -> Any:
    """Return an autoencoder with fresh weights."""
    made = diffusers.AutoencoderTiny(
        encoder_block_out_channels=(WIDTH,) * 4,
        decoder_block_out_channels=(decoder_width,) * 4,
        latent_channels=CHANNELS,
        num_encoder_blocks=(0, 1, 1, 2),
        num_decoder_blocks=(3, 2, 1, 0),
    )
    for module in made.modules():
        if isinstance(module, torch.nn.Conv2d):
            torch.nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
    for module in made.modules():
        if isinstance(module, AutoencoderTinyBlock):
            module.conv[-1].weight.data.mul_(0.3)  # a block begins near the identity
            module.conv[-1].weight.data[:3] = 0
            module.conv[-1].bias.data[:3] = 0
    _carry_colours(made)
    return made


@torch.no_grad()
def _carry_colours(model: Any) -> None:
    """Let three channels carry the mean colours through from the start, so that training begins with the details."""
    convolutions = [layer for layer in model.encoder.layers if isinstance(layer, torch.nn.Conv2d)]
    first, *halving, last = convolutions
    begin, *doubling, end = [layer for layer in model.decoder.layers if isinstance(layer, torch.nn.Conv2d)]
    for layer in (first, *halving, last, begin, *doubling, end):
        layer.weight[:3] = 0
        if layer.bias is not None:
            layer.bias[:3] = 0
        for channel in range(3):
            if layer in halving:
                layer.weight[channel, channel] = 1 / 9
            else:
                layer.weight[channel, channel, 1, 1] = {last: 1 / DEVIATION, begin: DEVIATION}.get(layer, 1.0)
    last.bias[:3] = -0.5 / DEVIATION
    begin.bias[:3] = 0.5


def _make_optimizers(model: Any) -> list[torch.optim.Optimizer]:
    """Return Muon for the kernels between features, and Adam for the rest."""
    kernels: list[torch.Tensor] = []
    others: list[torch.Tensor] = []
    for value in model.parameters():
        (kernels if value.ndim == 4 and value.shape[0] == value.shape[1] else others).append(value)
    return [Muon(kernels, 1.5 * RATE), torch.optim.Adam(others, RATE, betas=(0.9, 0.99))]


def to_tensor(image: Image.Image) -> torch.Tensor:
    """Return an image as a tensor of 3 planes from -1 to 1."""
    return torch.from_numpy(np.asarray(image).copy()).permute(2, 0, 1).float().div(127.5).sub(1)


def _draw_parts(seed: int, scenes: int, dice: torch.Generator) -> tuple[torch.Tensor, torch.Tensor]:
    """Return four parts of each of some fresh drawings, and where subjects are in them, 0 to 1."""
    parts = []
    for number in range(scenes):
        image, mask = draw_with_mask(make_scene(seed + number))
        whole = torch.cat([to_tensor(image), torch.from_numpy(np.asarray(mask).copy())[None] / 255])
        for _ in range(4):
            x, y = torch.randint(0, SIDE - CROP + 1, (2,), generator=dice).tolist()
            parts.append(whole[:, y : y + CROP, x : x + CROP])
    whole, masks = torch.stack(parts).split((3, 1), 1)
    return whole.contiguous(memory_format=torch.channels_last), masks


def _measure_loss(made: torch.Tensor, wanted: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    """Return the difference of colours at four sizes, and of edges at two, by the weights of pixels."""
    error = made - wanted
    loss = 2 * (error.square() * weights).mean()
    for halved in range(4):
        loss = loss + (error.abs() * weights).mean()
        for axis in (2, 3) if halved < 2 else ():
            loss = loss + (error.diff(dim=axis).abs() * weights.narrow(axis, 0, weights.shape[axis] - 1)).mean()
        error, weights = F.avg_pool2d(error, 2), F.avg_pool2d(weights, 2)
    return loss


def _measure_spread(latents: torch.Tensor) -> torch.Tensor:
    """Return how far the channels are from mean 0 and variance 1, and from saying what others say already."""
    rows = latents.movedim(1, 0).flatten(1)
    off = torch.cov(rows) - torch.eye(len(rows))
    return (rows.mean(1).square().sum() + off.square().sum()) / len(rows)


def train_autoencoder(room: Room) -> None:
    """Train the autoencoder to its last step, from the last checkpoint if there is one."""
    steps = room.scale(STEPS, 20)
    seed_all(1)
    model = make_autoencoder(WIDTH).to(memory_format=torch.channels_last)
    training = Training(room, "autoencoder", model, _make_optimizers(model), steps)
    for step in range(training.start, steps):
        wanted, masks = _draw_parts(step * 4, 4, torch.Generator().manual_seed(step))
        latents = model.encode(wanted).latents
        made = model.decode(latents + NOISE * torch.randn_like(latents)).sample
        loss = _measure_loss(made, wanted, torch.ones_like(masks)) + 0.02 * _measure_spread(latents)
        training.learn(step, loss, fall(step, steps, 50))


def train_decoder(room: Room) -> None:
    """Train the decoder that ships, on the latents of the trained encoder; subjects count more than scenery."""
    steps = room.scale(DECODER_STEPS, 20)
    trained = open_autoencoder(room, "autoencoder")
    seed_all(4)
    model = make_autoencoder().to(memory_format=torch.channels_last)
    model.encoder.load_state_dict(trained.encoder.state_dict())
    model.encoder.requires_grad_(False)
    training = Training(room, "decoder", model, _make_optimizers(model.decoder), steps)
    for step in range(training.start, steps):
        seed = 40_000_000 + step * 4
        wanted, masks = _draw_parts(seed, 4, torch.Generator().manual_seed(step))
        with torch.no_grad():
            latents = model.encode(wanted).latents
        made = model.decode(latents + NOISE * torch.randn_like(latents)).sample
        training.learn(step, _measure_loss(made, wanted, 1 + 2 * masks), fall(step, steps, 50))


def open_autoencoder(room: Room, stage: str = "decoder") -> Any:
    """Return the autoencoder of a stage, for use. Raises FileNotFoundError if it was not trained."""
    state = room.find_checkpoint(stage)
    if state is None:
        raise FileNotFoundError(f"no {stage} in {room.folder}: train it first")
    model = make_autoencoder(WIDTH if stage == "autoencoder" else DECODER_WIDTH)
    model.load_state_dict(state["averages"])
    return model.eval().requires_grad_(False).to(memory_format=torch.channels_last)


@torch.no_grad()
def show_autoencoder(room: Room, number: int = 16) -> float:
    """Write drawings over what the autoencoder makes of them, and return the signal-to-noise ratio in dB."""
    model = open_autoencoder(room)
    wanted = torch.stack([to_tensor(draw_scene(make_scene(10_000_000 + one))) for one in range(number)])
    made = model.decode(model.encode(wanted).latents).sample.clamp(-1, 1)
    errors = (made - wanted).square().mean((1, 2, 3))
    rows = torch.cat([torch.cat(list(rows), 2) for block in (wanted.split(8), made.split(8)) for rows in block], 1)
    pixels = rows.add(1).mul(127.5).round().byte().permute(1, 2, 0).numpy()
    Image.fromarray(pixels).save(room.folder / "autoencoder.png")
    ratio = float((10 * torch.log10(4 / errors)).mean())
    room.say(f"autoencoder: {ratio:.2f} dB on {number} drawings")
    return ratio
