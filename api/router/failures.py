"""A provider's failure as the router's client sees it: an HTTP status and OpenAI's envelope."""

from typing import Final

from agents.models.base import ModelError
from api.waiting import STATUS
from shared.errors import RondoError
from shared.items import Json

_STATUS: Final = STATUS | {"model_not_found": 404}
"""As for responses, but for a model that is not there, which these endpoints of OpenAI's answer in their own way."""


class UpstreamFailed(RondoError):
    """No provider answered."""

    def __init__(self, error: ModelError, *, headers: dict[str, str] | None = None) -> None:
        """Map the last attempt's error; a provider's refusal of the request keeps its status, a rate limit its wait."""
        wait = {} if error.retry_after is None else {"retry-after": str(max(1, round(error.retry_after)))}
        super().__init__(error.message, code=error.code, headers={**wait, **(headers or {})})
        self.status_code = _STATUS.get(error.code, 502)
        if error.code == "invalid_prompt" and error.provider_status is not None and 400 <= error.provider_status < 500:
            self.status_code = error.provider_status
        self.type = _type(self.status_code)


def _type(status: int) -> str:
    if status == 429:
        return "requests"
    return "invalid_request_error" if status < 500 else "server_error"


def body_of(error: ModelError) -> Json:
    """Render a failure that comes after the answer has begun: all that can be sent then is an event."""
    return UpstreamFailed(error).body()
