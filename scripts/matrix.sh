#!/bin/sh
# The wire tests against the older Gradio versions, each Space in an environment of its own, and the kernel tests
# on the older ipykernels and on the other Python versions that are installed.
set -eu
pip() { "$1/bin/python" -m pip install --quiet --disable-pip-version-check $2; }

space() { # NAME, REQUIREMENTS: the wire tests, the Space under this Gradio
    [ -x ".venv-$1/bin/python" ] || python3 -m venv ".venv-$1"
    pip ".venv-$1" "$2"
    echo "== Gradio $1"
    FLUX_MAGIC_SPACE_PYTHON="$PWD/.venv-$1/bin/python" .venv/bin/python -m pytest -q --numprocesses=auto --dist=loadfile tests/wire
}

whole() { # NAME, PYTHON, REQUIREMENTS: the unit and kernel tests in a whole environment
    [ -x ".venv-$1/bin/python" ] || "$2" -m venv ".venv-$1"
    pip ".venv-$1" "--editable .[test] $3"
    echo "== $1"
    ".venv-$1/bin/python" -m pytest -q --numprocesses=auto --dist=loadfile tests/unit tests/kernel
}

space gradio5 "gradio==5.50.*"
# Gradio 4.44 starts only with these.
space gradio4 "gradio==4.44.* huggingface_hub<0.26 pydantic==2.10.6 fastapi==0.115.6 starlette==0.41.3 pillow<11"
whole ipykernel6 python3 "ipykernel==6.31.*"
whole ipykernel7.0 python3 "ipykernel==7.0.1"
for version in 3.10 3.12 3.13; do
    python=$(command -v "python$version" || true)
    if [ -n "$python" ] && "$python" -c "import venv" 2>/dev/null; then
        whole "py$version" "$python" ""
    else
        echo "== py$version: not installed, left out"
    fi
done
