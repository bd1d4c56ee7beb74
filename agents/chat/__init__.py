"""Chat completions in OpenAI's shape over any model: for providers whose own wire is another."""
