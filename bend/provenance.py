"""Notes inside pictures and films on how they were made: command, network and its hash, seeds and settings.

A note is a JSON object under the key `bend`: a text chunk in PNG and APNG, a comment in JPEG and GIF, the EXIF
description in WebP, the comment tag of an MP4. It holds the command line and everything that decides the pixels
(`bend.work` gathers it), but not where the file was written: the same work gives the same bytes in any folder, and only
paths that were typed are recorded. Each writer embeds the note in its own way (`picture`, `animation`, `video`); this
module reads all of them.
"""

import dataclasses
import hashlib
import json
import struct
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from bend import __version__
from bend.media import media_url
from stylegan.run_names import readings

if TYPE_CHECKING:
    from torch import nn

__all__ = [
    "EXIF_DESCRIPTION",
    "KEY",
    "Provenance",
    "png_is_whole",
    "read_provenance",
    "weights_sha256",
    "workplace",
]

KEY = "bend"
EXIF_DESCRIPTION = 0x010E  # the tag number of ImageDescription
_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Provenance:
    """How a picture was made.

    Attributes:
        work: everything that decides the pixels, as JSON values: kind, seeds, settings, and the seed or frame.
        network: the name of the network as it was given.
        network_sha256: of the generator's weights, see `weights_sha256`.
        command: the command line without the output; None if it was made from Python.
        version: of bend.
    """

    work: Mapping[str, Any]
    network: str
    network_sha256: str
    command: str | None = None
    version: str = __version__

    def about(self, **details: Any) -> "Provenance":
        """The note of one part of the work, such as a seed or a frame."""
        return dataclasses.replace(self, work={**self.work, **details})

    @property
    def paths(self) -> list[str]:
        """The networks and files that it was made from, by the names that were typed; those known by name left out."""
        from stylegan.checkpoint.known import KNOWN
        from stylegan.checkpoint.load import EMBEDDED

        inputs = self.work.get("inputs")
        named = [self.network, *(inputs if isinstance(inputs, dict) else ())]
        return [name for name in dict.fromkeys(named) if name and name not in EMBEDDED | KNOWN]

    def same_work(self, other: "Provenance | None") -> bool:
        """Whether the pixels must be the same, whatever the command lines were."""
        return other is not None and self._decisive() == other._decisive()

    def to_json(self) -> str:
        """One line of ASCII JSON, keys sorted."""
        record = {
            KEY: self.version,
            "command": self.command,
            "network": self.network,
            "network_sha256": self.network_sha256,
            "work": self.work,
        }
        return json.dumps(record, sort_keys=True, separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> Self | None:
        """Read a note; None if the text is not a note."""
        try:
            record = json.loads(text)
            if not isinstance(record["command"], str | None):
                return None
            return cls(
                version=str(record[KEY]),
                command=record["command"],
                network=str(record["network"]),
                network_sha256=str(record["network_sha256"]),
                work=dict(record["work"]),
            )
        except (ValueError, TypeError, KeyError, RecursionError):
            return None

    def _decisive(self) -> str:
        return json.dumps([self.version, self.network_sha256, self.work], sort_keys=True)


def weights_sha256(network: "nn.Module") -> str:
    """A hash of the weights and buffers by name, whatever file format they came from."""
    digest = hashlib.sha256()
    for name, tensor in sorted(network.state_dict().items()):
        digest.update(f"{name} {tuple(tensor.shape)}\n".encode())
        digest.update(tensor.detach().float().cpu().contiguous().numpy().data)
    return digest.hexdigest()


def read_provenance(path: str | Path) -> Provenance | None:
    """The note inside a picture or film; None if there is none.

    Raises:
        OSError: the file cannot be read.
    """
    path = Path(path)
    with path.open("rb") as file:
        is_png = file.read(len(_PNG_SIGNATURE)) == _PNG_SIGNATURE
    if is_png:
        note = next((text for kind, text in _png_chunks(path) if kind == b"tEXt" and _is_note(text)), b"")
        return Provenance.from_json(note.partition(b"\0")[2].decode("latin-1"))
    if path.suffix.lower() in (".mp4", ".m4v", ".mov"):
        return Provenance.from_json(_film_comment(path))
    return Provenance.from_json(_picture_comment(path))


def workplace(picture: Path, note: Provenance) -> Path:
    """The folder that relative paths of the note start from: the current one, or the nearest above with more of them.

    A recipe runs in a folder of its own, to which the paths in its pictures are relative, wherever below it they lie.
    """
    names = [name for name in note.paths if not Path(name).is_absolute()]
    folders = [Path(), *picture.absolute().parents]
    return max(folders, key=lambda folder: sum(_is_there(folder, name) for name in names))


def _is_there(folder: Path, name: str) -> bool:
    return any((folder / path).exists() for path, _ in readings(name))


def png_is_whole(path: Path) -> bool:
    """Whether a PNG has all its chunks, to the end marker; its pixels are not decoded."""
    return any(kind == b"IEND" for kind, _ in _png_chunks(path))


def _png_chunks(path: Path) -> Iterator[tuple[bytes, bytes]]:
    """The type of each chunk, and the data of text chunks; ends where the file is cut off, or is not a PNG."""
    with path.open("rb") as file:
        if file.read(len(_PNG_SIGNATURE)) != _PNG_SIGNATURE:
            return
        while len(head := file.read(8)) == 8:
            length, kind = struct.unpack(">I4s", head)
            data = file.read(length) if kind == b"tEXt" else b""
            file.seek(length - len(data), 1)
            if len(file.read(4)) < 4:  # the checksum, past which a cut file cannot reach
                return
            yield kind, data


def _is_note(text: bytes) -> bool:
    return text.startswith(KEY.encode() + b"\0")


def _film_comment(path: Path) -> str:
    import av

    try:
        with av.open(media_url(path)) as container:
            return str(container.metadata.get("comment", ""))
    except av.error.FFmpegError:
        return ""


def _picture_comment(path: Path) -> str:
    from PIL import Image

    from stylegan.archive.picture import DECODER_ERRORS

    try:
        with warnings.catch_warnings(action="ignore"), Image.open(path) as image:
            comment = image.info.get("comment") or image.getexif().get(EXIF_DESCRIPTION, "")
    except Image.DecompressionBombError:
        return ""
    except DECODER_ERRORS as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise  # the disk's fault, not the picture's
        return ""
    return comment.decode("ascii", "replace") if isinstance(comment, bytes) else str(comment)
