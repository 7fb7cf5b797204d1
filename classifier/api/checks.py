"""Checks of every call that its signature does not make: the names of its parameters, and the form of its body."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.http import HttpRequest
from ninja.errors import HttpError
from ninja.operation import Operation


def refuse_unknown_names(call: Callable[..., Any]) -> Callable[..., Any]:
    """Refuse parameters, fields and files that the call does not know: a typing error would be lost in silence.

    Ninja runs what it decorates once the caller is known and the parameters that are known have been read.
    """
    known = {source: _names(call._ninja_operation, source) for source in ("query", "form", "file")}  # type: ignore[attr-defined]
    has_form = bool(known["form"] | known["file"])

    @wraps(call)
    def checked(request: HttpRequest, **values: Any) -> Any:
        _refuse(set(request.GET) - known["query"], "parameter", known["query"])
        if has_form:
            if texts := sorted(set(request.POST) & (known["file"] - known["form"])):
                raise HttpError(422, f"Send “{texts[0]}” as a file: -F {texts[0]}=@FILE.")
            _refuse(set(request.POST) - known["form"], "field", known["form"])
            _refuse(set(request.FILES) - known["file"], "file", known["file"])
        return call(request, **values)

    return checked


def _refuse(unknown: set[str], kind: str, known: set[str]) -> None:
    if unknown:
        allowed = f"it has {', '.join(sorted(known))}" if known else "it has none"
        raise HttpError(422, f"This call has no {kind} “{min(unknown)[:100]}”; {allowed}.")


def _names(operation: Operation, source: str) -> set[str]:
    """Return the names of the query's parameters, of the form's fields or of the files."""
    models = [model for model in operation.models if model.__ninja_param_source__ == source]
    flat = [getattr(model, "__ninja_flatten_map__", None) or model.model_fields for model in models]
    return {getattr(fields[name], "alias", None) or name for fields in flat for name in fields}


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
