"""The project names neither the machine it was written on nor the hosts it was installed from."""

from tests.house.sources import ROOT, tracked_files

# Built here, so that this file does not hold them.
HOSTS = [
    f"{name}.{end}" for name, end in (("pypi", "org"), ("pythonhosted", "org"), ("npmjs", "org"), ("deb", "debian"))
]
PLACES = ["/" + name for name in ("work/main", "work/shared", "work/.library", "opt/pypi", "opt/wheels")]
SHARED = ".." + "/shared"
MAY_LOOK_FOR_RECORDINGS = ("tests/", "README.md", "docs/")


def test_no_file_names_a_registry_or_a_place_on_the_machine_it_was_written_on() -> None:
    broken = [f"{path}: {word}" for path, text in _texts() for word in HOSTS + PLACES if word in text]
    assert not broken


def test_the_lock_names_versions_and_hashes_and_no_host() -> None:
    assert "://" not in (ROOT / "requirements.lock").read_text()


def test_only_tests_and_documents_look_for_the_recorded_quotes() -> None:
    broken = [path for path, text in _texts() if SHARED in text and not path.startswith(MAY_LOOK_FOR_RECORDINGS)]
    assert not broken


def _texts() -> list[tuple[str, str]]:
    return [(str(path.relative_to(ROOT)), path.read_text(errors="ignore")) for path in tracked_files()]
