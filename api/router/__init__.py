"""`/v3/router`: the stateless side, one gateway for every call of a model."""
