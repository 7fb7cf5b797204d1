"""Domains of e-mail addresses are compared in one way to write them, and tricks are refused."""

import pytest

from poetsweb.email_domains import normalise_domain, split_email


@pytest.mark.parametrize(
    ("written", "domain"),
    [
        ("school.org", "school.org"),
        (" School.ORG ", "school.org"),
        ("bücher.example", "xn--bcher-kva.example"),
        ("XN--BCHER-KVA.example", "xn--bcher-kva.example"),
        ("ｓｃｈｏｏｌ．ｏｒｇ", "school.org"),
    ],
)
def test_domain_has_one_way_to_be_written(written: str, domain: str) -> None:
    assert normalise_domain(written) == domain


@pytest.mark.parametrize(
    "written", ["", ".", "school", "school.org.", ".school.org", "a..b", "a b.org", "*.org", "school.org/x", "x" * 300]
)
def test_what_is_no_domain_is_refused(written: str) -> None:
    with pytest.raises(ValueError):
        normalise_domain(written)


def test_address_is_split() -> None:
    assert split_email(" Anna.B+c@School.org") == ("Anna.B+c", "school.org")


@pytest.mark.parametrize(
    "email",
    [
        "anna",
        "@school.org",
        "anna@",
        "a@school.org@evil.com",
        "a@evil.com@school.org",
        '"a@evil.com"@school.org',
        "a%evil.com@school.org",
        "evil.com!a@school.org",
        "<a@evil.com>@school.org",
        "a,b@school.org",
        "a\n@school.org",
        "a b@school.org",
        "ä@school.org",
        "a@school.org.",
        "a@[127.0.0.1]",
    ],
)
def test_addresses_that_may_be_read_in_two_ways_are_refused(email: str) -> None:
    with pytest.raises(ValueError):
        split_email(email)
