"""Makes the adapter that speaks a configured provider's wire. The only module that imports them all, clients included."""

from contextlib import AsyncExitStack
from typing import assert_never

from agents.chat.translated import Translated
from agents.models import transport
from agents.models.anthropic import Anthropic
from agents.models.base import Model
from agents.models.google import Google
from agents.models.google_upstream import GoogleUpstream
from agents.models.keys import Keys
from agents.models.openai_chat import OpenAIChat
from agents.models.openai_responses import OpenAIResponses
from agents.models.provider import Provider
from agents.models.relay import Relay
from agents.models.upstream import Both, Upstream


def make(provider: Provider, clients: AsyncExitStack) -> tuple[Model, Upstream]:
    """Make the provider's adapter and its upstream, with the same keys, on a client that `clients` closes."""
    client = transport.client(max_connections=provider.max_connections)
    clients.push_async_callback(client.aclose)
    keys = Keys(provider)
    match provider.wire:
        case "openai-responses":
            return OpenAIResponses(client, provider, keys=keys), Relay(client, provider, keys)
        case "openai-chat":
            return OpenAIChat(client, provider, keys=keys), Relay(client, provider, keys)
        case "anthropic":
            model = Anthropic(client, provider, keys=keys)
            return model, Translated(model)
        case "google":
            google = Google(client, provider, keys=keys)
            return google, Both(Translated(google), GoogleUpstream(client, provider, keys))
        case _:
            assert_never(provider.wire)
