"""Slow down whoever guesses passwords, and nobody else."""

import hashlib
import time
import unicodedata

from django.contrib.auth.models import User
from django.core.cache.backends.base import BaseCache

from classifier.services.audit_log import record
from classifier.services.counting import count, in_cache
from ml.errors import UserError

FREE_TRIES = 5
LONGEST_WAIT = 300  # seconds
FORGOTTEN_AFTER = 3600  # seconds without a try
MOST_RECORDED = 100  # failures an hour from one address that the audit log tells of


class TooManyTries(UserError):
    """The next try has to wait for `seconds`."""

    status = 429

    def __init__(self, seconds: int) -> None:
        self.seconds = seconds
        wait = f"{seconds} seconds" if seconds != 1 else "a second"
        super().__init__(f"Too many attempts with this user name. Please wait {wait}, then try again.")


def count_try(username: str, address: str) -> None:
    """Count an attempt to sign in before the password is looked at. Raise `TooManyTries` if it comes too soon.

    From the sixth on, each attempt makes the next one wait for twice as long. Attempts count for one account from one
    address: those of a stranger delay nobody else. While Redis is away each web process counts for itself, because
    people must be able to sign in then.
    """
    key = _key(username, address)
    if seconds := in_cache(lambda counts: _count(counts, key)):
        raise TooManyTries(seconds)


def _count(counts: BaseCache, key: str) -> int:
    """Return how many seconds the next attempt has to wait; 0 if it may come now, and has been counted."""
    try:
        counts.add(key, 0, FORGOTTEN_AFTER)
        number = counts.incr(key)
        counts.touch(key, FORGOTTEN_AFTER)
        if number <= FREE_TRIES:
            return 0
        wait = min(2 ** (number - FREE_TRIES), LONGEST_WAIT)
        now = time.time()
        # Of many attempts at the same moment, only one gets past this.
        if counts.add(f"{key}:wait", now + wait, wait):
            return 0
        counts.decr(key)  # impatience does not prolong the wait
        return max(1, round(float(counts.get(f"{key}:wait", now)) - now))
    except ValueError:  # it was forgotten between two of the lines
        return 0


def forget_tries(username: str, address: str) -> None:
    """Forget the attempts, because the last one succeeded."""
    key = _key(username, address)
    in_cache(lambda counts: counts.delete_many([key, f"{key}:wait"]))


def record_success(user: User) -> None:
    """Write down that somebody has signed in."""
    record("sign_in", by=user)


def record_failure(username: str, address: str) -> None:
    """Write down that a password was wrong, for so many an hour from one address: nobody must fill the log.

    Of a name that no account has it is kept that there was one alone: people type their password there.
    """
    key = f"sign-in-failed:{hashlib.sha256(address.encode()).hexdigest()}"
    if in_cache(lambda counts: count(counts, key, seconds=FORGOTTEN_AFTER)) > MOST_RECORDED:
        return
    known = User.objects.filter(username__iexact=username.strip().replace("\0", "")).first()
    record("sign_in.failed", known.username if known else "an unknown name")


def _key(username: str, address: str) -> str:
    """Return the name of the count, the same for all ways to write an account that the form takes for the same."""
    account = unicodedata.normalize("NFKC", username).strip().casefold()
    return "sign-in:" + hashlib.sha256(f"{address} {account}".encode(errors="surrogatepass")).hexdigest()
