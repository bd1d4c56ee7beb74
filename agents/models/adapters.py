"""Makes the adapter that speaks a configured provider's wire. The only module that imports them all, clients included."""

from contextlib import AsyncExitStack
from typing import assert_never

from agents.models import transport
from agents.models.anthropic import Anthropic
from agents.models.base import Model
from agents.models.google import Google
from agents.models.openai_chat import OpenAIChat
from agents.models.openai_responses import OpenAIResponses
from agents.models.provider import Provider


def make(provider: Provider, clients: AsyncExitStack) -> Model:
    """Make the provider's adapter on a client of its own, which `clients` closes."""
    client = transport.client(max_connections=provider.max_connections)
    clients.push_async_callback(client.aclose)
    match provider.wire:
        case "openai-responses":
            return OpenAIResponses(client, provider)
        case "openai-chat":
            return OpenAIChat(client, provider)
        case "anthropic":
            return Anthropic(client, provider)
        case "google":
            return Google(client, provider)
        case _:
            assert_never(provider.wire)
