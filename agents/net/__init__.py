"""Requests to addresses that clients and models name: what may be reached, by a transport that holds to it."""

from agents.net.fetched import Fetched, fetch
from agents.net.networks import Networks
from agents.net.transport import Refused, client, client_of

__all__ = ["Fetched", "Networks", "Refused", "client", "client_of", "fetch"]
