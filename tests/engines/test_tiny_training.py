"""The tiny model's training: its parts are those of FLUX's pipeline, and an interruption changes nothing."""

from __future__ import annotations

import shutil
from pathlib import Path

import diffusers
import numpy as np
import pytest
import torch

from scripts.tiny import flow
from scripts.tiny.autoencoder import make_autoencoder, open_autoencoder, train_autoencoder, train_decoder
from scripts.tiny.blind import compare_blind
from scripts.tiny.looking import measure_distance
from scripts.tiny.room import Room
from scripts.tiny.words import LENGTH, make_tokenizer

pytestmark = pytest.mark.filterwarnings("default")  # the libraries warn of each other

CAPTIONS = ["a red fox, at night", "", "three yellow lighthouses by the sea clear sky in the evening in fall"]


@pytest.mark.parametrize("length", [LENGTH, 64])
def test_one_padding_token_in_training_counts_as_all_of_the_pipelines(length: int) -> None:
    torch.manual_seed(0)
    painter = flow.Painter().eval()
    for module in painter.modules():
        if isinstance(module, torch.nn.Linear | torch.nn.Embedding):
            torch.nn.init.normal_(module.weight, std=0.1)
    painter.text.look_ahead()
    pipe = diffusers.FluxPipeline(
        transformer=painter.transformer,
        text_encoder=painter.text.clip,
        text_encoder_2=painter.text.t5,
        tokenizer=make_tokenizer(77),
        tokenizer_2=make_tokenizer(LENGTH),
        vae=make_autoencoder(),
        scheduler=diffusers.FlowMatchEulerDiscreteScheduler(),
    )
    noisy, sigmas = torch.randn(3, flow.TOKENS, 32), torch.tensor([0.3, 0.9, 0.5])
    with torch.no_grad():
        trained = painter(noisy, sigmas, CAPTIONS, torch.full((3,), length))
        words, whole, places = pipe.encode_prompt(CAPTIONS, None, max_sequence_length=length)
        sampled = painter.transformer(
            hidden_states=noisy,
            encoder_hidden_states=words,
            pooled_projections=whole,
            timestep=sigmas,
            img_ids=pipe._prepare_latent_image_ids(1, flow.ROWS, flow.ROWS, "cpu", torch.float32),
            txt_ids=places,
            return_dict=False,
        )[0]
    assert trained.std() > 0.1
    torch.testing.assert_close(trained, sampled, atol=1e-4, rtol=1e-4)
    latents = torch.randn(3, 8, 16, 16)
    assert torch.equal(flow.pack(latents), pipe._pack_latents(latents, 3, 8, 16, 16))


def test_training_that_is_interrupted_goes_on_as_if_it_was_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flow, "CHUNK", 40)
    monkeypatch.setattr(flow, "choose_share", lambda _step, _steps: 0.5)  # the rate looks ahead to the last step
    straight, broken = tmp_path / "straight", tmp_path / "broken"

    def train(folder: Path, steps: int) -> Room:
        monkeypatch.setattr(Room, "scale", lambda _room, _number, _least=1: steps)
        room = Room(folder, 0.01)
        train_autoencoder(room)
        train_decoder(room)
        flow.make_latents(room)
        flow.train_flow(room)
        return room

    room = train(straight, 2)
    trained, shipped = (open_autoencoder(room, stage).encoder.state_dict() for stage in ("autoencoder", "decoder"))
    assert all(torch.equal(value, shipped[name]) for name, value in trained.items()), "the latents are the encoder's"
    shutil.copytree(straight, broken)
    (straight / "flow.pt").unlink()
    whole, resumed = (train(folder, 4).find_checkpoint("flow") for folder in (straight, broken))
    assert whole is not None
    assert resumed is not None
    assert whole["step"] == resumed["step"] == 4
    for name, value in whole["averages"].items():
        assert torch.equal(value, resumed["averages"][name]), name
    folder = flow.save_pipeline(room)
    pipe = diffusers.DiffusionPipeline.from_pretrained(folder, dtype=torch.float32, local_files_only=True)
    assert type(pipe) is diffusers.FluxPipeline
    assert sum(file.stat().st_size for file in folder.rglob("*")) < 8e6


def test_the_distance_of_two_sets_of_features_is_frechets() -> None:
    dice = np.random.default_rng(0)
    one = dice.normal(size=(4000, 3))
    assert measure_distance(one, one) == pytest.approx(0, abs=1e-6)
    assert measure_distance(one, one + 2) == pytest.approx(12, abs=1e-3)
    assert measure_distance(one, one * 3) == pytest.approx(3 * 4 + 0, abs=0.6)


def test_a_blind_look_is_compared_with_what_was_asked_for(tmp_path: Path) -> None:
    room = Room(tmp_path)
    asked = {"subject": "fox", "colour": "red", "time": "night"}
    key = {
        str(one): {"asked": asked, "classifier": asked | {"colour": "pink"} if one == 1 else asked} for one in (1, 2)
    }
    room.write_json("blind-key.json", key)
    (tmp_path / "blind.txt").write_text("1 fox pink night\n\n2 cat red ?\n")
    shares = compare_blind(room)
    assert shares["subject"] == {"eyes": 0.5, "classifier": 1.0, "agree": 0.5}
    assert shares["colour"] == {"eyes": 0.5, "classifier": 0.5, "agree": 1.0}
    assert shares["time"]["eyes"] == 0.5
    for line in ("3 fox red night", "1 wolf red night", "1 fox red"):
        (tmp_path / "blind.txt").write_text(line)
        with pytest.raises(ValueError, match="7 fox red night"):
            compare_blind(room)
