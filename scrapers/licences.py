"""Licence statements of every shape turned into one id and one family, failing closed.

Services state a licence as a URL (with or without a deed page, a port, a wrong scheme), as a short code (`by-sa`,
`CC BY-SA 4.0`, `CC_BY_4_0`) or as words. The URL is read first, since it is what the creator's licence notice
points to; the code counts where the URL says nothing. What neither explains is `unknown`, which nobody accepts by
default. Ids follow SPDX (`CC-BY-SA-4.0`, `CC0-1.0`, `CC-PDM-1.0`); what SPDX does not name is a `LicenseRef-`.

Whether a licence fits a person's purpose is theirs to judge; this module only reads what was stated.
"""

import re
from dataclasses import dataclass

__all__ = [
    "ANY",
    "DEFAULT_ACCEPTED",
    "FAMILIES",
    "UNKNOWN",
    "Licence",
    "family_of",
    "is_no_derivatives",
    "is_non_commercial",
    "normalise",
    "parse_accepted",
]

ANY = "any"
UNKNOWN = "unknown"
DEFAULT_ACCEPTED = ("cc0", "pdm", "by", "by-sa")

# family -> what it means, in the order in which help and docs show them
FAMILIES = {
    "cc0": "CC0, rights waived",
    "pdm": "public domain, by the mark or by age",
    "by": "Creative Commons Attribution",
    "by-sa": "Creative Commons Attribution-ShareAlike",
    "by-nc": "Creative Commons Attribution-NonCommercial",
    "by-nd": "Creative Commons Attribution-NoDerivatives",
    "by-nc-sa": "Creative Commons Attribution-NonCommercial-ShareAlike",
    "by-nc-nd": "Creative Commons Attribution-NonCommercial-NoDerivatives",
    "us-gov": "work of the United States government",
    "nkcr": "no known copyright restrictions",
    "pixabay": "Pixabay Content License",
    UNKNOWN: "no licence stated, or one that is not recognised",
}

_FIXED_IDS = {
    "us-gov": "LicenseRef-US-Government",
    "nkcr": "LicenseRef-No-Known-Restrictions",
    "pixabay": "LicenseRef-Pixabay",
    "pdm": "LicenseRef-Public-Domain",
    UNKNOWN: UNKNOWN,
}
_FIXED_URLS = {
    "us-gov": "https://www.usa.gov/government-copyright",
    "nkcr": "https://www.flickr.com/commons/usage/",
    "pixabay": "https://pixabay.com/service/license-summary/",
}
_FAMILY_OF_ID = {identifier: family for family, identifier in _FIXED_IDS.items()} | {
    "CC0-1.0": "cc0",
    "CC-PDM-1.0": "pdm",
}

_URL = re.compile(
    r"(?:https?:)?//(?:www\.)?creativecommons\.org/"
    r"(?P<kind>licenses|publicdomain)/(?P<code>[a-z-]+)(?:/(?P<version>\d\.\d))?(?:/(?P<port>[a-z]{2,5})(?=/|$))?"
)
_CODE = re.compile(
    r"(?:cc )?(?P<parts>by(?: (?:nc|nd|sa))*)(?: (?P<version>\d\.\d))?(?: (?P<port>[a-z]{2}|igo|scotland))?"
)
_OTHER_URLS = {
    "nkcr": re.compile(
        r"https?://(www\.)?(flickr\.com/commons/usage|rightsstatements\.org/(vocab|page)/nkc/)"
    ),
    "us-gov": re.compile(r"https?://(www\.)?usa\.gov/(copyright|government-works|government-copyright)"),
    "pixabay": re.compile(r"https?://(www\.)?pixabay\.com/(service/(license|terms)|\w\w/service/license)"),
}
_LONG_WORDS = {
    "attribution": "by",
    "noncommercial": "nc",
    "sharealike": "sa",
    "noderivatives": "nd",
    "noderivs": "nd",
    "international": "",
    "unported": "",
    "generic": "",
    "license": "",
    "licence": "",
}
_CC0_CODES = {"cc0", "cc0 1.0", "cc zero", "zero", "zero 1.0", "cc0 1.0 universal"}
_MARK_CODES = {
    "pdm",
    "pdm 1.0",
    "cc pdm 1.0",
    "cc pdm",
    "mark",
    "public domain mark",
    "public domain mark 1.0",
}
_PUBLIC_DOMAIN_CODES = {"pd", "public domain", "cc pd", "publicdomain", "license ref public domain"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Licence:
    """One licence.

    Attributes:
        id: SPDX-like, such as `CC-BY-SA-4.0`; `unknown` where nothing recognisable was stated.
        family: a key of `FAMILIES`, what `--license` chooses by.
        url: the canonical deed, None where there is none.
    """

    id: str
    family: str
    url: str | None = None

    def __post_init__(self) -> None:
        if self.family not in FAMILIES:
            raise ValueError(f"licence family {self.family!r}: not one of {', '.join(FAMILIES)}")

    @property
    def is_known(self) -> bool:
        """Whether a licence was stated and recognised."""
        return self.family != UNKNOWN


def normalise(url: str | None, code: str | None = None, version: str | None = None) -> Licence:
    """Read a licence from its URL, or else from its short code; `unknown` where neither is recognised.

    Args:
        url: the licence's address as the service gave it.
        code: a short code or name (`by-sa`, `CC BY-SA 4.0`, `Public domain`).
        version: the version where it comes apart from the code (`4.0`).
    """
    return _from_url(url or "") or _from_code(code or "", version) or _fixed(UNKNOWN)


def family_of(identifier: str) -> str:
    """The family of a normalised id; `unknown` for an id that is not one of ours."""
    if identifier in _FAMILY_OF_ID:
        return _FAMILY_OF_ID[identifier]
    match = re.fullmatch(r"CC-(BY(?:-(?:NC|SA|ND))*)(?:-\d\.\d(?:-[A-Z]+)?)?", identifier)
    family = match[1].lower() if match else UNKNOWN
    return family if family in FAMILIES else UNKNOWN


def is_non_commercial(identifier: str) -> bool:
    """Whether the licence forbids commercial use."""
    return "-nc" in family_of(identifier)


def is_no_derivatives(identifier: str) -> bool:
    """Whether the licence forbids sharing adaptations; a broken picture, and a network trained on it, may be one."""
    return family_of(identifier).endswith("-nd")


def parse_accepted(text: str) -> tuple[str, ...]:
    """Read what `--license` was given: families joined by commas, or `any`.

    Raises:
        ValueError: a name is not a licence family.
    """
    names = tuple(dict.fromkeys(name.strip().lower() for name in text.split(",") if name.strip()))
    if ANY in names:
        return tuple(FAMILIES)
    wrong = [name for name in names if name not in FAMILIES]
    if wrong or not names:
        raise ValueError(
            f"{', '.join(wrong) or 'nothing'}: not a licence; choose from {', '.join(FAMILIES)}, any"
        )
    return names


def _from_url(url: str) -> Licence | None:
    url = url.strip().lower()
    if match := _URL.match(url):
        if match["kind"] == "publicdomain":
            return {"zero": _cc0(), "mark": _mark()}.get(match["code"])
        if match["code"] == "publicdomain":  # the dedication that CC0 replaced
            return _fixed("pdm")
        return _creative_commons(match["code"].split("-"), match["version"], match["port"])
    return next((_fixed(family) for family, pattern in _OTHER_URLS.items() if pattern.match(url)), None)


def _from_code(code: str, version: str | None) -> Licence | None:
    words = re.sub(r"[\s_/()-]+", " ", code.strip().lower())
    words = re.sub(r"\b(\d) (\d)\b", r"\1.\2", words)  # CC_BY_4_0
    if words == "attribution":  # Commons' own terms, not Creative Commons'
        return None
    words = re.sub(r"^creative commons ", "cc ", words)
    for long, short in _LONG_WORDS.items():
        words = re.sub(rf"\b{long}\b", short, words)
    words = " ".join(words.replace("non commercial", "nc").replace("share alike", "sa").split())
    if words in _CC0_CODES:
        return _cc0()
    if words in _MARK_CODES:
        return _mark()
    if words in _PUBLIC_DOMAIN_CODES:
        return _fixed("pdm")
    if match := _CODE.fullmatch(words):
        return _creative_commons(match["parts"].split(), match["version"] or version, match["port"])
    return next(
        (_fixed(family) for family in ("us-gov", "nkcr", "pixabay") if words == family.replace("-", " ")),
        None,
    )


def _creative_commons(parts: list[str], version: str | None, port: str | None) -> Licence | None:
    """One of the six licences; None for a retired one (sampling, a lone nd) or an impossible mixture."""
    family = "-".join(part for part in ("by", "nc", "nd", "sa") if part in parts)
    if family not in FAMILIES or set(parts) - {"by", "nc", "nd", "sa"}:
        return None
    port = port if port and re.fullmatch(r"[a-z]{2}|igo|scotland", port) else None
    version = version if version and re.fullmatch(r"\d\.\d", version) else None
    identifier = "-".join(filter(None, ("cc", family, version, port if version else None))).upper()
    path = "/".join(filter(None, (family, version, port if version else None)))
    return Licence(id=identifier, family=family, url=f"https://creativecommons.org/licenses/{path}/")


def _cc0() -> Licence:
    return Licence(id="CC0-1.0", family="cc0", url="https://creativecommons.org/publicdomain/zero/1.0/")


def _mark() -> Licence:
    return Licence(id="CC-PDM-1.0", family="pdm", url="https://creativecommons.org/publicdomain/mark/1.0/")


def _fixed(family: str) -> Licence:
    return Licence(id=_FIXED_IDS[family], family=family, url=_FIXED_URLS.get(family))
