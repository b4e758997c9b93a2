"""From a merge's file to a model folder, through the children of earlier merges where the file holds several."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Sequence
from pathlib import Path

from evomerge_core.errors import InputError
from evomerge_core.files.full_disk import SPARE_BYTES, full_disk, is_full
from evomerge_core.files.yaml_file import YamlFile, read_documents
from evomerge_core.fixed_merge.child_tokenizer import with_child_tokenizer
from evomerge_core.fixed_merge.fixed_merge import open_fixed, write_fixed
from evomerge_core.fixed_merge.merge_file import fixed_in
from evomerge_core.fixed_merge.mergekit import in_plain_words
from evomerge_core.fixed_merge.named_merges import NamedMerge, order_merges, with_children
from evomerge_core.merging.config import MergeConfig
from evomerge_core.merging.model_folder.folder import require_free, unwritable
from evomerge_core.methods.registry import method_names

_HOP = re.compile(r"path\[([0-9]+)\]")


def merge_from_file(path: Path, out: Path, *, allow_pickle: bool = False) -> tuple[str, ...]:
    """Merges what `path` describes into the folder `out`, which is new or empty; models' paths start at the file's folder.

    Returns lines about what the file says that has no effect. The children of a file's earlier merges lie beside `out` until
    the last is written. InputError in one line when anything is wrong.
    """
    require_free(out)
    first, *others = read_documents(path)
    if not others:
        return _merge(first, out, allow_pickle)
    merges = order_merges((first, *others))
    for merge in merges:
        # What is wrong in the last merge's words is told before the first one is carried out.
        fixed_in(merge.file)
    try:
        # Windows can't remove files that are still mapped.
        place = _made(out.absolute().parent)
        with tempfile.TemporaryDirectory(prefix=f".{out.name}.", dir=place, ignore_cleanup_errors=True) as folder:
            return _merge_all(merges, Path(folder), out, allow_pickle)
    except OSError as error:
        if is_full(error):
            raise full_disk(out, SPARE_BYTES, then="try again or give another folder") from error
        reason = unwritable(error)
        if reason is None:
            raise
        raise InputError(reason, where=out, remedy="give another folder") from None


def _merge_all(merges: Sequence[NamedMerge], between: Path, out: Path, allow_pickle: bool) -> tuple[str, ...]:
    notices: list[str] = []
    children: dict[str, str] = {}
    for merge in merges:
        folder = out if merge.name is None else between / merge.name
        notices += _merge(with_children(merge.file, children), folder, allow_pickle)
        if merge.name is not None:
            children[merge.name] = str(folder)
    return tuple(notices)


def _merge(file: YamlFile, out: Path, allow_pickle: bool) -> tuple[str, ...]:
    read = fixed_in(file)
    fixed = read.fixed
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        if isinstance(fixed, MergeConfig):
            place = Path(folder).resolve()
            fixed = with_child_tokenizer(fixed, place, file=file.path, allow_pickle=allow_pickle)
        try:
            sources = open_fixed(fixed, relative_to=file.path.parent, allow_pickle=allow_pickle)
            write_fixed(out, fixed, sources, read.text, read.name)
        except InputError as error:
            raise _placed(error, file) from error
    return read.notices


def _placed(error: InputError, file: YamlFile) -> InputError:
    """What is wrong with the words of the merge's file, with the file's name; any other error as it is."""
    hop = _HOP.fullmatch(error.where)
    if hop and "slices" in in_plain_words(file).data:
        return _at_slice(error, in_plain_words(file), int(hop[1]))
    words = ("", "chat_template", *method_names())
    return error.within(file.path) if hop or error.where in words else error


def _at_slice(error: InputError, file: YamlFile, hop: int) -> InputError:
    """The error for a layer of a path, at the slice that the layer is from."""
    for number in range(len(file.data["slices"])):
        place = ("slices", number, "sources", 0, "layer_range")
        first, stop = file.value(place)
        hop -= stop - first
        if hop < 0:
            return file.key_error(place, f"names {error.problem}", error.remedy)
    raise AssertionError("every layer of the path is from a slice")


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder
