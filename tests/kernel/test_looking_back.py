"""Looking back in a real kernel: what is replayed, `%flux_history`, `%flux_recall`, and the whole circle."""

from __future__ import annotations

import base64
import re
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import nbformat
import pytest

from flux_magic.images import codecs
from tests.support.kernel import Cell, Kernel, run_kernel
from tests.unit.samples import generation

LINE = re.compile(r"<flux (\d+)×(\d+) seed=(\w+) steps=(\d+) sha256:([0-9a-f]{12})>")
SMALL = "--size 256x256"
WIDGET = "application/vnd.jupyter.widget-view+json"


def started(folder: Path, space: str, store: Path) -> AbstractContextManager[Kernel]:
    """Return a kernel with a store that replays."""
    return run_kernel(folder, FLUX_MAGIC_SPACE=space, FLUX_MAGIC_STORE=str(store), FLUX_MAGIC_REPLAY="auto")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return where the notebook is; its store is in `store`."""
    return tmp_path_factory.mktemp("notebooks")


@pytest.fixture(scope="module")
def kernel(space: str, folder: Path) -> Iterator[Kernel]:
    """Yield a kernel with the extension loaded, the local Space as its Space, and a store of its own."""
    with started(folder, space, folder / "store") as running:
        running.run_ok("%load_ext flux_magic")
        yield running


@pytest.fixture
def unseen(kernel: Kernel) -> Iterator[None]:
    """Yield the notebook is run by a program, which answers no question: no one looks on."""
    kernel.client.allow_stdin = False
    yield
    kernel.client.allow_stdin = True


def digest_in(cell: Cell) -> str:
    match = LINE.search("\n".join(cell.get_shown("text/plain")))
    assert match is not None
    return match[5]


def pixels_in(cell: Cell) -> str:
    """Return the digest of the image that is embedded."""
    return codecs.describe(base64.b64decode(cell.get_shown("image/png")[0])).digest


def compared(cell: Cell) -> list[Any]:
    """Return what nbval can compare of a cell: it sees no output without content."""
    return [*(output["data"] for output in cell.outputs if output["data"]), cell.stdout, cell.stderr]


def words(cell: Cell) -> list[Any]:
    """Return what nbval does compare: the bytes of an image tell when it was made, its digest what it is."""
    *outputs, stdout, stderr = compared(cell)
    texts = [{mime: text for mime, text in data.items() if not mime.startswith("image/")} for data in outputs]
    return [*texts, stdout, stderr]


def told(cell: Cell) -> dict[str, Any]:
    """Return what the metadata of the output with the image say."""
    found: dict[str, Any] = next(one["metadata"]["flux_magic"] for one in cell.outputs if one["metadata"])
    return found


def next_cell(cell: Cell) -> str:
    """Return the cell that was put below."""
    [payload] = cell.payload
    assert (payload["source"], payload["replace"]) == ("set_next_input", False)
    return str(payload["text"])


def records(store: Path) -> list[str]:
    return sorted(path.name for path in store.rglob("*.json"))


def mistake(cell: Cell) -> str:
    """Return the one line that a mistake shows."""
    assert cell.status == "error"
    assert cell.payload == []
    [line] = [line for line in (cell.stderr + cell.traceback).splitlines() if line.strip()]
    assert line.startswith("UsageError: ")
    return line


def test_the_whole_circle(space: str, tmp_path: Path) -> None:
    """Make, save, close; recall in a fresh kernel that knows nothing, run what is put there: the same pixels."""
    names = ["fox.webp", "fox.png", "fox.jpg"]
    with started(tmp_path, space, tmp_path / "store") as first:
        first.run_ok("%load_ext flux_magic\nanimal = 'fox'")
        made = first.run_ok("%%flux --steps 3 --size 263x256 --output fox\na red {animal} & {{b}}, 'snow'")
        first.run_ok(f"for name in {names}:\n    fox.save(name)")
    with started(tmp_path, space, tmp_path / "another store") as fresh:
        fresh.run_ok("%load_ext flux_magic")
        recalled = [fresh.run_ok(f"%flux_recall {name}") for name in names]
        [cell] = {next_cell(one) for one in recalled}
        assert cell.startswith("%%flux --steps 3 --seed ")
        for name, one in zip(names, recalled, strict=True):
            assert one.stdout == f"{name}: made with flux_magic, by flux_magic stand-in\n\n{cell}\n"
        again = fresh.run_ok(cell.replace("--space local", f"--space {space}"))  # which is the same
    assert digest_in(again) == digest_in(made)
    assert pixels_in(again) == pixels_in(made)
    assert "replayed" not in told(again)


@pytest.mark.usefixtures("unseen")
def test_a_second_run_is_replayed_and_shows_what_the_first_one_showed(kernel: Kernel, folder: Path) -> None:
    code = f"%%flux --seed 42 {SMALL}\na red fox\n\nin the snow"
    first = kernel.run_ok(code)
    before = records(folder / "store")
    second = kernel.run_ok(code)
    assert compared(second) == compared(first)
    assert all(output["data"] for output in second.outputs), "not even an empty output"
    assert told(second) == {**told(first), "replayed": True}
    assert kernel.run_ok("print(_.replayed, _.url == '')").stdout == "True True\n"
    assert records(folder / "store") == before


def test_a_person_is_told_for_a_moment(kernel: Kernel) -> None:
    code = f"%%flux --seed 43 {SMALL}\na red fox"
    first = kernel.run_ok(code)
    second = kernel.run_ok(code)
    assert compared(second) == compared(first)
    [said] = [update["data"]["text/plain"] for update in second.updates if update["data"]]
    assert said == "from the store; --fresh asks the Space"
    assert not kernel.run_ok(f"{code.replace('%%flux', '%%flux --quiet')}").updates


def test_fresh_asks_the_space_again(kernel: Kernel, folder: Path) -> None:
    code = f"%%flux --quiet --seed 44 {SMALL} --output fox\na red fox"
    first = kernel.run_ok(code)
    before = len(records(folder / "store"))
    again = kernel.run_ok(code.replace("--seed", "--fresh --seed"))
    assert words(again) == words(first)
    assert "replayed" not in told(again)
    assert len(records(folder / "store")) == before + 1
    assert kernel.run_ok("print(fox.replayed, fox.url[:7])").stdout == "False http://\n"


def test_the_configuration_says_whether_to_replay_and_where_to_keep(kernel: Kernel, folder: Path) -> None:
    code = f"%%flux --quiet --seed 45 {SMALL} --output fox\na red fox"
    kernel.run_ok("%config FluxMagics.store = 'kept here'\n%config FluxMagics.replay = 'off'")
    try:
        for _ in range(2):
            kernel.run_ok(code)
        assert len(records(folder / "kept here")) == 2
        kernel.run_ok("%config FluxMagics.replay = 'only'")
        assert "replayed" in told(kernel.run_ok(code))
        refused = kernel.run(code.replace("45", "46"))
        kernel.run_ok("%config FluxMagics.store = False\n%config FluxMagics.replay = None")
        kernel.run_ok(code)
        assert kernel.run_ok("print(fox.path, fox.replayed)").stdout == "None False\n"
    finally:
        kernel.run_ok("%config FluxMagics.store = None\n%config FluxMagics.replay = None")
    assert "NotInStore: not in flux_images, nor in the store" in refused.traceback
    assert "'a red fox', seed 46, 256x256" in refused.traceback
    assert refused.traceback.count("\n") < 3
    assert len(records(folder / "kept here")) == 2


def test_what_is_saved_without_metadata_has_nothing_to_tell(kernel: Kernel) -> None:
    kernel.run_ok(f"%flux --quiet --no-metadata --save bare.webp --seed 45 {SMALL} a red fox")
    assert (
        "RecordError: bare.webp: the image does not say what made it" in kernel.run("%flux_recall bare.webp").traceback
    )


def test_a_history_shows_finds_and_deletes(space: str, tmp_path: Path) -> None:
    with started(tmp_path, space, tmp_path / "store") as kernel:
        kernel.run_ok("%load_ext flux_magic")
        assert kernel.run_ok("%flux_history").get_shown("text/plain") == ["no images in the store"]
        digests = [
            digest_in(kernel.run_ok(f"%flux --quiet --seed {seed} {SMALL} {prompt}"))
            for seed, prompt in enumerate(["a red Fox", "a hen", "a fox in the snow"])
        ]
        shown = kernel.run_ok("%flux_history")
        assert "%%flux --steps 2 --seed 1 --size 256x256" in shown.get_shown("text/html")[0]
        assert shown.get_shown(WIDGET), "a gallery, with the page for the saved notebook"
        assert kernel.run_ok("%flux_history --last 2").get_shown(WIDGET) == []
        kernel.client.allow_stdin = False  # as of a program that runs a notebook
        assert kernel.run_ok("%flux_history").get_shown(WIDGET) == []
        kernel.client.allow_stdin = True
        for line, seeds in {
            "": [2, 1, 0],
            "--last 2": [2, 1],
            "--search fox": [2, 0],
            '--search "snow FOX"': [2],
            "--search fox snow": [2],
            "zebra": [],
        }.items():
            found = kernel.run_ok(f"found = %flux_history {line}\nprint([one.seed for one in found])")
            assert found.stdout == f"{seeds}\n"
        kernel.run_ok(f"snow = %flux --quiet --seed 2 {SMALL} a fox in the snow")
        marked = kernel.run_ok("%flux_history --mark snow --starred --tag best")
        assert (marked.stdout, marked.outputs) == (f"{digests[2][:12]} a fox in the snow: a star, #best\n", [])
        assert (
            "[2] ('best',)"
            in kernel.run_ok(
                "found = %flux_history #best\nprint([one.seed for one in found], found[0].marks.tags)"
            ).stdout
        )
        kernel.run_ok("%flux_history --unmark found")
        assert "no image" in kernel.run_ok("%flux_history is:starred").get_shown("text/plain")[0]
        assert "no image in the store has the digest 123456" in mistake(kernel.run("%flux_history --delete 123456"))
        deleted = kernel.run_ok(f"%flux_history --delete {digests[1]}")
        assert (deleted.stdout, deleted.outputs) == (f"deleted {digests[1]}\n", [])
        assert len(records(tmp_path / "store")) == 2
        assert kernel.run_ok(
            "print([one.seed for one in get_ipython().run_line_magic('flux_history', '')])"
        ).stdout == ("[2, 0]\n")
        assert kernel.run_ok("get_ipython().run_line_magic('flux_history', '')[0].save('newest.webp')").status == "ok"
    assert (tmp_path / "newest.webp").exists()


def test_recall_counts_back_the_images_of_the_notebook(kernel: Kernel) -> None:
    for seed in (51, 52):
        kernel.run_ok(f"%flux --quiet --seed {seed} {SMALL} a red fox")
    for count, seed in ((1, 52), (2, 51)):
        recalled = kernel.run_ok(f"%flux_recall {count}")
        assert next_cell(recalled).startswith(f"%%flux --steps 2 --seed {seed} ")
        assert recalled.stdout.startswith(f"image {count} from the last: made with flux_magic")


def run_in(kernel: Kernel, code: str, cell: str) -> Cell:
    """Run code as JupyterLab runs a cell of this id."""
    content = {"code": code, "silent": False, "store_history": True, "user_expressions": {}, "allow_stdin": False}
    message = kernel.client.session.msg("execute_request", content, metadata={"cellId": cell})
    kernel.client.shell_channel.send(message)
    return kernel.wait(str(message["header"]["msg_id"]))


def test_run_all_puts_a_recalled_cell_below_once(kernel: Kernel, folder: Path) -> None:
    kernel.run_ok(f"red = %flux --quiet --seed 53 {SMALL} a red fox\nblue = %flux --quiet --seed 54 {SMALL} a blue fox")
    assert next_cell(run_in(kernel, "%flux_recall red", "one"))
    again = run_in(kernel, "%flux_recall red", "one")
    assert (again.payload, again.stdout.count("--seed 53"), again.stdout.count("put below")) == ([], 1, 1)
    for name, cell in (("blue", "one"), ("red", "two")):
        assert next_cell(run_in(kernel, f"%flux_recall {name}", cell))
    assert next_cell(kernel.run_ok("%flux_recall red")) == next_cell(kernel.run_ok("%flux_recall red")), (
        "no id, no memory"
    )
    saved = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("%flux_recall red", id="three")])
    saved.cells.append(nbformat.v4.new_code_cell(next_cell(kernel.run_ok("%flux_recall red"))))
    nbformat.write(saved, folder / "saved.ipynb")
    kernel.run_ok(f"import os\nos.environ['JPY_SESSION_NAME'] = {str(folder / 'saved.ipynb')!r}")
    assert not run_in(kernel, "%flux_recall red", "three").payload, "it is in the saved notebook, after a restart too"
    assert run_in(kernel, "%flux_recall blue", "three").payload
    kernel.run_ok("del os.environ['JPY_SESSION_NAME']")


def test_an_image_is_recalled_by_its_name_by_a_names_value_and_by_its_digest(kernel: Kernel) -> None:
    kernel.run_ok(f"import flux_magic\nhare = %flux --quiet --seed 55 {SMALL} a hare")
    kernel.run_ok("hare.save('a hare.png')\nnamed = 'a hare.png'")
    digest = kernel.run_ok("print(hare.digest[:12])").stdout.strip()
    cells = [
        next_cell(kernel.run_ok(f"%flux_recall {image}"))
        for image in ("hare", "{hare}", "{named}", "a hare.png", "'a hare.png'", digest)
    ]
    assert set(cells) == {f"%%flux --steps 2 --seed 55 {SMALL} --space local\na hare"}
    assert (
        next_cell(kernel.run_ok("%flux_recall hare"))
        in kernel.run_ok("flux_magic.recall(hare)").get_shown("text/plain")[0]
    )
    assert (
        kernel.run_ok("%flux_recall 'a hare.png' --panel")
        .get_shown("text/plain")[0]
        .startswith("Panel(prompt='a hare'")
    )
    assert kernel.run_ok("report = %flux_verify --static '{named}'\nprint(report.passed)").stdout == "True\n"


def test_a_number_alone_is_how_many_images_the_history_shows(kernel: Kernel) -> None:
    kernel.run_ok(f"%flux --quiet --seed 56 {SMALL} route 66\n")
    for seed in (57, 58):
        kernel.run_ok(f"%flux --quiet --seed {seed} {SMALL} a heron")
    seeds = "\nprint([one.seed for one in found])"
    for line, shown in [("2", "[58, 57]"), ("-2", "[58, 57]"), ("-n 2", "[58, 57]"), ("heron --last 1", "[58]")]:
        assert kernel.run_ok(f"found = %flux_history {line}{seeds}").stdout.splitlines()[-1] == shown, line
    assert kernel.run_ok("%flux_history 2").notes[0].startswith("note: the last 2; ")
    assert kernel.run_ok(f"found = %flux_history --search 66{seeds}").stdout.splitlines()[-1] == "[56]"
    searched = kernel.run_ok(f"found = %flux_history route 66{seeds}")
    assert (searched.stdout.splitlines()[-1], "--last 66" in searched.notes[0]) == ("[56]", True)


@pytest.mark.parametrize(
    ("magic", "own"),
    [
        ("flux", "--seed"),
        ("flux_history", "--delete"),
        ("flux_recall", "--panel"),
        ("flux_verify", "--static"),
        ("flux_panel", "Compare"),
        ("flux_status", "--space"),
    ],
)
def test_help_is_the_magics_own(kernel: Kernel, magic: str, own: str) -> None:
    shown = [kernel.run_ok(f"%{magic} {flag}").stdout for flag in ("--help", "-h")]
    assert shown[0] == shown[1]
    assert own in shown[0]
    assert f"%{magic}?" in shown[0]


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """Provide the address of a server that gives out the files of a folder."""

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_arguments: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder)))
    serving = threading.Thread(target=server.serve_forever)
    serving.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        serving.join()
        server.server_close()


def test_recall_reads_an_image_behind_a_url(kernel: Kernel, folder: Path) -> None:
    kernel.run_ok(f"%flux --quiet --seed 61 {SMALL} --save served/fox.jpg a red fox")
    with served(folder / "served") as address:
        recalled = kernel.run_ok(f"%flux_recall {address}/fox.jpg")
        missing = kernel.run(f"%flux_recall {address}/hen.jpg")
    assert next_cell(recalled).startswith("%%flux --steps 2 --seed 61 ")
    assert recalled.stdout.startswith(f"{address}/fox.jpg: made with flux_magic")
    assert missing.status == "error"
    assert "404" in missing.traceback
    assert missing.traceback.count("\n") < 3


def test_recall_opens_the_panel(kernel: Kernel) -> None:
    kernel.run_ok(f"%flux --quiet --seed 71 {SMALL} --steps 3 --save panel.webp a red fox")
    cell = kernel.run_ok("%flux_recall --panel panel.webp")
    assert cell.payload == []
    assert any("application/vnd.jupyter.widget-view+json" in output["data"] for output in cell.outputs)
    state = kernel.run_ok("panel = _\nprint(panel, panel.generation.seed)\npanel.close()").stdout
    assert state == "Panel(prompt='a red fox', width=256, height=256, steps=3, seed=71) 71\n"


@pytest.mark.parametrize(
    ("line", "said"),
    [
        pytest.param("%flux_recall", "name an image: a file, a URL, or how many to count back", id="nothing"),
        pytest.param("%flux_recall missing.png", "cannot read missing.png: No such file", id="missing"),
        pytest.param("%flux_recall .", "cannot read .: it is a folder, not a file", id="a folder"),
        pytest.param("%flux_recall 0", "1 is the most recent", id="counting from 0"),
        pytest.param("%flux_recall 999", "1 is the most recent", id="more than there are"),
        pytest.param("%flux_recall 99999999999999999999", "1 is the most recent", id="far more"),
        pytest.param(
            "%flux_recall --steps 4 x.png", "%flux_recall takes no --steps", id="an option of the other magic"
        ),
        pytest.param("%flux_recall --pannel x.png", "did you mean --panel?", id="misspelt"),
        pytest.param("%flux_recall -1", "1 is the most recent", id="counting below 0"),
        pytest.param("%flux_recall 1 2", "give one number", id="two numbers"),
        pytest.param("%flux_recall 1..3", "give one number", id="several"),
        pytest.param("%flux_recall abc123", "no file abc123, and no image in the store with", id="no such digest"),
        pytest.param("%flux_verify", "for example %flux_verify pictures/", id="nothing to verify"),
        pytest.param("%flux_status one two", "one Space, not 2", id="two Spaces"),
        pytest.param("%flux_status lcal", "'lcal' is no Space", id="no Space"),
        pytest.param("%flux_history 0", "a whole number from 1", id="no images, by a number alone"),
        pytest.param("%flux_history --last 0", "a whole number from 1", id="no images"),
        pytest.param("%flux_history --last many", "a whole number from 1", id="no number"),
        pytest.param("%flux_history --delete", "--delete needs a value", id="nothing to delete"),
        pytest.param("%flux_history --delete fox", "'fox' is no digest", id="no digest"),
        pytest.param("%flux_history --space x", "%flux_history takes no --space", id="history with another option"),
        pytest.param("%flux_history --serach x", "did you mean --search?", id="history misspelt"),
    ],
)
def test_a_mistake_is_one_line_that_says_what_is_meant(kernel: Kernel, line: str, said: str) -> None:
    assert said in mistake(kernel.run(line))


def test_an_image_of_a_model_that_there_is_not_opens_no_panel(kernel: Kernel, folder: Path) -> None:
    made = generation(requested_model="no such model")
    made.save(folder / "strange.png", overwrite=True)
    assert "no such model" in mistake(kernel.run("%flux_recall --panel strange.png"))
    assert "--yes" not in next_cell(kernel.run_ok("%flux_recall strange.png"))


@pytest.mark.thorough
def test_two_kernels_share_a_store(kernel: Kernel, space: str, folder: Path) -> None:
    code = f"%%flux --quiet --seed 81 -n 3 {SMALL} --output foxes\na red fox"
    made = kernel.run_ok(code)
    with started(folder, space, folder / "store") as other:
        other.run_ok("%load_ext flux_magic")
        replayed = other.run_ok(code)
        assert compared(replayed) == compared(made)
        assert other.run_ok("print([fox.replayed for fox in foxes])").stdout == "[True, True, True]\n"
        both = [(one, one.send(f"%flux --quiet --seed 90 -n 4 {SMALL} a hen")) for one in (kernel, other)]
        first, second = (one.wait(message) for one, message in both)
        assert first.status == second.status == "ok"
        assert words(first) == words(second)
        listed = "print(len(get_ipython().run_line_magic('flux_history', '--search hen')) >= 4)"
        assert kernel.run_ok(listed).stdout == other.run_ok(listed).stdout == "True\n"


def test_verify_tells_whether_images_are_still_what_their_records_make(kernel: Kernel, space: str) -> None:
    kernel.run_ok("%flux --size 256x256 --seed 4 --save checked/ a fox to be checked")
    cell = kernel.run_ok("report = %flux_verify --space SPACE checked/\nreport".replace("SPACE", space))
    table = cell.outputs[-1]["data"]["text/plain"]
    assert "same bytes" in table
    assert table.endswith("1 of 1 pass: 1 same bytes")
    assert "<table" in cell.outputs[-1]["data"]["text/html"]
    assert kernel.run_ok("report.passed").outputs[0]["data"]["text/plain"] == "True"
    static = kernel.run_ok("%flux_verify --static checked/ --html report.html")
    assert static.outputs[-1]["data"]["text/plain"].endswith("1 of 1 pass: 1 intact")
    assert (
        kernel.run_ok("open('report.html').read()[:15].lower()").outputs[0]["data"]["text/plain"] == "'<!doctype html>'"
    )


@pytest.mark.parametrize(
    ("line", "said"),
    [
        pytest.param("--statik x.png", "unknown option --statik: did you mean --static?", id="an unknown option"),
        pytest.param("x.png --concurrency many", "--concurrency many: give a whole number", id="no number"),
        pytest.param("--concurrency 99 x.png", "--concurrency 99: give a whole number", id="too many"),
        pytest.param("'x.png", "No closing quotation", id="an open quote"),
        pytest.param("--static --space local x.png", "--static", id="two that do not go together"),
    ],
)
def test_a_mistake_on_verifys_line_is_a_usage_error(kernel: Kernel, line: str, said: str) -> None:
    cell = kernel.run(f"%flux_verify {line}")
    assert cell.error.startswith("UsageError")
    assert said in cell.traceback
    assert cell.traceback.count("\n") == 0
