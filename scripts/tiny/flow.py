"""The transformer: latents of drawings, and training by rectified flow with captions that are dropped at times."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import diffusers
import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812 - as everybody names it
from PIL import Image
from torch import nn

from scripts.tiny.autoencoder import CHANNELS, open_autoencoder, to_tensor
from scripts.tiny.drawings import draw_with_mask
from scripts.tiny.muon import Muon
from scripts.tiny.room import Room, Training, seed_all
from scripts.tiny.scenes import make_caption, make_scene
from scripts.tiny.words import LENGTH, POOLED, WIDTH, Text, make_tokenizer

SCENES: Final = 30_000
CHUNK: Final = 500
BATCH: Final = 32
STEPS: Final = 9_500
RATE: Final = 1.5e-3
MUON_RATE: Final = 3e-3
WARM_UP: Final = 200
COOL_DOWN: Final = 0.3
"""The share of all steps at the end in which the rate falls to zero."""
WEIGHT: Final = 3.0
"""The weight of an error on a subject, beyond the 1 of one on the scenery, which is most of an image."""
ROWS: Final = 8
TOKENS: Final = ROWS * ROWS


def make_latents(room: Room) -> None:
    """Draw and encode the scenes, in files of some hundred each; those that are there are kept."""
    folder = room.folder / "latents"
    folder.mkdir(exist_ok=True)
    encoder = open_autoencoder(room, "autoencoder")
    for start in range(0, room.scale(SCENES, CHUNK), CHUNK):
        file = folder / f"{start:07}.npz"
        if file.is_file():
            continue
        made, shares = [], []
        for seed in range(start, start + CHUNK, 20):
            drawn = [draw_with_mask(make_scene(seed + one)) for one in range(20)]
            images = torch.stack([to_tensor(image) for image, _ in drawn])
            with torch.no_grad():
                made.append(encoder.encode(images.to(memory_format=torch.channels_last)).latents.half())
            shares += [np.asarray(mask.resize((ROWS, ROWS), Image.Resampling.BOX)) for _, mask in drawn]
        part = file.with_suffix(".part")
        with part.open("wb") as opened:
            np.savez(opened, latents=torch.cat(made).contiguous().numpy(), shares=np.stack(shares))
        part.rename(file)
        if start % (CHUNK * 8) == 0:
            room.say(f"latents {start + CHUNK}")


def pack(latents: torch.Tensor) -> torch.Tensor:
    """Return latents as 64 tokens of 2 by 2 latents, as FLUX's pipeline packs them."""
    parts = latents.view(-1, CHANNELS, ROWS, 2, ROWS, 2).permute(0, 2, 4, 1, 3, 5)
    return parts.reshape(-1, TOKENS, CHANNELS * 4)


class Painter(nn.Module):
    """The transformer with its text encoders."""

    def __init__(self) -> None:
        super().__init__()
        self.text = Text()
        self.transformer = diffusers.FluxTransformer2DModel(
            patch_size=1,
            in_channels=CHANNELS * 4,
            num_layers=2,
            num_single_layers=4,
            attention_head_dim=36,
            num_attention_heads=4,
            joint_attention_dim=WIDTH,
            pooled_projection_dim=POOLED,
            axes_dims_rope=(4, 16, 16),
            guidance_embeds=False,
        )
        for name, module in self.transformer.named_modules():
            if isinstance(module, nn.Linear) and ("norm" in name or name == "proj_out"):
                nn.init.zeros_(module.weight)  # each block begins as the identity
                nn.init.zeros_(module.bias)
        grid = torch.zeros(ROWS, ROWS, 3)
        grid[..., 1], grid[..., 2] = torch.arange(ROWS)[:, None], torch.arange(ROWS)[None]
        self.register_buffer("places", grid.view(-1, 3), persistent=False)

    def forward(
        self, noisy: torch.Tensor, sigmas: torch.Tensor, captions: list[str], lengths: torch.Tensor
    ) -> torch.Tensor:
        """Return the velocity from the drawings to the noise."""
        words, whole, biases = self.text.encode(captions, lengths)
        biases = F.pad(biases, (0, noisy.shape[1]))
        velocity: torch.Tensor = self.transformer(
            hidden_states=noisy,
            encoder_hidden_states=words,
            pooled_projections=whole,
            timestep=sigmas,
            img_ids=self.places,
            txt_ids=torch.zeros(words.shape[1], 3),
            joint_attention_kwargs={"attention_mask": biases[:, None, None]},
            return_dict=False,
        )[0]
        return velocity


def make_optimizers(painter: Painter) -> list[torch.optim.Optimizer]:
    """Return Muon for the matrices of the blocks, and AdamW for the rest."""
    matrices: list[torch.Tensor] = []
    others: list[torch.Tensor] = []
    for name, value in painter.named_parameters():
        is_matrix = value.ndim == 2 and "blocks" in name and "norm" not in name
        (matrices if is_matrix else others).append(value)
    return [
        Muon(matrices, MUON_RATE),
        torch.optim.AdamW(others, lr=RATE, betas=(0.9, 0.98), weight_decay=0.0),
    ]


def choose_share(step: int, steps: int) -> float:
    """Return the share of the rate at a step: it rises, stays, and falls to zero at the end."""
    return min(1.0, (step + 1) / WARM_UP, (steps - step) / (COOL_DOWN * steps))


def choose_sigmas(number: int) -> torch.Tensor:
    """Return noise levels: four of five are the sigmoid of a normal number, the others are uniform."""
    middling = torch.sigmoid(torch.randn(number) + 0.3)
    return torch.where(torch.rand(number) < 0.2, torch.rand(number), middling)


def choose_lengths(number: int) -> torch.Tensor:
    """Return lengths that prompts are padded to: mostly the pipeline's own, or any from 32."""
    shorter = (32 * (LENGTH / 32) ** torch.rand(number)).long()
    return torch.where(torch.rand(number) < 0.3, shorter, LENGTH)


class Drawings:
    """The latents on the disk with their scenes and where their subjects are, in an order by epoch."""

    def __init__(self, folder: Path, batch: int) -> None:
        self.batch = batch
        files = sorted(folder.glob("*.npz"))
        opened = [np.load(file) for file in files]
        self.latents = torch.from_numpy(np.concatenate([one["latents"] for one in opened]))
        self.shares = torch.from_numpy(np.concatenate([one["shares"] for one in opened]))
        self.scenes = [make_scene(int(file.stem) + one) for file in files for one in range(CHUNK)]
        sample = self.latents[:2000].float()
        self.scale = 1 / float(sample.std())

    def take(self, step: int) -> tuple[torch.Tensor, torch.Tensor, list[str]]:
        """Return a step's latents, each token's weight (the mean is 1) and captions: the same after an interruption."""
        per_epoch = len(self.scenes) // self.batch
        order = np.random.default_rng(step // per_epoch).permutation(len(self.scenes))
        chosen = order[step % per_epoch * self.batch :][: self.batch]
        dice = random.Random(step)
        weights = 1 + WEIGHT * self.shares[chosen].view(-1, TOKENS, 1) / 255
        captions = [make_caption(self.scenes[one], dice) for one in chosen]
        return self.latents[chosen].float() * self.scale, weights / weights.mean(), captions


def train_flow(room: Room) -> None:
    """Train the transformer to its last step, from the last checkpoint if there is one."""
    steps, drawings = room.scale(STEPS, 40), Drawings(room.folder / "latents", BATCH if room.part >= 1 else 8)
    seed_all(2)
    painter = Painter()
    training = Training(room, "flow", painter, make_optimizers(painter), steps, scale=drawings.scale)
    room.say(f"flow: {sum(one.numel() for one in painter.parameters())} parameters, {len(drawings.scenes)} drawings")
    for step in range(training.start, steps):
        latents, weights, captions = drawings.take(step)
        clean = pack(latents)
        sigmas, noise = choose_sigmas(len(clean)), torch.randn_like(clean)
        level = sigmas[:, None, None]
        velocity = painter((1 - level) * clean + level * noise, sigmas, captions, choose_lengths(len(clean)))
        errors = (velocity - (noise - clean)).square() * weights
        training.learn(step, errors.mean(), choose_share(step, steps))


def build_pipeline(room: Room) -> Any:
    """Return FLUX's pipeline of the trained parts. Raises FileNotFoundError if they are not trained."""
    state = room.find_checkpoint("flow")
    if state is None:
        raise FileNotFoundError(f"no transformer in {room.folder}: train it first")
    painter = Painter()
    painter.load_state_dict(state["averages"])
    autoencoder = open_autoencoder(room)
    autoencoder.register_to_config(scaling_factor=state["scale"])
    return diffusers.FluxPipeline(
        transformer=painter.transformer.eval(),
        text_encoder=painter.text.clip.eval(),
        text_encoder_2=painter.text.t5.eval(),
        tokenizer=make_tokenizer(77),
        tokenizer_2=make_tokenizer(LENGTH),
        vae=autoencoder.to(memory_format=torch.contiguous_format),
        scheduler=diffusers.FlowMatchEulerDiscreteScheduler(shift=1.0),
    )


def save_pipeline(room: Room) -> Path:
    """Save the pipeline in half precision, as `save_pretrained` does, and return its folder."""
    folder = room.folder / "model"
    pipe = build_pipeline(room)
    pipe.to(dtype=torch.float16)
    pipe.save_pretrained(folder)
    config = json.loads((folder / "vae/config.json").read_text("utf-8"))
    config.pop("block_out_channels", None)  # the class has it by itself, and warns of it in a file
    room.write_json("model/vae/config.json", config)
    size = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
    room.say(f"saved {size / 1e6:.2f} MB in {folder}")
    return folder


def walk_parameters(pipe: Any) -> Iterator[tuple[str, int]]:
    """Yield each part's name and its number of parameters."""
    for name in ("transformer", "text_encoder", "text_encoder_2", "vae"):
        yield name, sum(one.numel() for one in getattr(pipe, name).parameters())
