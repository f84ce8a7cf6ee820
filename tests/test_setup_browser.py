"""The browser for the tests: the system's own goes first, and set-up never fails for want of one."""

import subprocess

import pytest

from host_tools.setup import browser, debian


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setattr(browser, "FOLDER", tmp_path / "browser")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    (tmp_path / "bin").mkdir()
    return tmp_path


def program(path, text="#!/bin/sh\n"):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)
    return path


def test_the_systems_browser_goes_before_the_unpacked_one(folder):
    assert browser.find() is None
    own = program(folder / "browser" / "bin" / "chromium")
    assert browser.find() == own
    system = program(folder / "bin" / "chromium-browser")
    own.unlink()
    assert browser.find() == system


def test_set_up_goes_on_without_one(folder, monkeypatch, capsys):
    def unpack(*_):
        raise debian.Unavailable("this machine has no apt")

    monkeypatch.setattr(debian, "native_architecture", unpack)
    assert browser.main() == 0
    said = capsys.readouterr().out
    assert "this machine has no apt" in said and "browser: none" in said


def test_one_that_shows_no_page_is_not_used(folder, monkeypatch):
    def unpack(_packages, _archives, _architecture, tree):
        program(tree / "usr/lib/chromium/chromium-headless-shell", "#!/bin/sh\necho no such library >&2\n")
        for name in ("libLLVM-15.so.1", "libc.so.6", "libnss3.so"):
            program(tree / "usr/lib/some" / name)

    for name, stand_in in (("unpack", unpack), ("own_archives", list), ("native_architecture", str)):
        monkeypatch.setattr(debian, name, stand_in)
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    monkeypatch.setattr(browser, "PROGRAMS", ("chromium",))
    with pytest.raises(debian.Unavailable, match="no such library"):
        browser._unpack()
    assert not (folder / "browser/bin/chromium").exists()
    # The machine's own C library is used, and what draws on a graphics card is not there.
    assert [path.name for path in (folder / "browser/tree/usr/lib/some").iterdir()] == ["libnss3.so"]


def test_the_launcher_names_the_libraries_beside_it(folder):
    tree = folder / "browser/tree"
    program(tree / "usr/lib/some/libnss3.so")
    program(tree / "usr/lib/chromium/chromium-headless-shell", '#!/bin/sh\necho "$LD_LIBRARY_PATH $*"\n')
    launcher = folder / "browser/bin/chromium"
    browser._write_launcher(tree, launcher)
    done = subprocess.run(
        [launcher, "--x"], capture_output=True, text=True, check=True, env={"PATH": "/usr/bin:/bin"}
    )
    assert done.stdout == f"{tree}/usr/lib/some --x\n"
