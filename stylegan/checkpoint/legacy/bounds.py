"""How much a stranger's pickle may ask for, and the error that refuses more.

One `Meter` follows a file through every reader, so that a thousand small pickles inside a large one share its
allowance. The bounds lie several times above the largest known networks. Together they limit the reading of any file to
a few seconds, and to a few hundred megabytes besides its weights.
"""

import dataclasses

__all__ = ["DAMAGED", "MAX_INLINE_BYTES", "Meter", "RefusedError", "shown"]

DAMAGED = "damaged or forged, fetch it again"
"""The mend of a file whose content contradicts itself, for the end of a refusal."""
MAX_INLINE_BYTES = 128
"""Longer text and bytes are remembered only by where they lie: no name is that long, and no storage that short."""
_MAX_OPCODES = 1_000_000
_MAX_TEXT_BYTES = 64 << 20


class RefusedError(Exception):
    """Why a file is refused and what to do, in one line without the file's name; never leaves this package."""


@dataclasses.dataclass(slots=True, kw_only=True)
class Meter:
    """What is left of a file's allowance."""

    opcodes: int = _MAX_OPCODES
    """Pickle instructions, those of pickles within pickles included."""
    text_bytes: int = _MAX_TEXT_BYTES
    """Bytes of short strings."""
    weight_bytes: int = 4 << 30
    """Bytes that tensors may take in memory, together."""
    decoded_bytes: int = 0
    """Bytes of text that stands for binary data, as protocol 2 stores it; a file may spend a few times its size."""

    def take_opcode(self) -> None:
        """Count one instruction.

        Raises:
            RefusedError: one too many.
        """
        self.opcodes -= 1
        if self.opcodes < 0:
            raise RefusedError(
                f"has more than {_MAX_OPCODES} pickle instructions, far beyond a network's; refused"
            )

    def take_text(self, num_bytes: int) -> None:
        """Count a string that is kept.

        Raises:
            RefusedError: too much text in all.
        """
        self.text_bytes -= num_bytes
        if self.text_bytes < 0:
            raise RefusedError(
                f"has more than {_MAX_TEXT_BYTES >> 20} MiB of names, far beyond a network's; refused"
            )

    def take_weights(self, num_bytes: int) -> None:
        """Count a tensor that is about to be read.

        Raises:
            RefusedError: too many bytes in all.
        """
        self.weight_bytes -= num_bytes
        if self.weight_bytes < 0:
            raise RefusedError("asks for more memory than the budget for weights; refused")

    def take_decoding(self, num_bytes: int) -> None:
        """Count text that is about to be decoded to binary data.

        Raises:
            RefusedError: the same text again and again.
        """
        self.decoded_bytes -= num_bytes
        if self.decoded_bytes < 0:
            raise RefusedError("decodes the same text over and over, which no network does; refused")


def shown(text: str, limit: int = 80) -> str:
    """A name from the file, fit for a terminal: quoted, non-ASCII and control characters escaped, cut."""
    return ascii(text if len(text) <= limit else f"{text[:limit]}...")
