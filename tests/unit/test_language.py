"""The English of the package: first words, forbidden words and long sentences in docstrings, messages and Markdown."""

from __future__ import annotations

import ast
import inspect
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FILES = sorted(path for folder in ("flux_magic", "scripts", "tiny") for path in (ROOT / folder).rglob("*.py"))
DOCUMENTS = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "tiny/README.md")),
    *sorted((ROOT / "notebooks").glob("*.ipynb")),
]

FIRST = re.compile(r"(What|Whether|Where|Who|How)\b")
ARTICLE = re.compile(r"(The|A|An|Each|Every|All)\b")
FORBIDDEN = re.compile(
    r"\b(anew|for ever|whoever|nobody|is none of|there is none|it tells|blanks|whole numbers?|pictures?)\b",
    re.IGNORECASE,
)
IN_MESSAGES = re.compile(
    r"\b(anew|for ever|whoever|nobody|is none of|there is none|it tells|pictures?)\b(?![./\\])", re.IGNORECASE
)
MOST_WORDS = 25


def parse(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def walk_docstrings(path: Path) -> Iterator[tuple[str, ast.AST, str]]:
    """Yield where each docstring is, what it belongs to, and its content; those of attributes too."""
    for node in ast.walk(parse(path)):
        body = getattr(node, "body", None)
        for number, statement in enumerate(body if isinstance(body, list) else []):
            value = getattr(statement, "value", None)
            if isinstance(statement, ast.Expr) and isinstance(value, ast.Constant) and isinstance(value.value, str):
                owner = node if number == 0 else statement
                yield f"{path.relative_to(ROOT)}:{statement.lineno}", owner, inspect.cleandoc(value.value)


def is_property(node: ast.AST) -> bool:
    return any("property" in ast.unparse(decorator) for decorator in getattr(node, "decorator_list", []))


def remove_code(text: str) -> str:
    """Leave out code in backquotes, whatever it says."""
    return re.sub(r"`[^`]*`", "`x`", re.sub(r"```.*?```", "", text, flags=re.DOTALL))


def split_sentences(text: str) -> list[str]:
    """Split prose at the ends of its sentences, clauses after a semicolon or colon, items and paragraphs."""
    prose = [
        part
        for part in re.split(r"\n\s*\n|\n(?=\s*(?:[-*|>#]|\w+[\w, ]*:\s))|\n(?=    )", remove_code(text))
        if "|" not in part
    ]
    return [one for part in prose for one in re.split(r"[.!?:;](?:\s|$)|[()–·]", " ".join(part.split()))]


def find_long(text: str) -> list[str]:
    return [one for one in split_sentences(text) if len(one.split()) > MOST_WORDS]


def test_docstrings_begin_as_they_should() -> None:
    wrong = [
        f"{where}: {text[:60]}"
        for path in FILES
        for where, owner, text in walk_docstrings(path)
        if FIRST.match(text)
        or (
            isinstance(owner, ast.FunctionDef | ast.AsyncFunctionDef) and not is_property(owner) and ARTICLE.match(text)
        )
    ]
    assert not wrong, "\n".join(wrong)


def test_docstrings_have_no_forbidden_words() -> None:
    wrong = [
        f"{where}: {match[0]}"
        for path in FILES
        for where, _, text in walk_docstrings(path)
        for match in FORBIDDEN.finditer(remove_code(text))
    ]
    assert not wrong, "\n".join(wrong)


def test_docstrings_have_no_long_sentences() -> None:
    wrong = [
        f"{where}: {sentence}"
        for path in FILES
        for where, _, text in walk_docstrings(path)
        if not re.search(r"[├│]|={5}", text)
        for sentence in find_long(text)
    ]
    assert not wrong, "\n".join(wrong)


def walk_messages(path: Path) -> Iterator[tuple[str, str]]:
    """Yield the strings of three words or more that are not docstrings; the values within them are left out."""
    tree = parse(path)
    docstrings = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    inner = {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in node.values}
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            parts = [str(part.value) if isinstance(part, ast.Constant) else "…" for part in node.values]
            text = "".join(parts)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings | inner:
            text = node.value
        else:
            continue
        if len(re.findall(r"[A-Za-z]{2,}", text)) >= 3 and "<" not in text:
            yield f"{path.relative_to(ROOT)}:{node.lineno}", text


def test_messages_have_no_forbidden_words_and_no_long_sentences() -> None:
    wrong = []
    for path in FILES:
        if path.is_relative_to(ROOT / "flux_magic"):
            for where, text in walk_messages(path):
                wrong += [f"{where}: {match[0]}" for match in IN_MESSAGES.finditer(text)]
                if "\n" not in text and " " in text and not re.search(r"[{}\\]", text):
                    wrong += [f"{where}: {one}" for one in find_long(text) if not re.fullmatch(r"[\w\s-]*", one)]
    assert not wrong, "\n".join(wrong)


def read_prose(path: Path) -> str:
    """Return a document's Markdown: of a notebook, its cells of text."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".ipynb":
        cells = json.loads(text)["cells"]
        return "\n\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown")
    return text


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_documents_are_in_plain_english(path: Path) -> None:
    prose = remove_code(re.sub(r"\]\([^)]*\)|<[^>]*>|A story in six pictures", "", read_prose(path)))  # a title
    wrong = [match[0] for match in IN_MESSAGES.finditer(prose)]
    wrong += find_long(prose)
    assert not wrong, "\n".join(wrong)
