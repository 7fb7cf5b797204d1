"""What machines ask a web process: whether it lives, whether it can do its work, and how it has done it.

These are answered before anything else: a balancer or Kubernetes asks by an address that is no name of the site,
without TLS, and while the database is away.
"""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse, JsonResponse

from classifier.scraping import metrics
from classifier.services.probes import OK, prober

GetResponse = Callable[[HttpRequest], HttpResponse]


def alive(request: HttpRequest) -> HttpResponse:
    """Tell that the process lives. It asks nobody, so that a database that is away gets no process killed."""
    return JsonResponse({"status": "ok"})


def ready(request: HttpRequest) -> HttpResponse:
    """Tell whether database, migrations, broker and file storage are as they must be, within ten seconds."""
    parts = prober.look()
    good = all(told.startswith(OK) for told in parts.values())
    return JsonResponse({"status": "ok" if good else "not ready", **parts}, status=200 if good else 503)


PROBES: dict[str, Callable[[HttpRequest], HttpResponse]] = {"/healthz": alive, "/readyz": ready, "/metrics": metrics}


def answer_probes(get_response: GetResponse) -> GetResponse:
    def middleware(request: HttpRequest) -> HttpResponse:
        probe = PROBES.get(request.path_info)
        if probe is None:
            return get_response(request)
        response = probe(request) if request.method in ("GET", "HEAD") else HttpResponse(status=405)
        response["Content-Length"] = str(len(response.content))  # or the connection could not be kept
        response["Cache-Control"], response["X-Content-Type-Options"] = "no-store", "nosniff"
        return response

    return middleware
