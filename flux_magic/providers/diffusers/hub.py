"""Files of a model of the Hub: those on this disk, and the download of the rest by huggingface_hub."""

from __future__ import annotations

import errno
import re
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

from ...errors import ConnectionFailed, FluxError, ModelUnavailable, NotInStore, TokenRefused
from ...parameters.settings import find_hub_offline, is_offline
from .models import INDEX, Model, read_index

_WEIGHTS: Final = re.compile(r"(model|diffusion_pytorch_model)(-\d{5}-of-\d{5})?\.safetensors")
"""The weights that a pipeline is loaded from, without its variants."""

_OTHERS: Final = re.compile(r"[\w.-]+\.(json|txt|model|jinja)")
_COMMIT: Final = re.compile(r"[0-9a-f]{40}")


def find_snapshot(model: Model) -> Path | None:
    """Return the folder of a model that is whole on this disk; its name is the commit. Nothing is asked."""
    from huggingface_hub import try_to_load_from_cache

    with suppress(OSError, ValueError):
        index = try_to_load_from_cache(model.repo, INDEX, revision=model.revision or None)
        if isinstance(index, str) and _is_whole(Path(index).parent):
            return Path(index).parent
    return None


def _is_whole(folder: Path) -> bool:
    """Return True if all that a pipeline is loaded from is there; a download may have been broken off."""
    if not (folder / INDEX).is_file():
        return False
    return all(_has_part(folder / name) for name, kind in read_index(folder).items() if _is_part(kind))


def _is_part(kind: object) -> bool:
    return isinstance(kind, list) and kind[:1] != [None]


def _has_part(part: Path) -> bool:
    if not part.is_dir():
        return False
    for index in part.glob("*.safetensors.index.json"):
        import json

        shards = set(json.loads(index.read_text("utf-8")).get("weight_map", {}).values())
        return all((part / shard).is_file() for shard in shards)
    return not (part / "config.json").is_file() or any(_WEIGHTS.fullmatch(one.name) for one in part.iterdir())


def fetch_snapshot(model: Model, token: str | None, on_note: Callable[[str], None]) -> Path:
    """Return the folder of a model, whose files are downloaded if they are not on this disk.

    `on_note` gets a line before the download, which says how large it is; huggingface_hub shows its progress.

    Raises ModelUnavailable, TokenRefused, ConnectionFailed, or NotInStore if nothing may be asked.
    """
    if found := find_snapshot(model):
        return found
    if why := "FLUX_MAGIC_REPLAY=only" if is_offline() else find_hub_offline():
        hint = f"On a machine with a network: hf download {model.repo}; or unset {why.partition('=')[0]}."
        raise NotInStore(f"{model.asked} is not on this disk, and with {why} nothing is downloaded", hint)
    from huggingface_hub import HfApi, hf_hub_download, snapshot_download

    with _translate(model):
        api = HfApi(token=token)
        info = api.model_info(model.repo, revision=model.revision or None, files_metadata=True)
        commit, sizes = info.sha or "", {one.rfilename: one.size or 0 for one in info.siblings or ()}
        if INDEX not in sizes:
            raise ModelUnavailable(
                f"{model.asked} has no {INDEX}, so it is no pipeline that diffusers loads",
                "Look for a repository whose page says Diffusers.",
            )
        index = read_index(Path(hf_hub_download(model.repo, INDEX, revision=commit, token=token)).parent)
        wanted = [*_choose_files(index, sizes)]
        missing = sum(sizes[name] for name in wanted if not _is_cached(model.repo, name, commit))
        on_note(f"{model.asked} is not on this disk: downloading {_format_size(missing)}")
        _check_room(missing)
        folder = snapshot_download(model.repo, revision=commit, allow_patterns=wanted, token=token)
        _point_at(model, commit)
        return Path(folder)


def _choose_files(index: Mapping[str, Any], sizes: Mapping[str, int]) -> Iterator[str]:
    """Yield the files of a repository that its pipeline is loaded from.

    Raises ModelUnavailable if a part has weights in another form than safetensors alone.
    """
    parts = {name for name, kind in index.items() if _is_part(kind)}
    yield INDEX
    for part in sorted(parts):
        names = [name.removeprefix(f"{part}/") for name in sizes if name.startswith(f"{part}/")]
        weights = [name for name in names if _WEIGHTS.fullmatch(name)]
        if "config.json" in names and not weights:
            raise ModelUnavailable(
                f"the part {part} has no weights as safetensors, and other forms can run code: they are not loaded",
                "Look for a revision or another repository that has safetensors.",
            )
        sharded = [name for name in weights if "-of-" in name]
        chosen = weights if not sharded or len(sharded) == len(weights) else [*set(weights) - set(sharded)]
        yield from (f"{part}/{name}" for name in [*chosen, *(one for one in names if _OTHERS.fullmatch(one))])


def _is_cached(repo: str, name: str, commit: str) -> bool:
    from huggingface_hub import try_to_load_from_cache

    return isinstance(try_to_load_from_cache(repo, name, revision=commit), str)


def _point_at(model: Model, commit: str) -> None:
    """Let the cache know which commit a branch is at, as a download of the branch would."""
    from huggingface_hub import constants

    if _COMMIT.fullmatch(model.revision):
        return
    name = f"models--{model.repo.replace('/', '--')}"
    file = Path(constants.HF_HUB_CACHE) / name / "refs" / (model.revision or "main")
    with suppress(OSError):
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(commit)


def _check_room(missing: int) -> None:
    """Raise ModelUnavailable if the disk has no room for a download."""
    from huggingface_hub import constants

    cache = Path(constants.HF_HUB_CACHE)
    there = next(one for one in (cache, *cache.parents) if one.is_dir())
    free = shutil.disk_usage(there).free
    if missing > free:
        raise ModelUnavailable(
            f"no room on the disk: the download has {_format_size(missing)}, and {_format_size(free)} are free",
            "Delete models with hf cache rm, or set HF_HOME to a folder on a larger disk.",
        )


def _format_size(size: float) -> str:
    return f"{size / 1e9:.1f} GB" if size >= 5e7 else f"{size / 1e6:.1f} MB"


@contextmanager
def _translate(model: Model) -> Iterator[None]:
    """Raise the errors of huggingface_hub in our words."""
    from huggingface_hub import errors

    try:
        yield
    except errors.GatedRepoError as exc:
        raise TokenRefused(
            f"{model.asked} is gated: its files need an account that has accepted its licence",
            f"Accept it at https://huggingface.co/{model.repo}, then: hf auth login",
        ) from exc
    except errors.RevisionNotFoundError as exc:
        raise ModelUnavailable(f"{model.repo} has no revision {model.revision}") from exc
    except errors.RepositoryNotFoundError as exc:
        hint = "Check its spelling; a private one needs a token: hf auth login"
        raise ModelUnavailable(f"the Hub has no model {model.repo}", hint) from exc
    except FluxError:
        raise
    except Exception as exc:  # httpx's errors are of no common class
        if getattr(exc, "errno", None) in {errno.ENOSPC, errno.EDQUOT}:
            hint = "Delete models with hf cache rm, or set HF_HOME to a folder on a larger disk."
            raise ModelUnavailable("no room on the disk is left for the download", hint) from exc
        reason = str(exc).partition("\n")[0][:200]
        raise ConnectionFailed(
            f"{model.asked} was not downloaded: {type(exc).__name__}: {reason}", "Run the cell again to go on."
        ) from exc
