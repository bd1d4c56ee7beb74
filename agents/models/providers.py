"""Which providers there are, and the model behind a name such as `openai/gpt-5`. Names are cheap; clients come with use."""

from collections.abc import Iterable, Mapping
from contextlib import AsyncExitStack
from typing import Final

from agents.chat.translated import Translated
from agents.models import demo_upstream
from agents.models import provider as configuration
from agents.models.base import Model
from agents.models.demo import Demo
from agents.models.demo_upstream import DemoUpstream
from agents.models.provider import Provider
from agents.models.upstream import ENDPOINTS, Both, Endpoint, Upstream
from shared.settings import Settings

DEMO: Final = "demo"

ALIASES: Final = {"google-ai": "google"}
"""Other names that clients know a provider by, unless one of that name is configured."""


_DEMOS: Final = (*Demo.models, *demo_upstream.MODELS)


class UnknownModel(KeyError):
    """The model is not known."""

    def __init__(self, message: str) -> None:
        """`message` is one sentence for the client."""
        self.message = message
        super().__init__(message)

    def __str__(self) -> str:
        return self.message


class Providers:
    """The configured providers, and the demo. A provider's client is made when its first model is resolved."""

    def __init__(self, configured: Iterable[Provider]) -> None:
        """The last of two providers with one name counts."""
        self._configured = {provider.name: provider for provider in configured}
        self._made: dict[str, tuple[Model, Upstream]] = {}
        self._clients = AsyncExitStack()

    def names(self) -> list[str]:
        """Name the providers, sorted."""
        return sorted((*self._configured, DEMO))

    def listed(self) -> list[tuple[str, str]]:
        """Pair each provider with each model that it is configured to list."""
        models = {name: provider.models for name, provider in self._configured.items()} | {DEMO: _DEMOS}
        return [(name, model) for name in self.names() for model in models[name]]

    def split(self, model: str) -> tuple[str, str]:
        """Split `provider/model`; raise UnknownModel if there is no such provider, or no such demo. Makes no client."""
        name, slash, own = model.partition("/")
        name = name if name in self._configured else ALIASES.get(name, name)
        if not slash or not own:
            raise UnknownModel(
                f"The requested model {model!r} names no provider: write 'provider/model', with one of {self._known()}."
            )
        if name != DEMO and name not in self._configured:
            raise UnknownModel(
                f"The requested model {model!r} does not exist: there is no provider {name!r}, only {self._known()}."
            )
        if name == DEMO and own not in _DEMOS:
            raise UnknownModel(f"The requested model {model!r} does not exist: the demo has only {', '.join(_DEMOS)}.")
        return name, own

    def hosts_tools(self, model: str) -> bool:
        """Whether a model's provider runs its vendor's tools itself; raise UnknownModel."""
        name, _ = self.split(model)
        return name != DEMO and self._configured[name].wire == "openai-responses"

    def resolve(self, model: str) -> tuple[Model, str]:
        """Return the provider of `provider/model`, and the provider's own name of the model; raise UnknownModel."""
        name, own = self.split(model)
        return self._of(name)[0], own

    def upstream(self, model: str) -> tuple[Upstream, str]:
        """Return the endpoints of `provider/model`, and the provider's own name of the model; raise UnknownModel."""
        name, own = self.split(model)
        return self._of(name)[1], own

    def endpoints_of(self, model: str) -> frozenset[Endpoint]:
        """Say what a model's provider serves; raise UnknownModel. Makes no client."""
        name, own = self.split(model)
        if name == DEMO:
            return frozenset(ENDPOINTS) if own in Demo.models else DemoUpstream.endpoints
        return self._configured[name].served

    def providers_with(self, endpoint: Endpoint) -> list[str]:
        """Name the providers that serve an endpoint, sorted."""
        serving = [name for name, provider in self._configured.items() if endpoint in provider.served]
        return sorted((*serving, DEMO))

    async def aclose(self) -> None:
        """Close every connection to a provider."""
        self._made.clear()
        await self._clients.aclose()

    def _of(self, name: str) -> tuple[Model, Upstream]:
        if name not in self._made:
            self._made[name] = self._make(name)
        return self._made[name]

    def _make(self, name: str) -> tuple[Model, Upstream]:
        if name == DEMO:
            demo = Demo()
            return demo, Both(Translated(demo), DemoUpstream())
        from agents.models import adapters  # noqa: PLC0415  # the HTTP client is slow to import, and the API only needs names

        return adapters.make(self._configured[name], self._clients)

    def _known(self) -> str:
        return ", ".join(self.names())


def load(settings: Settings, environ: Mapping[str, str]) -> Providers:
    """Read the providers' file, or without one the environment; raise SettingError with one clear sentence."""
    if settings.providers_file is not None:
        return Providers(configuration.from_file(settings.providers_file, environ=environ, settings=settings))
    return Providers(configuration.from_environ(environ))
