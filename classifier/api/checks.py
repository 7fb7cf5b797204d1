"""Checks of every call that its signature does not make: the names of its parameters, and the form of its body."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.http import HttpRequest
from ninja.errors import HttpError
from ninja.operation import Operation


def refuse_unknown_parameters(call: Callable[..., Any]) -> Callable[..., Any]:
    """Refuse parameters of the address that the call does not know: a typing error would change the answer in silence.

    Ninja runs what it decorates once the caller is known and the parameters that are known have been read.
    """
    known = _query_parameters(call._ninja_operation)  # type: ignore[attr-defined]

    @wraps(call)
    def checked(request: HttpRequest, **values: Any) -> Any:
        if unknown := sorted(set(request.GET) - known):
            allowed = f"it has {', '.join(sorted(known))}" if known else "it has none"
            raise HttpError(422, f"This call has no parameter “{unknown[0][:100]}”; {allowed}.")
        return call(request, **values)

    return checked


def _query_parameters(operation: Operation) -> set[str]:
    models = [model for model in operation.models if model.__ninja_param_source__ == "query"]
    return {field.alias or name for model in models for name, field in model.model_fields.items()}


def how_to_call(request: HttpRequest, problem: dict[str, Any]) -> str:
    """Return the command that sends what a call lacks, or nothing if it is not a file."""
    where = problem["loc"]
    if problem["type"] != "missing" or where[0] != "file":
        return ""
    given = {"image": "picture.jpg", "graph": "retrained_graph.pb"}.get(where[-1], "picture.jpg -F class=NAME")
    return (
        f"Send the file as multipart/form-data in the field “{where[-1]}”: curl -H 'Authorization: Bearer KEY' "
        f"-F {where[-1]}=@{given} {request.build_absolute_uri(request.path)}"
    )
