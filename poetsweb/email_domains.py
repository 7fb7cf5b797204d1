"""Domains of e-mail addresses, in the one way in which they can be compared."""

import idna

STRANGE = set('"%!\\(),:;<>[]')  # with what mail servers have been told to pass a mail on to another domain


def normalise_domain(text: str) -> str:
    """Return a domain as mail servers know it: small letters of ASCII. Raise ValueError for what is none.

    A dot at its end, which means the same to name servers, is refused: no address is written so.
    """
    try:
        domain = idna.encode(text.strip(), uts46=True, std3_rules=True).decode("ascii").lower()
    except UnicodeError as error:  # idna's errors are such
        raise ValueError("this is not a domain") from error
    if "." not in domain.strip(".") or domain.startswith(".") or domain.endswith("."):
        raise ValueError("this is not a domain")
    return domain


def split_email(email: str) -> tuple[str, str]:
    """Return what stands before and behind the @ of an address, the domain as `normalise_domain` has it.

    Raise ValueError for an address that one server may read otherwise than another.
    """
    local, at, domain = email.strip().partition("@")
    plain = local.isascii() and local.isprintable() and not STRANGE & set(local) and " " not in local
    if not at or "@" in domain or not local or not plain:
        raise ValueError("this is not a plain e-mail address")
    return local, normalise_domain(domain)
