"""`/v1/models`: what the configured providers list."""

from typing import Any

from fastapi import APIRouter, Request, Response

from api.desk import Desk
from api.keys import ProjectId
from api.replies import json_reply
from shared.errors import NotFound

router = APIRouter()


@router.get("/v1/models")
@router.get("/v3/router/models", include_in_schema=False)
async def models(request: Request, _: ProjectId) -> Response:
    """List models as `provider/model`; a provider serves others too."""
    desk: Desk = request.state.desk
    return json_reply({"object": "list", "data": [_model(*listed) for listed in desk.providers.listed()]})


@router.get("/v1/models/{model:path}")
async def model(request: Request, _: ProjectId, model: str) -> Response:
    """Describe one listed model. Raises NotFound."""
    desk: Desk = request.state.desk
    for listed in desk.providers.listed():
        if "/".join(listed) == model:
            return json_reply(_model(*listed))
    raise NotFound(f"The model '{model}' does not exist.", param="model", code="model_not_found")


def _model(provider: str, name: str) -> dict[str, Any]:
    return {"id": f"{provider}/{name}", "object": "model", "created": 0, "owned_by": provider}
