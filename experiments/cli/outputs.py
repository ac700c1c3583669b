"""Files that a command writes for its user: new ones only, and refused before the work begins."""

from __future__ import annotations

from pathlib import Path
from tempfile import NamedTemporaryFile

from metalocus.agents.ppo.files import write_atomically
from metalocus.experiments.errors import WrongUse


def require_new(file: Path, option: str) -> None:
    """Check that a file is not there yet and can be written; nothing is left behind.

    Args:
        file: to be written later; its folder need not exist.
        option: of the command line that named it, for the message.

    Raises:
        WrongUse: it exists or cannot be written.
    """
    try:
        if file.is_symlink() or file.exists():
            raise WrongUse(f"{file} exists; give {option} another name or remove it")
        folder = next(each for each in file.absolute().parents if each.exists())
        with NamedTemporaryFile(dir=folder, prefix=f".{file.name}.", suffix=".tmp") as trial:
            trial.write(bytes(4096))  # an empty file would fit on a full disk
    except OSError as error:
        raise WrongUse(f"cannot write {file} ({error.strerror}); give {option} another") from None


def write_page(file: Path, page: str) -> None:
    """Write a page of text whole or not at all."""
    write_atomically(file, page.encode())


def read_text(file: Path, option: str) -> str:
    """The text of a file that a user names.

    Raises:
        WrongUse: it cannot be read, or is no text.
    """
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is no text"
        raise WrongUse(f"cannot read {file} ({reason}); give {option} another") from None
