"""Usage as it is reported."""

from agents import accounting
from agents.models.base import Media, Usage


def test_what_is_no_token_is_reported_where_there_was_any() -> None:
    reported = accounting.wire(Usage(input=2, media=Media(seconds=1.5, characters=3, searches=1, audio_input=2)))
    assert (reported["seconds"], reported["characters"], reported["searches"]) == (1.5, 3, 1)
    assert reported["total_tokens"] == 2


def test_a_turn_of_a_response_is_reported_in_tokens_only() -> None:
    assert set(accounting.wire(Usage(input=2, output=3))) == {
        *("input_tokens", "input_tokens_details", "output_tokens", "output_tokens_details", "total_tokens")
    }
