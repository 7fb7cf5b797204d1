"""Show TensorBoard to those who may see the job."""

from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.views.decorators.clickjacking import xframe_options_sameorigin
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods

from classifier import selectors
from classifier.access import SignedIn, project_page
from classifier.models import Project
from classifier.outages import raise_outage
from classifier.tensorboard import proxy
from classifier.views.errors import answer_page

MAX_REQUEST_BYTES = 2**20  # of a question
PASSED_ON = ("Accept", "Accept-Encoding", "Content-Type")  # never cookies or keys
PASSED_BACK = ("Content-Type", "Content-Encoding", "Cache-Control", "Location", "Expires")
OTHER_SITES = ("https://www.gstatic.com", "https://ui.perfetto.dev")


# TensorBoard's own page asks some of its questions by POST, and has no token of ours. Nothing is changed by them.
@csrf_exempt
@project_page
@xframe_options_sameorigin
@require_http_methods(["GET", "HEAD", "POST"])
def board(request: SignedIn, project: Project, number: int, rest: str = "") -> HttpResponse:
    job = get_object_or_404(selectors.list_jobs(request.user).filter(project=project), number=number)
    if not proxy.is_installed():
        raise Http404
    if int(request.META.get("CONTENT_LENGTH") or 0) > MAX_REQUEST_BYTES:
        return answer_page(request, 413, "Too large", "This request to TensorBoard is too large.")
    prefix = reverse("job_tensorboard", args=[project.slug, number]).rstrip("/")
    headers = {name: request.headers[name] for name in PASSED_ON if name in request.headers}
    try:
        answer = proxy.ask_tensorboard(
            job, prefix, request.method or "GET", request.get_full_path(), headers, request.body
        )
    except proxy.TensorBoardUnavailable as error:
        return answer_page(request, 503, "TensorBoard", str(error))
    except OSError as error:
        raise_outage(error)
        raise Http404 from None
    return _relay(answer)


def _relay(answer: proxy.TensorBoardAnswer) -> HttpResponse:
    response = HttpResponse(answer.body, status=answer.status)
    for name in PASSED_BACK:
        if name in answer.headers:
            response.headers[name] = answer.headers[name]
    if "Content-Security-Policy" in answer.headers:
        response.headers["Content-Security-Policy"] = _tighten(answer.headers["Content-Security-Policy"])
    return response


def _tighten(policy: str) -> str:
    """Return TensorBoard's own policy, which its scripts need (they evaluate code), without other sites."""
    for site in OTHER_SITES:
        policy = policy.replace(site, "")
    return f"{policy}; base-uri 'self'; form-action 'self'; frame-ancestors 'self'"
