"""Whether everything that this project needs may be used by those who install it: licences as installed, offline.

Walks the requirements of `bend-gan`, extras included, as far as they are installed, and reads what each distribution
says of its own licence. One that is not on the list, or says nothing, is named and the check fails.
"""

import re
import sys
from importlib import metadata

PROJECT = "bend-gan"
ALLOWED = re.compile(
    r"MIT|BSD|Apache|PSF|Python Software Foundation|ISC|MPL|Mozilla|HPND|Historical Permission|Unlicense|CC0|Zlib|0BSD"
    r"|Public Domain|CNRI|Python-2\.0",
    re.IGNORECASE,
)
FORBIDDEN = re.compile(r"\b(?:A?GPL|SSPL|BUSL|Non-?Commercial)\b", re.IGNORECASE)
LOOKED_AT = {  # licences that the metadata do not tell, and what a person found instead
    "nvidia": "NVIDIA's own terms, which allow redistribution with an application; only where CUDA is installed",
    "cuda": "the same",
    "axe": "its own text is that of MIT; the axe-core inside is under MPL-2.0; for tests only",
}


def main() -> None:
    """End with a line for each that is not allowed, if any."""
    faults = [fault for name in sorted(needed(PROJECT)) if (fault := fault_of(name))]
    mend = f"replace it, or look at its licence and add it to {__file__}"
    if faults:
        sys.exit("\n".join(f"Error: {fault}; {mend}" for fault in faults))


def needed(project: str) -> set[str]:
    """The names of all installed distributions that a project needs, extras included."""
    found: set[str] = set()
    left = [project]
    while left:
        for line in metadata.requires(left.pop()) or ():
            name = re.match(r"[A-Za-z0-9._-]+", line)
            key = name[0].lower().replace("_", "-") if name else ""
            if key and key not in found and is_installed(key):
                found.add(key)
                left.append(key)
    return found


def is_installed(name: str) -> bool:
    """Whether a distribution is there."""
    try:
        metadata.distribution(name)
    except metadata.PackageNotFoundError:
        return False
    return True


def fault_of(name: str) -> str | None:
    """What is wrong with a distribution's licence, None if nothing is."""
    if name.partition("-")[0] in LOOKED_AT:
        return None
    facts = metadata.metadata(name)
    classifiers = [line for line in facts.get_all("Classifier") or () if line.startswith("License ::")]
    said = [facts.get("License-Expression") or "", (facts.get("License") or "")[:200], *classifiers]
    text = "; ".join(filter(None, said))
    if not text:
        return f"{name}: says nothing of its licence"
    if FORBIDDEN.search(text) and not ALLOWED.search(text):
        return f"{name}: {text}"
    return None if ALLOWED.search(text) else f"{name}: {text} is not on the list"


if __name__ == "__main__":
    main()
