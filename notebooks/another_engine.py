"""What the tutorial "Another engine" runs on where there is no GPU and no account: a tiny pipeline, and a look-alike.

The pipeline has the classes of FLUX.1 and random weights. The look-alike answers on this machine in place of Hugging
Face, to the real requests of `huggingface_hub`.
"""

from __future__ import annotations

import base64
import hashlib
import io
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.util import find_spec
from pathlib import Path

from flux_magic import MissingExtra

NEEDED = ("torch", "diffusers", "transformers", "huggingface_hub")


def check() -> None:
    """Raise MissingExtra, in one line, if the libraries that this notebook needs are not installed."""
    if missing := [name for name in NEEDED if find_spec(name) is None]:
        raise MissingExtra(
            f"this notebook needs {', '.join(missing)}; what is saved below can be read without",
            "To run it: pip install 'flux-magic[diffusers,inference,local]'",
        )


def make_pipeline(folder: str) -> None:
    """Save a pipeline of FLUX.1's classes with random weights, 0.4 MB: what it makes is no image of anything."""
    import diffusers
    import torch
    import transformers

    transformers.utils.logging.disable_progress_bar()
    transformers.utils.logging.set_verbosity_error()
    torch.set_num_threads(1)  # for a tiny model more of them take longer
    letters, words = "abcdefghijklmnopqrstuvwxyz", Path(folder, "words")
    words.mkdir(parents=True, exist_ok=True)
    tokens = [*letters, *(f"{one}</w>" for one in letters), "<|startoftext|>", "<|endoftext|>"]
    (words / "vocab.json").write_text(json.dumps({token: number for number, token in enumerate(tokens)}))
    (words / "merges.txt").write_text("#version: 0.2\n")
    pieces = [(token, 0.0) for token in ("<pad>", "</s>", "<unk>", "\u2581")] + [(one, -3.0) for one in letters]
    sizes = {"num_attention_heads": 4, "num_hidden_layers": 2, "intermediate_size": 37}
    ends = {"bos_token_id": 52, "eos_token_id": 53, "pad_token_id": 53}
    clip = transformers.CLIPTextConfig(hidden_size=32, vocab_size=60, projection_dim=32, **sizes, **ends)
    t5 = transformers.T5Config(d_model=32, d_kv=8, d_ff=37, num_layers=2, num_heads=4, vocab_size=64)
    torch.manual_seed(0)
    diffusers.FluxPipeline(
        transformer=diffusers.FluxTransformer2DModel(
            patch_size=1,
            in_channels=64,
            num_layers=1,
            num_single_layers=1,
            attention_head_dim=16,
            num_attention_heads=2,
            joint_attention_dim=32,
            pooled_projection_dim=32,
            axes_dims_rope=(4, 4, 8),
            guidance_embeds=False,
        ),
        text_encoder=transformers.CLIPTextModel(clip),
        text_encoder_2=transformers.T5EncoderModel(t5),
        tokenizer=transformers.CLIPTokenizer(str(words / "vocab.json"), str(words / "merges.txt"), model_max_length=77),
        tokenizer_2=transformers.T5TokenizerFast(vocab=pieces, extra_ids=0),
        vae=diffusers.AutoencoderKL(
            down_block_types=("DownEncoderBlock2D",) * 4,
            up_block_types=("UpDecoderBlock2D",) * 4,
            block_out_channels=(4,) * 4,
            latent_channels=16,
            norm_num_groups=1,
            use_quant_conv=False,
            use_post_quant_conv=False,
            shift_factor=0.1159,
            scaling_factor=0.3611,
        ),
        scheduler=diffusers.FlowMatchEulerDiscreteScheduler(shift=1.0),
    ).save_pretrained(folder)


class _LookAlike(BaseHTTPRequestHandler):
    """The wire of Hugging Face's router: who serves a model, and the answer of one company, `together`."""

    def log_message(self, *_: object) -> None:
        """Print nothing."""

    def do_GET(self) -> None:
        served = {"provider": "together", "providerId": "its-name", "status": "live", "task": "text-to-image"}
        named = self.path.partition("?")[0].removeprefix("/api/models/")
        self._answer({"id": named, "pipeline_tag": "text-to-image", "inferenceProviderMapping": [served]})

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self._answer({"data": [{"b64_json": base64.b64encode(_draw(asked)).decode()}]})

    def _answer(self, body: object) -> None:
        data = json.dumps(body).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


def _draw(asked: dict[str, object]) -> bytes:
    """Return colours that what is asked for decides, and on them what they are."""
    from PIL import Image, ImageDraw

    chosen = hashlib.sha256(json.dumps([asked["prompt"], asked["seed"]]).encode()).digest()
    corners = Image.frombytes("RGB", (2, 2), bytes(128 + one // 2 for one in chosen[:12]))
    image = corners.resize((int(asked["width"]), int(asked["height"])), Image.Resampling.BILINEAR)
    ImageDraw.Draw(image).text((12, 12), "a look-alike answered, no company", fill="black")
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue()


def answer_for_hugging_face() -> None:
    """Let a server on this machine answer what `huggingface_hub` asks in this process; nothing leaves the machine."""
    import httpx2
    import huggingface_hub

    server = ThreadingHTTPServer(("127.0.0.1", 0), _LookAlike)
    threading.Thread(target=server.serve_forever, daemon=True).start()

    class Here(httpx2.HTTPTransport):
        def handle_request(self, request: httpx2.Request) -> httpx2.Response:
            request.url = request.url.copy_with(scheme="http", host="127.0.0.1", port=server.server_address[1])
            return super().handle_request(request)

    huggingface_hub.set_client_factory(lambda: httpx2.Client(transport=Here(), timeout=60))
