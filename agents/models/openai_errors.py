"""What OpenAI's API, and the many that resemble it, say when they refuse or fail."""

import re
from typing import Any, Final

from agents.models import http
from agents.models.base import ErrorCode, ModelError
from shared.items import Json

_CODES: Final[dict[str, ErrorCode]] = {
    "insufficient_quota": "insufficient_quota",
    "credit_balance_exhausted": "insufficient_quota",
    "billing_hard_limit_reached": "insufficient_quota",
    "billing_not_active": "insufficient_quota",
    "rate_limit_exceeded": "rate_limit_exceeded",
    "rate_limit_error": "rate_limit_exceeded",
    "context_length_exceeded": "context_length_exceeded",
    "invalid_api_key": "provider_authentication",
    "authentication_error": "provider_authentication",
    "model_not_found": "model_not_found",
    "invalid_prompt": "invalid_prompt",
    "invalid_request_error": "invalid_prompt",
    "server_error": "provider_unavailable",
    "server_is_overloaded": "provider_unavailable",
    "slow_down": "provider_unavailable",
    "overloaded_error": "provider_unavailable",
}
_REFUSALS: Final = frozenset({400, 413, 422})
_TOO_LONG: Final = re.compile(
    r"context[ _](?:length|window|size)|too many (?:input )?tokens|(?:prompt|input) is too (?:long|large)",
    re.IGNORECASE,
)
_TRY_AGAIN: Final = re.compile(r"try again in (?P<number>\d+(?:\.\d+)?)\s?(?P<unit>ms|s)\b", re.IGNORECASE)


def explain(status: int, body: bytes) -> ModelError:
    """Make the error of an answer that is no success."""
    return error(http.members(body), status=status)


def error(given: Json, *, status: int | None = None) -> ModelError:
    """Make the error of an object that holds an `error`, or is one; `status` is None within a stream.

    Codes of the API come before the status, because OpenAI tells an exhausted credit and a rate limit, and other servers an
    overlong context and a bad request, apart by them alone.
    """
    told = given.get("error") or given.get("detail") or given
    told = told if isinstance(told, dict) else {"message": str(told)}
    message = str(told.get("message") or "The provider gave no reason.")
    status = status if status is not None else _status(told.get("code"))
    code = _code(told, message, status)
    if code == "provider_authentication":
        message = "The provider does not accept the key that it is configured with."
    return ModelError(code, message, provider_status=status, retry_after=_retry_after(message))


def _code(told: Json, message: str, status: int | None) -> ErrorCode:
    if (status is None or status in _REFUSALS) and _TOO_LONG.search(message):
        return "context_length_exceeded"
    if status == 402:
        return "insufficient_quota"
    if (code := _CODES.get(str(told.get("code")))) is not None:
        return code
    by_type = _CODES.get(str(told.get("type")))
    if status is None or by_type == "insufficient_quota":
        return by_type or "provider_unavailable"
    return http.code_of(status)


def _status(code: Any) -> int | None:
    """Read a code that is an HTTP status, as gateways send it within a stream."""
    return code if isinstance(code, int) and 400 <= code < 600 else None


def _retry_after(message: str) -> float | None:
    """Read the wait out of the sentence, where no header can say it."""
    if (found := _TRY_AGAIN.search(message)) is None:
        return None
    return float(found["number"]) / (1000 if found["unit"].lower() == "ms" else 1)
