"""What a model call cost."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from agents import costs
from agents.costs import Cost
from agents.models.base import Media, Usage

AT = datetime(2026, 9, 1, tzinfo=UTC)
USAGE = Usage(input=1_000_000, output=1_000_000)


def total(cost: Cost | None) -> Decimal | None:
    return None if cost is None else cost.total


def test_tokens_are_priced_by_the_list() -> None:
    assert costs.cost("openai", "gpt-4o", USAGE, at=AT) == Cost(Decimal("2.5"), Decimal(10), Decimal("12.5"))


def test_cached_tokens_are_cheaper_and_part_of_the_input() -> None:
    usage = Usage(input=1_000_000, cached=1_000_000)
    assert total(costs.cost("openai", "gpt-4o", usage, at=AT)) == Decimal("1.25")


def test_reasoning_is_part_of_the_output() -> None:
    usage = Usage(input=1_000_000, output=1_000_000, reasoning=900_000)
    assert total(costs.cost("openai", "gpt-4o", usage, at=AT)) == Decimal("12.5")


def test_writing_a_cache_costs_what_the_provider_says() -> None:
    usage = Usage(input=100_000, cache_write=100_000)
    assert total(costs.cost("anthropic", "claude-sonnet-4-5", usage, at=AT)) == Decimal("0.375")


def test_gemini_is_googles() -> None:
    usage = Usage(input=1000, output=1000)
    price = costs.cost("google", "gemini-2.5-flash", usage, at=AT)
    assert price is not None
    assert costs.cost("gemini", "gemini-2.5-flash", usage, at=AT) == price


@pytest.mark.parametrize(
    ("provider", "model"),
    [("openai", "gpt-99-unheard-of"), ("my-openai-proxy", "gpt-4o"), ("openai-chat", "gpt-4o"), ("", "")],
)
def test_what_is_not_listed_has_no_cost(provider: str, model: str) -> None:
    assert costs.cost(provider, model, USAGE, at=AT) is None


def test_counts_that_contradict_each_other_have_no_cost() -> None:
    assert costs.cost("openai", "gpt-4o", Usage(input=1, cached=2), at=AT) is None


def test_the_list_can_be_read_before_it_is_needed() -> None:
    costs.load()
    assert total(costs.cost("openai", "gpt-4o", Usage(), at=AT)) == 0


def test_the_demo_costs_nothing_and_that_is_known() -> None:
    assert costs.cost("demo", "echo", USAGE, at=AT) == Cost(Decimal(0), Decimal(0), Decimal(0))


def test_seconds_of_sound_are_priced_by_the_hour() -> None:
    assert total(costs.cost("openai", "whisper-1", Usage(media=Media(seconds=3600)), at=AT)) == Decimal("0.36")


def test_characters_read_aloud_are_priced_by_the_million() -> None:
    assert total(costs.cost("openai", "tts-1", Usage(media=Media(characters=1_000_000)), at=AT)) == Decimal(15)


def test_tokens_of_sound_and_of_pictures_have_prices_of_their_own() -> None:
    heard = Usage(input=1_000_000, media=Media(audio_input=1_000_000))
    drawn = Usage(output=1_000_000, media=Media(image_output=1_000_000))
    assert total(costs.cost("openai", "gpt-4o-transcribe", heard, at=AT)) == Decimal(6)
    assert total(costs.cost("openai", "gpt-image-1.5", drawn, at=AT)) == Decimal(32)


def test_pictures_cost_what_tokens_cost_where_they_have_no_price_of_their_own() -> None:
    drawn = Usage(output=1_000_000, media=Media(image_output=1_000_000))
    assert total(costs.cost("openai", "gpt-image-1", drawn, at=AT)) == Decimal(40)


@pytest.mark.parametrize(
    ("model", "usage"),
    [
        ("whisper-1", Usage(input=10, output=10)),
        ("tts-1", Usage()),
        ("gpt-4o-mini-tts", Usage(media=Media(characters=100))),
        ("gpt-4o-transcribe", Usage(media=Media(seconds=3.0))),
    ],
)
def test_a_model_that_told_nothing_of_what_it_is_priced_by_has_no_cost(model: str, usage: Usage) -> None:
    assert costs.cost("openai", model, usage, at=AT) is None


def test_moderations_are_free_where_the_list_says_so() -> None:
    assert total(costs.cost("openai", "omni-moderation-latest", Usage(), at=AT)) == 0
