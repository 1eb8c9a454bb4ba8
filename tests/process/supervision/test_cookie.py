"""Where a cookie may come from, and which cookies are refused with one line."""

from pathlib import Path

import pytest

from continuum_supervision.errors import CookieUnusable
from continuum_supervision.transport.cookie import COOKIE_VARIABLE, find_cookie, random_cookie

SECRET = "0123456789abcdef" * 4


def written(path: Path, content: str = SECRET, *, mode: int = 0o600) -> Path:
    path.write_text(content)
    path.chmod(mode)
    return path


def test_a_private_file_is_read_without_its_line_ending(tmp_path: Path) -> None:
    assert find_cookie(written(tmp_path / "cookie", SECRET + "\n"), {}) == SECRET.encode()


def test_the_environment_is_used_if_no_file_is_given() -> None:
    assert find_cookie(None, {COOKIE_VARIABLE: SECRET}) == SECRET.encode()


def test_there_is_no_cookie_without_file_and_environment() -> None:
    assert find_cookie(None, {}) is None


def test_each_random_cookie_is_different() -> None:
    assert len({random_cookie() for _ in range(10)}) == 10


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o700, 0o602])
def test_a_file_that_others_can_access_is_refused(tmp_path: Path, mode: int) -> None:
    with pytest.raises(CookieUnusable, match=f"has mode {mode:04o}: run `chmod 600"):
        find_cookie(written(tmp_path / "cookie", mode=mode), {})


def test_a_short_cookie_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CookieUnusable, match="holds 5 bytes, a cookie has 32 to"):
        find_cookie(written(tmp_path / "cookie", "short"), {})


def test_a_missing_file_is_refused_with_the_command_that_makes_one(tmp_path: Path) -> None:
    with pytest.raises(CookieUnusable, match="openssl rand -hex 32"):
        find_cookie(tmp_path / "absent", {})


def test_a_directory_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CookieUnusable, match="is not a regular file"):
        find_cookie(tmp_path, {})
