"""Licences of every spelling, and above all that what is not understood is unknown."""

import pytest

from scrapers.licences import (
    DEFAULT_ACCEPTED,
    FAMILIES,
    Licence,
    family_of,
    is_no_derivatives,
    is_non_commercial,
    normalise,
    parse_accepted,
)

CC = "https://creativecommons.org/"


@pytest.mark.parametrize(
    ("url", "identifier"),
    [
        (CC + "licenses/by/4.0/", "CC-BY-4.0"),
        ("http://creativecommons.org/licenses/by-sa/3.0/de/", "CC-BY-SA-3.0-DE"),
        (CC + "licenses/by-nc-nd/2.0/deed.en", "CC-BY-NC-ND-2.0"),
        (CC + "licenses/by-nd-nc/1.0/", "CC-BY-NC-ND-1.0"),
        ("//creativecommons.org/licenses/by-nc-sa/2.5/legalcode", "CC-BY-NC-SA-2.5"),
        ("https://www.creativecommons.org/licenses/BY/2.0", "CC-BY-2.0"),
        (CC + "licenses/by/3.0/igo/", "CC-BY-3.0-IGO"),
        (CC + "publicdomain/zero/1.0/", "CC0-1.0"),
        (CC + "publicdomain/mark/1.0/deed.fr", "CC-PDM-1.0"),
        (CC + "licenses/publicdomain/", "LicenseRef-Public-Domain"),
        ("https://www.flickr.com/commons/usage/", "LicenseRef-No-Known-Restrictions"),
        ("http://www.usa.gov/copyright.shtml", "LicenseRef-US-Government"),
        ("https://pixabay.com/service/license-summary/", "LicenseRef-Pixabay"),
    ],
)
def test_addresses(url: str, identifier: str) -> None:
    assert normalise(url).id == identifier
    assert normalise(url, "all rights reserved").id == identifier


@pytest.mark.parametrize(
    ("code", "identifier"),
    [
        ("by", "CC-BY"),
        ("cc-by-sa-4.0", "CC-BY-SA-4.0"),
        ("CC BY-SA 3.0", "CC-BY-SA-3.0"),
        ("CC_BY_NC_4_0", "CC-BY-NC-4.0"),
        ("CC0_1_0", "CC0-1.0"),
        ("cc-by-sa-2.0-at", "CC-BY-SA-2.0-AT"),
        ("Creative Commons Attribution-ShareAlike 4.0 International", "CC-BY-SA-4.0"),
        ("CC BY-NonCommercial-NoDerivs 2.0 Generic", "CC-BY-NC-ND-2.0"),
        ("pd", "LicenseRef-Public-Domain"),
        ("Public domain", "LicenseRef-Public-Domain"),
        ("pdm", "CC-PDM-1.0"),
        ("cc0", "CC0-1.0"),
        ("CC-BY-4.0", "CC-BY-4.0"),
        ("CC-PDM-1.0", "CC-PDM-1.0"),
    ],
)
def test_codes(code: str, identifier: str) -> None:
    assert normalise(None, code).id == identifier


@pytest.mark.parametrize(
    "code",
    [
        None,
        "",
        "GFDL",
        "Attribution",
        "all rights reserved",
        "not cc by",
        "CC BY 4.0 for non-profits",
        "by-nd-sa",
        "sampling+",
        "nc",
        "no public domain",
        "© CC BY Verlag",
    ],
)
def test_what_is_not_understood_is_unknown(code: str | None) -> None:
    assert normalise(None, code) == Licence(id="unknown", family="unknown")


@pytest.mark.parametrize(
    "path", ["licenses/sampling+/1.0/", "licenses/nd/1.0/", "publicdomain/else/", "licenses/"]
)
def test_retired_and_odd_addresses_are_unknown(path: str) -> None:
    assert normalise(CC + path).family == "unknown"


def test_the_address_counts_before_the_code() -> None:
    assert normalise(CC + "licenses/by-nc/4.0/", "cc0").id == "CC-BY-NC-4.0"
    assert normalise("https://example.org/terms", "by-sa").id == "CC-BY-SA"


@pytest.mark.parametrize(
    "url",
    [
        "https://example.org/?see=https://creativecommons.org/licenses/by/4.0/",
        "https://creativecommons.org.example/licenses/by/4.0/",
        CC + "licenses/by-sampling/1.0/",
        CC + "licenses/by-nc-sampling+/1.0/",
    ],
)
def test_what_only_looks_like_a_licences_address_is_none(url: str) -> None:
    assert normalise(url).family == "unknown"


def test_version_may_come_apart() -> None:
    assert normalise(None, "by 3.0", "2.0").id == "CC-BY-3.0"  # what the code itself says counts first
    licence = normalise(None, "by-nc", "2.0")
    assert (licence.id, licence.url) == ("CC-BY-NC-2.0", CC + "licenses/by-nc/2.0/")


@pytest.mark.parametrize("family", FAMILIES)
def test_families_lead_back_from_their_ids(family: str) -> None:
    assert family_of(normalise(None, "pd" if family == "pdm" else family).id) == family


def test_flags() -> None:
    assert is_non_commercial("CC-BY-NC-SA-4.0")
    assert is_no_derivatives("CC-BY-NC-ND-2.0")
    assert not is_non_commercial("CC-BY-4.0")
    assert not is_no_derivatives("nonsense-nd")


def test_accepted() -> None:
    assert parse_accepted(" BY, cc0 ,by") == ("by", "cc0")
    assert set(parse_accepted("any")) == set(FAMILIES)
    assert set(DEFAULT_ACCEPTED) == {"cc0", "pdm", "by", "by-sa"}
    with pytest.raises(ValueError, match="gpl: not a licence; choose from cc0, "):
        parse_accepted("by,gpl")
    with pytest.raises(ValueError, match="nothing: not a licence"):
        parse_accepted(",")
