"""A Gradio app with a login. It starts and ends as the bundled Space does."""

from __future__ import annotations

import os
import socket

os.environ |= {"GRADIO_ANALYTICS_ENABLED": "False", "GRADIO_SSR_MODE": "False", "HF_HUB_OFFLINE": "1"}

import gradio as gr


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def serve(port: int) -> None:
    with gr.Blocks(analytics_enabled=False) as app:
        text = gr.Textbox()
        text.submit(lambda words: words, [text], [text], api_name="infer")
    app.launch(
        server_name="127.0.0.1",
        server_port=port,
        prevent_thread_lock=True,
        quiet=True,
        auth=("ann", "secret"),
        auth_message="<b>Members</b> only",
    )
    print(f"flux-magic space: ready at http://127.0.0.1:{port}", flush=True)
    while os.read(0, 4096):
        pass
    app.close(verbose=False)


if __name__ == "__main__":
    serve(free_port())
