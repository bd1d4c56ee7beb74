"""Every error a client can see: a sentence, a status, and the OpenAI envelope, rendered in one place."""

from typing import Any, ClassVar


class RondoError(Exception):
    """Something went wrong on our side."""

    status_code: int = 500
    type: str = "server_error"
    code: ClassVar[str | None] = "server_error"

    def __init__(
        self,
        message: str | None = None,
        *,
        param: str | None = None,
        code: str | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        """Take the class docstring as the message, and the class's code, unless others are given."""
        self.message = message or (type(self).__doc__ or "").strip()
        self.param = param
        self.code_value = code if code is not None else type(self).code
        self.headers = headers or {}
        super().__init__(self.message)

    def body(self) -> dict[str, Any]:
        """Render the envelope `{"error": {message, type, param, code}}`; all four keys are always there."""
        return {
            "error": {
                "message": self.message,
                "type": self.type,
                "param": self.param,
                "code": self.code_value,
            }
        }


class InvalidRequest(RondoError):
    """The request is invalid."""

    status_code: int = 400
    type: str = "invalid_request_error"
    code: ClassVar[str | None] = None


class Unauthorized(RondoError):
    """You didn't provide an API key. Send it as 'Authorization: Bearer <key>'."""

    status_code: int = 401
    type: str = "invalid_request_error"
    code: ClassVar[str | None] = None


class NotFound(RondoError):
    """The requested object was not found."""

    status_code: int = 404
    type: str = "invalid_request_error"
    code: ClassVar[str | None] = None


class MethodNotAllowed(RondoError):
    """The path does not accept that method."""

    status_code: int = 405
    type: str = "invalid_request_error"
    code: ClassVar[str | None] = "method_not_allowed"


class Conflict(RondoError):
    """The request does not fit the state that its object is in."""

    status_code: int = 409
    type: str = "invalid_request_error"
    code: ClassVar[str | None] = "conflict"


class TooLarge(RondoError):
    """The request body is too large."""

    status_code: int = 413
    type: str = "invalid_request_error"
    code: ClassVar[str | None] = "request_too_large"


class Unavailable(RondoError):
    """The service is not ready to take this request."""

    status_code: int = 503
    type: str = "server_error"
    code: ClassVar[str | None] = "server_is_overloaded"


class Forbidden(RondoError):
    """The API key may not do that."""

    status_code: int = 403
    type: str = "invalid_request_error"
    code: ClassVar[str | None] = "forbidden"


class RateLimited(RondoError):
    """Too many requests. Please try again later."""

    status_code: int = 429
    type: str = "requests"
    code: ClassVar[str | None] = "rate_limit_exceeded"
