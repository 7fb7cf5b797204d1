"""Asking the directory who is there, in the way in which it is asked when somebody signs in.

It is loaded where LDAP_URL is set, because it needs an extra.
"""

import time
from collections.abc import Collection, Iterator
from typing import Any

import ldap
from django_auth_ldap.backend import LDAPBackend

from classifier.services.directories import read_person

PAGE = 500  # entries that are asked for at a time; some directories give no more
MOST_SECONDS = 20.0  # for which whoever asks has other duties to wait


class DirectorySilent(Exception):
    """The directory does not tell who is there."""


def list_admitted(subjects: Collection[str]) -> set[str]:
    """Return which of these people the directory would let in now. Raise DirectorySilent.

    Everybody who passes the filter is looked at, as names may have changed since.
    """
    settings, until = LDAPBackend().settings, time.monotonic() + MOST_SECONDS
    try:
        pages = _Pages(_connect(settings), until)
        found = settings.USER_SEARCH.execute(pages, {"user": "*"}, escape=False)
        places = {read_person("", dn, attributes).subject: dn for dn, attributes in found}
        if not places:  # a site of which everybody has left is less likely than a filter that is wrong
            raise DirectorySilent("It shows nobody.")
        known = [one for one in subjects if one in places]
        return {one for one in known if pages.is_in_group(places[one], settings.REQUIRE_GROUP)}
    except ldap.LDAPError as error:
        raise DirectorySilent(type(error).__name__) from error


def _connect(settings: Any) -> Any:
    connection = ldap.initialize(settings.SERVER_URI, bytes_mode=False)
    for option, value in settings.CONNECTION_OPTIONS.items():
        connection.set_option(option, value)
    if settings.START_TLS:
        connection.start_tls_s()
    connection.simple_bind_s(settings.BIND_DN, settings.BIND_PASSWORD)
    return connection


class _Pages:
    """A connection that reads what is found page by page, and gives up when the time is over."""

    def __init__(self, connection: Any, until: float) -> None:
        self.connection, self.until = connection, until

    def is_in_group(self, dn: str, group: str | None) -> bool:
        self._check_time()
        return group is None or bool(self.connection.compare_s(group, "member", dn.encode()))

    def _check_time(self) -> None:
        if time.monotonic() > self.until:
            raise DirectorySilent("It takes too long.")

    def search_s(self, *search: Any) -> list[Any]:
        return list(self._read(*search))

    def _read(self, *search: Any) -> Iterator[Any]:
        page = ldap.controls.SimplePagedResultsControl(True, size=PAGE, cookie="")
        while True:
            self._check_time()
            message = self.connection.search_ext(*search, serverctrls=[page])
            _, entries, _, answers = self.connection.result3(message)
            yield from entries
            cookies = [one.cookie for one in answers if one.controlType == page.controlType]
            if not any(cookies):
                return
            page.cookie = cookies[0]
