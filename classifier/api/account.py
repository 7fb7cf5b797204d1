"""One's own account."""

from typing import Any

from ninja import Router, Status, params

from classifier.access import SignedIn
from classifier.api.auth import KeyAuth
from classifier.api.errors import errors
from classifier.services import closing

router = Router()


# Not by the session of a page, where the password is asked for.
@router.delete("/account", auth=KeyAuth(), response={204: None, **errors(400, 404, 409, 413, 422)})
def delete_account(
    request: SignedIn,
    username: str = params.Query(..., max_length=150, description="your own user name, so that no slip does it"),  # type: ignore[type-arg]
) -> Any:
    """Move your account to the trash, with its projects; hand on before what is to stay. Its keys stop at once."""
    closing.check_own_name(request.user, username)
    closing.delete_own_account(request.user)
    return Status(204, None)
