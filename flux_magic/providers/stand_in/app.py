"""A Gradio app with the public FLUX.1-schnell Space's interface that draws landscapes by rule, without a model.

With the files beside it, it runs alone, under Gradio 4.44, 5.50 and 6.31: `python app.py --port 7860`. The same prompt,
seed, steps and size give the same pixels on every machine: all arithmetic is on integers, the characters are in a file
beside this one, and the WebP is lossless. More steps show more detail. Every image says that it is a stand-in.

Endpoints:

- `infer(prompt, seed, randomize_seed, width, height, num_inference_steps, negative_prompt, guidance_scale) -> [image,
  seed]`, after https://huggingface.co/spaces/black-forest-labs/FLUX.1-schnell. The last two may be left out.
- `edit(input_image, prompt, seed, randomize_seed, guidance_scale, num_inference_steps, mask) -> [image, seed]`. The
  mask may be left out.
"""

from __future__ import annotations

import argparse
import inspect
import os
import re
import signal
import socket
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import gradio as gr

    from .space_environment import select_needed
    from .space_folder import make_own_folder, remove_dead
    from .space_gate import Gate
else:
    # A script beside them, not a part of the package, which the interpreter may not have installed.
    sys.path.append(str(Path(__file__).parent))
    from space_environment import select_needed
    from space_folder import make_own_folder, remove_dead
    from space_gate import Gate


def serve(app: gr.Blocks, host: str, port: int, secret: str, folder: Path) -> str:
    """Start the server on a thread, and return its address. Raises OSError if the port is taken.

    With a `secret` it answers only clients that send it as a bearer token.
    """
    import gradio as gr
    from starlette.middleware import Middleware

    options: dict[str, Any] = {
        "theme": gr.themes.Default(font=("system-ui", "sans-serif"), font_mono=("monospace",)),
        "show_api": True,
        "app_kwargs": {"middleware": [Middleware(Gate, host=host, port=port, secret=secret, folder=folder)]},
    }
    known = inspect.signature(app.launch).parameters
    app.queue(max_size=100)
    _let_rest(app)
    app.launch(
        server_name=host,
        server_port=port,
        prevent_thread_lock=True,
        quiet=True,
        **{name: value for name, value in options.items() if name in known},
    )
    return f"http://{host}:{port}"


def _let_rest(app: gr.Blocks) -> None:
    """Slow down Gradio 6, which on Linux looks for work 1100 times a second and uses 5 % of a processor."""
    queue = getattr(app, "_queue", None)
    for name, seconds in (("sleep_when_free", 0.02), ("progress_update_sleep_when_free", 0.05)):
        if hasattr(queue, name):
            setattr(queue, name, max(seconds, getattr(queue, name)))


def find_port(host: str, port: int) -> int:
    """Return the port, or a free one for 0. Raises OSError if it is taken, or the host is not this machine's."""
    family, kind, protocol, _, address = socket.getaddrinfo(host, port, socket.AF_INET, socket.SOCK_STREAM)[0]
    with socket.socket(family, kind, protocol) as probe:
        if os.name != "nt":  # else a port that was just left counts as taken; on Windows none would
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(address)
        return int(probe.getsockname()[1])


def shut_in(folder: Path) -> None:
    """Remove what is not needed from the environment; no analytics, and no look-up at the Hub."""
    kept = select_needed(os.environ)
    os.environ.clear()
    os.environ |= kept
    os.environ |= {
        "GRADIO_ANALYTICS_ENABLED": "False",
        "GRADIO_SSR_MODE": "False",
        "GRADIO_TEMP_DIR": str(folder),
        "HF_HUB_OFFLINE": "1",
    }


def stop_requests(*, until_stdin_closes: bool) -> threading.Event:
    """Return an event that is set when this process is asked to end."""
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    if until_stdin_closes:

        def wait_for_end() -> None:
            # Not through sys.stdin, whose lock would be held as the interpreter ends.
            while os.read(0, 4096):
                pass
            stop.set()

        threading.Thread(target=wait_for_end, daemon=True).start()
    return stop


def parse_port(text: str) -> int:
    """Parse a port number from 0 to 65535; raises ArgumentTypeError if it is invalid."""
    if not re.fullmatch(r"[0-9]{1,5}", text) or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"invalid port value: {text!r}")
    return int(text)


def parse_options(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description="A stand-in for the FLUX.1-schnell Space that draws without a model.")
    parser.add_argument("--host", default="127.0.0.1", help="the address to listen on (default %(default)s)")
    parser.add_argument(
        "--port", default=7860, type=parse_port, help="the port, 0 for any free one (default %(default)s)"
    )
    parser.add_argument("--step-seconds", default=0.0, type=float, help="how long each step takes (default 0)")
    parser.add_argument("--until-stdin-closes", action="store_true", help="end when the standard input does")
    parser.add_argument(
        "--secret", action="store_true", help="answer only clients that send the standard input's first line"
    )
    return parser.parse_args(arguments)


def _fail(reason: str) -> int:
    print(f"flux-magic space: {reason}", file=sys.stderr)
    return 1


def _fail_to_listen(options: argparse.Namespace) -> int:
    where = f"{options.host}:{options.port}"
    return _fail(f"cannot listen on {where}; give another --host, or another --port (0 for any free one)")


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until asked to end; returns the exit code."""
    options = parse_options(arguments)
    try:
        find_port(options.host, options.port)  # before Gradio, which takes seconds to import
    except OSError:
        return _fail_to_listen(options)
    secret = _read_first_line() if options.secret else ""
    stop = stop_requests(until_stdin_closes=options.until_stdin_closes)
    try:
        remove_dead()
        with make_own_folder() as folder:
            shut_in(folder)
            app = _build(options.step_seconds, folder)
            address = serve(app, options.host, find_port(options.host, options.port), secret, folder)
            print(f"flux-magic space: ready at {address}", flush=True)
            while not stop.wait(1):
                pass
            app.close(verbose=False)
    except ModuleNotFoundError as error:
        return _fail(f'{error.name} is missing; install it: pip install "flux-magic[local]"')
    except OSError:
        return _fail_to_listen(options)
    return 0


def _build(step_seconds: float, folder: Path) -> gr.Blocks:
    """Load Gradio, in the environment that it is to see, and return the app."""
    if TYPE_CHECKING:
        from .space_blocks import build
    else:
        from space_blocks import build
    return build(step_seconds, folder)


def _read_first_line() -> str:
    """Return the first line of the standard input, and read no further."""
    line = bytearray()
    while (character := os.read(0, 1)) not in {b"", b"\n"}:
        line += character
    return line.decode()


if __name__ == "__main__":
    sys.exit(main())
