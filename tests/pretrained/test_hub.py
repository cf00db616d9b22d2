"""Names of --bert-dir: folders, and repositories of a Hub that a small server on loopback plays."""

import contextlib
import hashlib
import json
import os
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlparse

import pytest

from vidsim.errors import VidsimError
from vidsim.pretrained import hub
from vidsim.pretrained.hub import local_folder, transformer_folder

COMMIT = "0123456789abcdef0123456789abcdef01234567"
MODULES = [
    {"idx": 0, "path": "0_Transformer", "type": "sentence_transformers.models.Transformer"},
    {"idx": 1, "path": "1_Pooling", "type": "sentence_transformers.models.Pooling"},
]
TEXTS = ("config.json", "vocab.txt", "tokenizer_config.json", "README.md", "train.py")
H5, BIN = "tf_model.h5", "pytorch_model.bin"
SAFE = ("model.safetensors.index.json", "model-1-of-2.safetensors", "model-2-of-2.safetensors")
PLACE = "0_Transformer"
OLD = ("pytorch_model.bin.index.json", "pytorch_model-1-of-1.bin")
REPOSITORIES = {  # name -> its files
    "hfl/bert": (*TEXTS, H5, BIN, "flax_model.msgpack"),
    "hfl/safe": (*TEXTS, H5, BIN, "model.safetensors", *SAFE),
    "hfl/shards": (*TEXTS, H5, BIN, *SAFE),
    "hfl/old": (*TEXTS, BIN),
    "hfl/old_shards": (*TEXTS, *OLD, "pytorch_model-old.bin.json"),
    "hfl/bare": (*TEXTS, SAFE[1]),  # a shard without its index
    "hfl/sentences": (
        *("modules.json", "config.json", "1_Pooling/config.json", "2_Dense/model.safetensors", H5),
        *(f"{PLACE}/{file}" for file in ("config.json", "vocab.txt", BIN)),
    ),
    "hfl/gated": (*TEXTS, H5),  # which are listed and not given
}
SCRIPT = """if True:
    import sys
    from vidsim.errors import VidsimError
    from vidsim.pretrained.hub import local_folder
    try:
        print(local_folder(sys.argv[1]))
    except VidsimError as error:
        sys.exit(f"VidsimError {error}")
"""


def content(name: str) -> bytes:
    return (json.dumps(MODULES) if name == "modules.json" else f"content of {name}").encode()


class Hub(BaseHTTPRequestHandler):
    """/api/models/<name>[/revision/<it>], its tree, and <name>/resolve/<commit>/<file>."""

    def do_GET(self):
        path = unquote(urlparse(self.path).path).removeprefix("/api/models").strip("/")
        owner, repository, *rest = path.split("/")
        name = f"{owner}/{repository}"
        files = REPOSITORIES.get(name)
        if files is None:
            self.answer(404, "RepoNotFound")
        elif rest[:1] == ["resolve"] and name == "hfl/gated":
            self.answer(403, "GatedRepo")
        elif rest[:1] == ["revision"] and rest[1] not in ("main", "v1"):
            self.answer(404, "RevisionNotFound")
        elif rest[:1] == ["resolve"]:
            self.answer(200, body=content("/".join(rest[2:])))
        elif rest[:1] == ["tree"]:
            entries = [{"type": "file", "path": f, "size": len(content(f))} for f in files]
            entries = [{**e, "oid": hashlib.sha1(content(e["path"])).hexdigest()} for e in entries]
            self.answer(200, body=json.dumps(entries).encode())
        else:
            siblings = [{"rfilename": file} for file in files]
            description = {"id": name, "sha": COMMIT, "siblings": siblings}
            self.answer(200, body=json.dumps(description).encode())

    do_HEAD = do_GET

    def answer(self, status, error=None, body=b""):
        self.server.log.append((self.command, self.path))
        self.send_response(status)
        if error:
            self.send_header("X-Error-Code", error)
        self.send_header("X-Repo-Commit", COMMIT)
        self.send_header("ETag", f'"{hashlib.sha1(body).hexdigest()}"')
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

    def log_message(self, *_):
        pass


@contextlib.contextmanager
def serving():
    with ThreadingHTTPServer(("127.0.0.1", 0), Hub) as server:
        server.log = []
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture
def fetch(tmp_path):
    """`fetch(name, server=None, **environment)`: the finished process of `local_folder(name)`."""

    def run(name, server=None, **environment):
        port = server.server_address[1] if server else 9  # nobody listens at 9
        clean = {k: v for k, v in os.environ.items() if not k.startswith(("HF_", "HUGGING"))}
        clean = {k: v for k, v in clean.items() if not k.lower().endswith("_proxy")}
        clean |= {"HF_HOME": str(tmp_path), "HF_ENDPOINT": f"http://127.0.0.1:{port}"}
        clean |= {"HF_HUB_DISABLE_PROGRESS_BARS": "1"}
        return subprocess.run(
            [sys.executable, "-c", SCRIPT, name],
            env=clean | environment,
            capture_output=True,
            text=True,
            timeout=120,
        )

    return run


def fetched(done):
    """(folder, names of the files in it) of a process that succeeded."""
    assert done.returncode == 0, done.stderr
    folder = local_folder(done.stdout.strip())
    return folder, {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()}


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("hfl/bert", {*TEXTS[:3], BIN}),
        ("hfl/safe", {*TEXTS[:3], "model.safetensors"}),
        ("hfl/shards", {*TEXTS[:3], *SAFE}),
        ("hfl/old", {*TEXTS[:3], BIN}),
        ("hfl/old_shards", {*TEXTS[:3], *OLD}),
        (
            "hfl/sentences",
            {"modules.json", "1_Pooling/config.json"}
            | {f"{PLACE}/{file}" for file in ("config.json", "vocab.txt", BIN)},
        ),
    ],
)
def test_only_what_is_read_and_one_format_of_weights(fetch, name, expected):
    with serving() as server:
        folder, files = fetched(fetch(name, server))
        begin = f"/{name}/resolve/{COMMIT}/"
        sent = {p.removeprefix(begin) for verb, p in server.log if verb == "GET" and begin in p}
    assert files == expected
    assert sent == expected - {"modules.json"}  # which is asked for by the name of the revision
    assert (transformer_folder(folder) / "config.json").read_text().startswith("content of")


@pytest.mark.parametrize("name", ["hfl/bert", "hfl/sentences"])
def test_the_cache_serves_where_the_hub_does_not(fetch, name):
    """By the name it was fetched under; offline not even a connection is tried."""
    with serving() as server:
        first = fetched(fetch(f"{name}@v1", server))
        count = len(server.log)
        assert fetched(fetch(f"{name}@v1", server, HF_HUB_OFFLINE="1")) == first
        assert len(server.log) == count
    assert fetched(fetch(f"{name}@v1")) == first  # nobody answers
    for environment in ({}, {"HF_HUB_OFFLINE": "1"}):
        done = fetch(name, **environment)  # main was not fetched
        assert done.returncode == 1 and "VidsimError" in done.stderr


def test_half_a_cache_is_no_cache(fetch):
    with serving() as server:
        folder, _ = fetched(fetch("hfl/bert", server))
    (folder / BIN).unlink()
    done = fetch("hfl/bert", HF_HUB_OFFLINE="1")
    assert "HF_HUB_OFFLINE is set, and " in done.stderr


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("hfl/none", "there is no such repository, or it is private and wants `hf auth login`"),
        ("hfl/bert@v7", "the repository has no revision v7"),
        ("hfl/gated", "it is gated; agree to its terms at http://127.0.0.1:"),
        ("what is this", "names there are of the form owner/name"),
    ],
)
def test_why_it_was_not_fetched_and_what_to_do(fetch, name, reason):
    with serving() as server:
        done = fetch(name, server)
    assert done.stderr.startswith(
        f"VidsimError --bert-dir {name}: no such folder here, and the Hugging Face Hub did not "
        f"give it: {reason}"
    )
    assert done.stderr.endswith(
        "; you can put config.json, one of model.safetensors, pytorch_model.bin, tf_model.h5, and "
        "tokenizer.json or vocab.txt into a folder and name it by --bert-dir\n"
    )
    assert len(done.stderr.splitlines()) == 1


def test_a_repository_without_weights(fetch):
    with serving() as server:
        done = fetch("hfl/bare", server)
    assert "hfl/bare: this repository has no ./config.json with one of model." in done.stderr


def test_nobody_answers(fetch):
    done = fetch("hfl/bert")
    assert "did not give it: ConnectError: " in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_proxy_is_named_without_its_password(monkeypatch):
    """It is what a newcomer in a company looks for last."""
    monkeypatch.setenv("HTTPS_PROXY", "http://me:secret@proxy.example:3128")
    found = hub._reason("hfl/bert", ConnectionError("refused"))
    assert found.startswith("ConnectionError: refused (asked through the proxy of ")
    assert "HTTPS_PROXY=http://proxy.example:3128" in found
    assert "secret" not in found


# --- Folders --------------------------------------------------------------------------------------


def test_a_folder_is_used_as_it_is(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "hfl" / "bert@v1").mkdir(parents=True)
    for name in ("hfl/bert@v1", "./hfl", str(tmp_path)):
        assert local_folder(name).is_dir()
    monkeypatch.setenv("HOME", str(tmp_path))
    assert local_folder("~/hfl") == tmp_path / "hfl"


@pytest.mark.parametrize(
    "name", ["./bert", "/models/bert", "~/bert", "models/hfl/bert", "bert/", "models\\bert"]
)
def test_what_looks_like_a_path_is_not_looked_for_elsewhere(name, monkeypatch):
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(VidsimError) as error:
        local_folder(name)
    assert str(error.value) == f"--bert-dir {name}: no such folder"


def test_names_that_cannot_be(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(VidsimError, match="this is a file; accepted are folders and Hub names"):
        local_folder(str(tmp_path / "file"))
    with pytest.raises(VidsimError, match="an empty name"):
        local_folder("")


@pytest.mark.parametrize(("path", "place"), [("", "."), ("0_Transformer", "0_Transformer")])
def test_the_encoder_of_sentence_transformers(tmp_path, path, place):
    assert transformer_folder(tmp_path) == tmp_path
    modules = [MODULES[1], MODULES[0] | {"path": path}]
    (tmp_path / "modules.json").write_text(json.dumps(modules))
    assert transformer_folder(tmp_path) == tmp_path / place


@pytest.mark.parametrize(
    ("modules", "message"),
    [
        (MODULES[1:], "no module of type Transformer in it"),
        ({}, "no module of type Transformer in it"),
        ([MODULES[0] | {"path": "../other"}], r"'\.\./other' is outside of its folder"),
    ],
)
def test_modules_without_an_encoder(tmp_path, modules, message):
    (tmp_path / "modules.json").write_text(json.dumps(modules))
    with pytest.raises(VidsimError, match=message):
        transformer_folder(tmp_path)
