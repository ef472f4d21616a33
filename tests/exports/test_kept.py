"""Whether received bytes are whole, told from the bytes."""

import io
import zipfile

import pytest

from maestro_analytics import files
from maestro_analytics.exports.ledger import file_damage, file_ending

TEXT = b"gradable_id,comment\n" + b"1,fine\n" * 2_000


def zipped(method=zipfile.ZIP_DEFLATED, **members):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return buffer.getvalue()


@pytest.fixture
def file(tmp_path):
    def write(content):
        (tmp_path / "x.part").write_bytes(content)
        return tmp_path / "x.part"

    return write


@pytest.mark.parametrize(
    ("content", "expected"),
    [(TEXT, ".csv"), (zipped(a=TEXT), ".zip"), (zipped(), ".zip"), (b"", ".csv"), (b"\xef\xbb\xbfa,b\n", ".csv")],
    ids=["csv", "zip", "empty zip", "nothing", "csv with a BOM"],
)
def test_whole_files_are_whole_and_named_by_their_first_bytes(file, content, expected):
    assert "" == file_damage(file(content))
    assert expected == file_ending(file(content))


@pytest.mark.parametrize("left", [5, 20, 60, -1, -10, -30])
def test_a_zip_that_breaks_off_anywhere_is_damaged(file, left):
    assert "zip is damaged" in file_damage(file(zipped(a=TEXT, b=TEXT)[:left]))


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_zip_with_one_wrong_byte_in_a_member_is_damaged(file, method):
    content = bytearray(zipped(method, a=TEXT))
    content[60] ^= 0xFF

    assert "zip is damaged" in file_damage(file(bytes(content)))


def test_a_zip_with_a_name_that_is_not_utf8_is_kept_for_the_reader_to_refuse(file):
    content = bytearray(zipped(aa=TEXT).replace(b"aa", b"\xff\xfe"))
    for at in (6, content.index(b"PK\x01\x02") + 8):
        content[at + 1] |= 0x08

    assert "" == file_damage(file(bytes(content)))


@pytest.mark.parametrize(
    "page", [b"<html>sign in</html>", b"\n <?xml version='1.0'?><Error/>", b"\xef\xbb\xbf<!doctype html>"]
)
def test_an_html_page_is_damage(file, page):
    assert "HTML or XML" in file_damage(file(page))


def test_the_checksum_of_a_zip_bomb_is_not_checked(file, monkeypatch):
    """3 MB of zeros in 3 kB, with the bound set lower: the reader refuses it, with the file kept."""
    monkeypatch.setattr(files, "RATIO_MATTERS_FROM", 1 << 20)
    with zipfile.ZipFile(bomb := io.BytesIO(), "w", zipfile.ZIP_DEFLATED) as archive, archive.open("a", "w") as member:
        for _ in range(3):
            member.write(bytes(1_000_000))
    content = bytearray(bomb.getvalue())
    content[200] ^= 0xFF

    assert "" == file_damage(file(bytes(content)))
