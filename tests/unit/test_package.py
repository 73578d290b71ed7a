"""The package from outside, each time in a fresh interpreter."""

from __future__ import annotations

import ast
from importlib.metadata import version
from pathlib import Path

import pytest

import flux_magic
from tests.unit.samples import python

HEAVY = [
    "aiohttp",
    "yarl",
    "IPython",
    "PIL",
    "ipywidgets",
    "traitlets",
    "tqdm",
    "nest_asyncio",
    "gradio",
    "huggingface_hub",
    "httpx2",
]

LATER = [
    f"flux_magic.{name}" for name in ("types", "parameters.grammar", "results.generation", "jupyter.cell", "verify")
]
"""What no setting needs, so that a magic loads it when it runs."""

SHELL = """
import sys, tempfile
from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config
config = Config(HistoryManager={"enabled": False}, ProfileDir={"location": tempfile.mkdtemp()})
shell = InteractiveShell.instance(config=config)
before = set(sys.modules)
"""

ALL_AT_WORK = """
shell.run_line_magic("load_ext", "flux_magic")
shell.run_line_magic("reload_ext", "flux_magic")
shell.run_line_magic("unload_ext", "flux_magic")
print("flux" in shell.magics_manager.magics["cell"], shell.find_cell_magic("flux"))
"""


def test_importing_the_package_imports_nothing_else() -> None:
    code = "import sys, __future__; before = {*sys.modules}; import flux_magic; print({*sys.modules} - before)"
    assert python(code) == "{'flux_magic'}\n"


def test_a_public_name_is_loaded_when_it_is_used() -> None:
    code = "import sys, flux_magic as f; f.ImageRequest, f.FluxError; print('flux_magic.types' in sys.modules, {})"
    assert python(code.format("'aiohttp' in sys.modules")) == "True False\n"


@pytest.mark.parametrize("name", flux_magic.__all__)
def test_every_public_name_is_there(name: str) -> None:
    assert getattr(flux_magic, name).__name__.removeprefix("flux_magic.") == name
    assert name in dir(flux_magic)


def test_dir_is_the_public_names_and_the_version() -> None:
    assert dir(flux_magic) == sorted([*flux_magic.__all__, "__version__"])
    assert set(flux_magic.__all__) == set(flux_magic._HOMES)


def test_a_star_import_gives_the_public_names() -> None:
    names: dict[str, object] = {}
    exec("from flux_magic import *", names)
    assert set(flux_magic.__all__) <= names.keys()


def test_the_version_is_the_distributions() -> None:
    assert flux_magic.__version__ == version("flux-magic")


@pytest.mark.parametrize("name", ["Generator", "keep", "_secret"])
def test_an_unknown_name_is_no_attribute(name: str) -> None:
    with pytest.raises(AttributeError, match=f"module 'flux_magic' has no attribute '{name}'"):
        getattr(flux_magic, name)


def test_every_error_is_to_be_had_from_the_package() -> None:
    from flux_magic import errors
    from flux_magic.jupyter.panel import InvalidTrait
    from flux_magic.jupyter.usage import UsageError

    kinds: list[type] = [InvalidTrait, UsageError]
    kinds += [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, errors.FluxError)]
    assert [
        kind for kind in [*kinds, InvalidTrait, UsageError] if getattr(flux_magic, kind.__name__, None) is not kind
    ] == []


def test_a_type_checker_sees_each_public_name_where_it_lives() -> None:
    tree = ast.parse(Path(flux_magic.__file__).read_text())
    imports = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.level == 1]
    seen = {name.name: node.module for node in imports for name in node.names if name.name in flux_magic.__all__}
    assert seen == {name: home for name, home in flux_magic._HOMES.items() if home}


def test_loading_the_extension_prints_nothing() -> None:
    assert python(SHELL + 'shell.run_line_magic("load_ext", "flux_magic")') == ""


def test_loading_the_extension_imports_nothing_heavy() -> None:
    code = f"""{SHELL}
shell.run_line_magic("load_ext", "flux_magic")
print([name for name in [*{HEAVY}, *{LATER}] if name in set(sys.modules) - before])
print(shell.find_line_magic("flux") is not None and shell.find_cell_magic("flux") is not None)
"""
    assert python(code) == "[]\nTrue\n"


def test_unloading_the_extension_takes_its_magics_away() -> None:
    assert python(SHELL + ALL_AT_WORK) == "False None\n"


def test_a_module_offers_only_what_it_defines() -> None:
    """Return the names of a package's `__init__` come from its modules; every other name is imported from its own
    home.
    """
    package = Path(flux_magic.__file__).parent
    elsewhere = []
    for path in sorted(set(package.rglob("*.py")) - set(package.rglob("__init__.py"))):
        nodes = ast.parse(path.read_text()).body
        imports = (node for node in nodes if isinstance(node, ast.Import | ast.ImportFrom))
        imported = {name.asname or name.name for node in imports for name in node.names}
        for node in nodes:
            match node:
                case ast.Assign([ast.Name("__all__")], value):
                    elsewhere += [(path.name, name) for name in ast.literal_eval(value) if name in imported]
                case ast.Assign([ast.Name(name)], ast.Attribute(ast.Name(module), same)) if name == same:
                    elsewhere += [(path.name, name)] if module in imported else []
    assert elsewhere == []
