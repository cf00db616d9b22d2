"""Where a pretrained model is: in a folder, a package, or the Hugging Face Hub's cache."""

import os
from collections.abc import Iterable, Mapping
from fnmatch import fnmatch
from glob import escape
from pathlib import Path
from typing import Any

from vidsim.errors import VidsimError
from vidsim.pretrained.json_files import read_json
from vidsim.pretrained.packages import MODELS, packaged_path
from vidsim.pretrained.weight_files import ACCEPTED

MODULES, SENTENCES = "modules.json", "sentence_bert_config.json"
_INDEX = ".index.json"
_DESCRIPTIONS = (
    "config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "vocab.txt",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.json",  # CLIP's
    "merges.txt",
    "preprocessor_config.json",
    "processor_config.json",
    SENTENCES,
)
_SECONDS = 10  # to wait for the Hub's first answer; the library itself would wait for ever


def local_folder(name: str, asked: str = "--bert-dir") -> Path:
    """The folder with a name's files, fetched from the Hub if need be.

    Args:
        name: a folder; minilm (see packages); or a repository like hfl/chinese-roberta-wwm-ext,
            perhaps with @revision. Of a repository only the files that are read are fetched, with
            weights in one format. They are kept where all of Hugging Face's libraries keep them
            (HF_HOME), and taken from there where HF_HUB_OFFLINE is set or the Hub is not reached.
        asked: the flag or function that was given the name, for messages.

    Raises:
        VidsimError: no such folder, no such package, or why it could not be fetched and what to do.
    """
    if not name:
        raise VidsimError(f"{asked}: an empty name; accepted are folders and Hub names")
    path = Path(os.path.expanduser(name))
    if path.is_dir():
        return path
    if path.exists():
        raise VidsimError(f"{asked} {name}: this is a file; accepted are folders and Hub names")
    if name in MODELS:
        return packaged_path(*MODELS[name], f"{asked} {name}")
    if name[0] in "./~" or name.count("/") > 1 or name.endswith("/") or "\\" in name:
        raise VidsimError(f"{asked} {name}: no such folder")
    repository, _, revision = name.partition("@")
    try:
        return _download(repository, revision or None, asked)
    except VidsimError:
        raise
    except Exception as error:  # the HTTP library's too, another one in each huggingface_hub
        kept = _cached(repository, revision or None)
        if kept is None:
            raise _not_fetched(name, asked, error) from error
        return kept


def transformer_folder(folder: Path) -> Path:
    """Where in a model's folder its encoder is: sentence-transformers may have it in a subfolder.

    Raises:
        VidsimError: a modules.json that names no encoder.
    """
    modules = folder / MODULES
    return folder / _transformer_path(modules) if modules.exists() else folder


def module_path(modules: Path, module: Mapping[str, Any]) -> str:
    """Where in the folder of modules.json a module's own files are.

    Raises:
        VidsimError: outside of that folder.
    """
    path = str(module.get("path", ""))
    if Path(path).is_absolute() or ".." in Path(path).parts:
        raise VidsimError(f"{modules}: {path!r} is outside of its folder")
    return path


def hub_revision(folder: Path) -> str | None:
    """The commit of a folder of the Hub's cache (.../snapshots/<commit>); None for any other."""
    is_snapshot = folder.parent.name == "snapshots" and (folder.parent.parent / "refs").is_dir()
    return folder.name if is_snapshot else None


def _transformer_path(modules: Path) -> str:
    content: Any = read_json(modules)
    for module in content if isinstance(content, list) else ():
        if isinstance(module, dict) and str(module.get("type")).endswith("Transformer"):
            return module_path(modules, module)
    raise VidsimError(
        f"{modules}: no module of type Transformer in it; supported are models of "
        "sentence-transformers that begin with one"
    )


def _download(repository: str, revision: str | None, asked: str) -> Path:
    import huggingface_hub as hub

    info = hub.HfApi().model_info(repository, revision=revision, timeout=_SECONDS)
    names = [item.rfilename for item in info.siblings or ()]
    place = ""
    if MODULES in names:
        kept = hub.hf_hub_download(repository, MODULES, revision=revision)
        place = _transformer_path(Path(kept))
    wanted = _wanted(names, place)
    if not wanted:
        raise VidsimError(
            f"{asked} {repository}: this repository has no {place or '.'}/config.json with "
            f"one of {_weights_in_words()} beside it"
        )
    # The revision as it was named: the cache finds it by this name again.
    return Path(hub.snapshot_download(repository, revision=revision, allow_patterns=wanted))


def _cached(repository: str, revision: str | None) -> Path | None:
    """What the cache has of a repository, if that is enough."""
    import huggingface_hub as hub

    try:  # With "*" it does not ask for files that _download left out; what is there is seen below.
        folder = Path(
            hub.snapshot_download(
                repository, revision=revision, local_files_only=True, ignore_patterns="*"
            )
        )
    except (OSError, ValueError):
        return None
    names = [path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()]
    place = transformer_folder(folder).relative_to(folder)
    return folder if _wanted(names, place.as_posix()) else None


def _wanted(names: Iterable[str], place: str) -> list[str]:
    """The files to read among a repository's; none if weights or config.json are not there."""
    there = set(names)
    at = "" if place in ("", ".") else place.rstrip("/") + "/"
    first = next((name for name in ACCEPTED if f"{at}{name}" in there), None)
    if first is None or f"{at}config.json" not in there:
        return []
    wanted = {MODULES, "1_Pooling/config.json", *(f"{at}{n}" for n in (*_DESCRIPTIONS, first))}
    shards = set()
    if first.endswith(_INDEX):  # pytorch_model.bin.index.json: pytorch_model-00001-of-00002.bin ...
        stem, _, suffix = first.removesuffix(_INDEX).rpartition(".")
        shards = {name for name in there if fnmatch(name, f"{escape(at + stem)}-*.{suffix}")}
    return sorted(wanted & there | shards)


def _not_fetched(name: str, asked: str, error: Exception) -> VidsimError:
    return VidsimError(
        f"{asked} {name}: no such folder here, and the Hugging Face Hub did not give it: "
        f"{_reason(name, error)}; you can put config.json, one of {_weights_in_words()}, and "
        f"tokenizer.json or vocab.txt into a folder and name it by {asked}"
    )


def _reason(name: str, error: Exception) -> str:
    from huggingface_hub import constants, errors

    repository, _, revision = name.partition("@")
    if isinstance(error, errors.OfflineModeIsEnabled):
        return f"HF_HUB_OFFLINE is set, and {constants.HF_HUB_CACHE} does not have it whole"
    if isinstance(error, errors.GatedRepoError):  # before RepositoryNotFoundError, its parent
        page = f"{constants.ENDPOINT}/{repository}"
        return f"it is gated; agree to its terms at {page} and log in with `hf auth login`"
    if isinstance(error, errors.RepositoryNotFoundError):
        return "there is no such repository, or it is private and wants `hf auth login`"
    if isinstance(error, errors.RevisionNotFoundError):
        return f"the repository has no revision {revision}"
    if isinstance(error, errors.HFValidationError):
        return "names there are of the form owner/name"
    return f"{type(error).__name__}: {(str(error).strip().splitlines() or [''])[0]}{_proxies()}"


def _proxies() -> str:
    """The proxies that the environment names, which may be why nothing was reached."""
    named = []
    for variable, address in sorted(os.environ.items()):
        if variable.lower() in ("https_proxy", "http_proxy", "all_proxy") and address:
            _, at, host = address.rpartition("@")  # before it are a name and a password
            scheme = address.partition("://")[0] + "://" if at and "://" in address else ""
            named.append(f"{variable}={scheme}{host}")
    return f" (asked through the proxy of {' and '.join(named)})" if named else ""


def _weights_in_words() -> str:
    return ", ".join(name for name in ACCEPTED if not name.endswith(_INDEX))
