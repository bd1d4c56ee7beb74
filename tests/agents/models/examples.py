"""Items, one of each kind that matters to a wire, and any of them for property tests."""

from hypothesis import strategies as st

from shared.items import Item

call_ids = st.sampled_from(["c1", "c2", "c3"])
entries: st.SearchStrategy[Item] = st.one_of(
    st.builds(
        lambda role, text: {"role": role, "content": text},
        st.sampled_from(["user", "assistant", "system"]),
        st.text(max_size=3),
    ),
    call_ids.map(lambda call_id: {"type": "function_call", "call_id": call_id, "name": "f", "arguments": "{}"}),
    call_ids.map(lambda call_id: {"type": "custom_tool_call", "call_id": call_id, "name": "g", "input": "x"}),
    call_ids.map(lambda call_id: {"type": "function_call_output", "call_id": call_id, "output": "o"}),
    st.just({"type": "reasoning", "summary": []}),
    st.just({"type": "web_search_call", "id": "ws_1"}),
)


def user(text: str) -> Item:
    return {"role": "user", "content": text}


def call(call_id: str) -> Item:
    return {"type": "function_call", "call_id": call_id, "name": "f", "arguments": "{}"}


def output(call_id: str, text: str = "o") -> Item:
    return {"type": "function_call_output", "call_id": call_id, "output": text}
