"""Packages that not everybody needs, and what is said where a setting asks for one that is not there."""

from importlib.util import find_spec

from django.core.exceptions import ImproperlyConfigured


def require_package(why: str, package: str, *, extra: str) -> None:
    """Raise `ImproperlyConfigured` unless a package is installed. `why` is the setting that needs it."""
    if find_spec(package) is None:
        raise ImproperlyConfigured(
            f"{why}, and the package {package} is missing; install it with “make run EXTRAS={extra}”, "
            f"or with “pip install --no-deps --require-hashes -r requirements-{extra}.txt”."
        )
