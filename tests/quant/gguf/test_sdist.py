"""The converter comes out of llama-cpp-python's source package: nothing else does, and nothing that was tampered with."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Mapping
from pathlib import Path

import pytest

from evomerge_core.errors import InputError
from evomerge_quant.gguf.convert.converter import find_converter
from evomerge_quant.gguf.convert.fetch_converter import fetch_converter, unpack

ROOT = "llama_cpp_python-9.9.9"
INSIDE = f"{ROOT}/vendor/llama.cpp"
GOOD = {
    f"{ROOT}/PKG-INFO": "Metadata-Version: 2.1\nName: llama-cpp-python\nVersion: 9.9.9\n",
    f"{ROOT}/pyproject.toml": '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n',
    f"{ROOT}/backend.py": (
        "import pathlib\n"
        "def prepare_metadata_for_build_wheel(folder, config_settings=None):\n"
        "    info = pathlib.Path(folder, 'llama_cpp_python-9.9.9.dist-info')\n"
        "    info.mkdir()\n"
        "    text = 'Metadata-Version: 2.1\\nName: llama-cpp-python\\nVersion: 9.9.9\\n'\n"
        "    (info / 'METADATA').write_text(text)\n"
        "    (info / 'WHEEL').write_text('Wheel-Version: 1.0\\nTag: py3-none-any\\n')\n"
        "    return info.name\n"
    ),
    f"{INSIDE}/convert_hf_to_gguf.py": "print('converted')\n",
    f"{INSIDE}/conversion/base.py": "",
    f"{INSIDE}/gguf-py/gguf/__init__.py": "",
    f"{INSIDE}/src/llama.cpp": "int main() {}\n",
}


def archive(
    place: Path, files: Mapping[str, str], name: str = "llama_cpp_python-9.9.9.tar.gz", link: str | None = None
) -> Path:
    place.mkdir(parents=True, exist_ok=True)
    with tarfile.open(place / name, "w:gz") as tar:
        for path, text in files.items():
            member = tarfile.TarInfo(path)
            member.size = len(text.encode())
            tar.addfile(member, io.BytesIO(text.encode()))
        if link is not None:
            member = tarfile.TarInfo(f"{INSIDE}/conversion/{link}")
            member.type, member.linkname = tarfile.SYMTYPE, "/etc/passwd"
            tar.addfile(member)
    return place / name


def names(folder: Path) -> set[str]:
    return {file.relative_to(folder).as_posix() for file in folder.rglob("*") if file.is_file()}


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """pip finds packages in one folder, and nowhere else."""
    for name in ("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_FIND_LINKS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "index"))
    (tmp_path / "index").mkdir()
    return tmp_path / "index"


def test_pip_fetches_the_version_and_only_the_converter_is_kept(offline: Path, tmp_path: Path) -> None:
    archive(offline, GOOD)
    fetch_converter("9.9.9", tmp_path / "cache" / "9.9.9")
    assert names(tmp_path / "cache" / "9.9.9") == {"convert_hf_to_gguf.py", "conversion/base.py", "gguf-py/gguf/__init__.py"}
    assert [path.name for path in (tmp_path / "cache").iterdir()] == ["9.9.9"]


def test_another_file_under_a_known_version_is_refused_before_its_code_runs(offline: Path, tmp_path: Path) -> None:
    ran = tmp_path / "ran"
    spoilt = {path.replace("9.9.9", "0.3.36"): text.replace("9.9.9", "0.3.36") for path, text in GOOD.items()}
    backend = "llama_cpp_python-0.3.36/backend.py"
    spoilt[backend] = f"open({str(ran)!r}, 'w')\n" + spoilt[backend]
    archive(offline, spoilt, "llama_cpp_python-0.3.36.tar.gz")
    with pytest.raises(InputError, match="sha256"):
        fetch_converter("0.3.36", tmp_path / "cache" / "0.3.36")
    assert list((tmp_path / "cache").iterdir()) == []
    assert not ran.exists()


def test_no_network_and_no_cache_is_one_line_with_the_remedy(
    offline: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PIP_NO_INDEX")
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    with pytest.raises(InputError, match="--converter DIR") as told:
        find_converter(cache=tmp_path / "cache")
    assert "\n" not in str(told.value)
    assert "can't be reached" in str(told.value)
    assert list((tmp_path / "cache" / "llama.cpp").iterdir()) == []
    assert list(offline.iterdir()) == []


@pytest.mark.parametrize("path", [f"{INSIDE}/conversion/../../../../evil.py", f"{INSIDE}/gguf-py/..\\evil.py"])
def test_a_path_that_leads_outside_is_refused(path: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="outside"):
        unpack(archive(tmp_path / "a", {**GOOD, path: "evil"}), tmp_path / "b" / "c")
    assert not list(tmp_path.rglob("evil.py"))


def test_a_link_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="link"):
        unpack(archive(tmp_path, GOOD, link="passwd"), tmp_path / "out")


def test_a_damaged_archive_is_refused(tmp_path: Path) -> None:
    path = archive(tmp_path, GOOD)
    path.write_bytes(path.read_bytes()[:-50])
    with pytest.raises(InputError, match="damaged"):
        unpack(path, tmp_path / "out")


def test_a_named_folder_without_a_converter_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"convert_hf_to_gguf\.py"):
        find_converter(tmp_path)


def test_a_named_folder_is_taken_with_no_question(tmp_path: Path) -> None:
    unpack(archive(tmp_path / "a", GOOD), tmp_path / "llama.cpp")
    assert find_converter(tmp_path / "llama.cpp") == tmp_path / "llama.cpp"
    assert find_converter(tmp_path / "llama.cpp" / "convert_hf_to_gguf.py") == tmp_path / "llama.cpp"


def test_a_build_without_the_compiled_library_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLAMA_CPP_LIB_PATH", str(tmp_path))
    with pytest.raises(InputError, match=r"lacks the compiled llama\.cpp library"):
        find_converter(cache=tmp_path)
