"""The packages that a notebook needs, in the versions of the kernel that it names, and a wheel of this one.

A notebook records no environment, so the kernel's Python is asked. Listed are the packages that the notebook imports,
this one with its light extras as far as they are installed there, and the kernel itself. What these need follows.
"""

from __future__ import annotations

import ast
import base64
import hashlib
import json
import re
import subprocess
import sys
import warnings
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from packaging.markers import Marker, default_environment
from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from ..errors import CapsuleError
from ..types import fit_one_line

OURS: Final = "flux-magic"
WHEELS: Final = "wheels"
EXTRAS: Final = ("figure", "panel", "pandas", "sign", "verify")
"""The extras that a replay may use. The others make images, or are for the command line."""

_HERE: Final = f"the environment that packed it, Python {'.'.join(map(str, sys.version_info[:3]))}"
_SECONDS: Final = 60
_TIME: Final = (1980, 1, 1, 0, 0, 0)

_IMPORT: Final = re.compile(r"^[ \t]*(?:import[ \t]+(\w[\w. \t,]*)|from[ \t]+(\w[\w.]*)[ \t]+import\b)", re.MULTILINE)
_OF_PYTHON: Final = ("%%time", "%%timeit", "%%capture", "%%prun")
"""Magics for a whole cell that run its lines as Python."""

_ASK: Final = """
import importlib.metadata as m, json, os, platform, sys
def read(one, name):
    try:
        return one.read_text(name) or ""
    except Exception:
        return ""
found, modules = {}, {}
for one in m.distributions():
    name = one.metadata["Name"]
    if name and name not in found:
        found[name] = {"version": one.version, "requires": one.requires or []}
        files = [file.parts for file in one.files or [] if file.suffix in {".py", ".so", ".pyd"}]
        for module in read(one, "top_level.txt").split() or sorted({parts[0].partition(".")[0] for parts in files}):
            modules.setdefault(module, []).append(name)
try:
    ours = m.distribution("flux-magic")
    import flux_magic
    folder = os.path.dirname(flux_magic.__file__)
    files = {name: read(ours, name) for name in ("METADATA", "entry_points.txt", "licenses/LICENSE")}
except Exception:
    folder, files = "", {}
print(json.dumps({"python": platform.python_version(), "found": found, "modules": modules, "folder": folder,
    "files": files, "markers": {"os_name": os.name, "sys_platform": sys.platform,
    "platform_machine": platform.machine(), "platform_system": platform.system(),
    "platform_python_implementation": platform.python_implementation(), "implementation_name": sys.implementation.name,
    "python_version": ".".join(platform.python_version_tuple()[:2]),
    "python_full_version": platform.python_version()}}))
"""


@dataclass(frozen=True, slots=True)
class Requirements:
    """The packages that are needed to run some notebooks.

    Attributes:
        python: the version of Python, such as `3.11.7`.
        lines: the content of a requirements.txt.
        source: where the versions are from, in words.
        notes: what the user should know, a line each.
    """

    python: str
    lines: tuple[str, ...]
    source: str
    notes: tuple[str, ...] = ()


def collect(kernel: str, modules: Iterable[str], folder: Path) -> Requirements:
    """Return what notebooks with these imports need in their kernel, and put a wheel of this package into a folder.

    Raises CapsuleError if the kernel's Python cannot be asked.
    """
    python, source = _find_python(kernel)
    (folder / WHEELS).mkdir(parents=True, exist_ok=True)
    told = _ask(python, folder / WHEELS)
    installed: dict[str, Any] = {canonicalize_name(name): one for name, one in told["found"].items()}
    if OURS not in installed or not told["folder"]:
        raise CapsuleError(f"{source} has no flux_magic", "Run the notebook there once, or choose another kernel.")
    extras = [extra for extra in EXTRAS if _is_there(installed, told["markers"], extra)]
    wanted = {OURS: set(extras), "ipykernel": set()}
    unknown = []
    for module in modules:
        names = told["modules"].get(module, ())
        wanted |= {canonicalize_name(name): set() for name in names if canonicalize_name(name) not in wanted}
        if not names and module not in sys.stdlib_module_names:
            unknown.append(module)
    versions = dict(sorted(_close(wanted, installed, told["markers"])))
    wheel = write_wheel(Path(told["folder"]), told["files"], versions.pop(OURS), folder / WHEELS)
    marked = f"[{','.join(extras)}]" if extras else ""
    lines = [f"./{WHEELS}/{wheel}{marked}", *(f"{name}=={version}" for name, version in versions.items())]
    notes = []
    if kernel and source == _HERE:
        notes.append(f"no Python kernel has the name {kernel} here: the versions are those of this environment")
    notes += [f"{module} is imported, and no installed package has it: its version is not listed" for module in unknown]
    return Requirements(told["python"], tuple(lines), source, tuple(notes))


def list_modules(sources: Iterable[str]) -> list[str]:
    """Return the names of the packages that cells and modules import; a cell whose magic takes its lines has none."""
    found = {name.partition(".")[0] for source in sources for name in list_imports(source)}
    return sorted(found - {"flux_magic"})


def list_imports(source: str) -> set[str]:
    """Return all that a cell or module imports, with dots, wherever in it; what a `from` names may be a module too."""
    from IPython.core.inputtransformer2 import TransformerManager

    if source.lstrip().startswith("%%"):
        magic, _, below = source.lstrip().partition("\n")
        return list_imports(below) if magic.startswith(_OF_PYTHON) else set()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of strings in the user's code
            parsed = ast.parse(TransformerManager().transform_cell(source))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        lines = [name for plain, of in _IMPORT.findall(source) for name in (of, *plain.split(","))]
        return {name.split()[0] for name in lines if name.strip()}
    return {name for node in ast.walk(parsed) for name in _name_imported(node) if name.replace(".", "a").isidentifier()}


def _name_imported(node: ast.AST) -> Iterator[str]:
    """Yield the modules that a node imports: a statement, `import_module("x")` or `%load_ext x`."""
    if isinstance(node, ast.Import):
        yield from (one.name for one in node.names)
    elif isinstance(node, ast.ImportFrom) and not node.level and node.module:
        yield node.module
        yield from (f"{node.module}.{one.name}" for one in node.names)
    elif isinstance(node, ast.Call):
        called = getattr(node.func, "attr", getattr(node.func, "id", ""))
        given = [one.value for one in node.args if isinstance(one, ast.Constant) and isinstance(one.value, str)]
        if called in {"import_module", "__import__"}:
            yield from given[:1]
        elif called == "run_line_magic" and given[:1] == ["load_ext"]:
            yield from given[1:]


def _find_python(kernel: str) -> tuple[str, str]:
    """Return the Python of a kernel, and what to call it; this one, if there is no such kernel here."""
    from jupyter_client.kernelspec import KernelSpecManager, NoSuchKernel

    with suppress(NoSuchKernel):
        argv = KernelSpecManager().get_kernel_spec(kernel).argv if kernel else []
        if argv and "python" in Path(argv[0]).name.lower():
            is_this = kernel == "python3" and Path(argv[0]).name in {"python", "python3", Path(sys.executable).name}
            return (sys.executable if is_this and not Path(argv[0]).is_absolute() else argv[0]), f"the kernel {kernel}"
    return sys.executable, _HERE


def _ask(python: str, empty: Path) -> Any:
    try:
        answer = subprocess.run(  # noqa: S603 - the kernel that the notebook's user runs
            [python, "-c", _ASK], cwd=empty, capture_output=True, check=True, timeout=_SECONDS, text=True
        )
        return json.loads(answer.stdout)
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        why = fit_one_line(str(error))
        raise CapsuleError(f"the kernel's Python does not say which packages it has: {why}") from error


def _read(requirement: str) -> Requirement | None:
    try:
        return Requirement(requirement)
    except InvalidRequirement:
        return None


def _select(one: Mapping[str, Any], extras: Iterable[str], markers: Mapping[str, str]) -> Iterator[Requirement]:
    """Yield the requirements of a distribution with these extras, as they are for the kernel's Python."""
    for requirement in filter(None, map(_read, one["requires"])):
        if requirement.marker is None or any(_holds(requirement.marker, extra, markers) for extra in ("", *extras)):
            yield requirement


def _holds(marker: Marker, extra: str, markers: Mapping[str, str]) -> bool:
    return marker.evaluate({**default_environment(), **markers, "extra": extra})  # type: ignore[dict-item]


def _is_there(installed: Mapping[str, Any], markers: Mapping[str, str], extra: str) -> bool:
    plain = {one.name for one in _select(installed[OURS], (), markers)}
    needed = [one for one in _select(installed[OURS], (extra,), markers) if one.name not in plain]
    return bool(needed) and all(canonicalize_name(one.name) in installed for one in needed)


def _close(
    wanted: Mapping[str, set[str]], installed: Mapping[str, Any], markers: Mapping[str, str]
) -> Iterator[tuple[str, str]]:
    """Yield the distributions with all that they need and that is installed, each with its version."""
    done: dict[str, set[str]] = {}
    left = list(wanted.items())
    while left:
        name, extras = left.pop()
        if name not in installed or (name in done and extras <= done[name]):
            continue
        done[name] = done.get(name, set()) | set(extras)
        left += [(canonicalize_name(one.name), set(one.extras)) for one in _select(installed[name], extras, markers)]
    yield from ((name, str(installed[name]["version"])) for name in done)


def write_wheel(package: Path, told: Mapping[str, str], version: str, folder: Path) -> str:
    """Write a wheel of the installed package into a folder, and return its name: the same bytes for the same files."""
    name = f"flux_magic-{version}"
    info = f"{name}.dist-info"
    files = {
        f"flux_magic/{path.relative_to(package).as_posix()}": path.read_bytes()
        for path in sorted(package.rglob("*"))
        if path.is_file() and "__pycache__" not in path.parts
    }
    shared = "flux_magic/jupyter/share/"
    files |= {
        f"{name}.data/data/share/jupyter/{path.removeprefix(shared)}": data
        for path, data in files.items()
        if path.startswith(shared)
    }
    files |= {f"{info}/{one}": text.encode() for one, text in told.items() if text}
    tagged = "Wheel-Version: 1.0\nGenerator: flux_magic\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    files[f"{info}/WHEEL"] = tagged.encode()
    rows = [f"{path},sha256={_hash(data)},{len(data)}\n" for path, data in sorted(files.items())]
    files[f"{info}/RECORD"] = "".join([*rows, f"{info}/RECORD,,\n"]).encode()
    folder.mkdir(exist_ok=True)
    target = f"{name}-py3-none-any.whl"
    with zipfile.ZipFile(folder / target, "w") as wheel:
        for path, data in files.items():
            entry = zipfile.ZipInfo(path, _TIME)
            entry.create_system, entry.external_attr, entry.compress_type = 3, 0o100644 << 16, zipfile.ZIP_DEFLATED
            wheel.writestr(entry, data, compresslevel=9)
    return target


def _hash(data: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
