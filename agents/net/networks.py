"""Which addresses may be reached: those that anybody can reach, and those that the operator has opened.

The table is our own, after IANA's registries of special-purpose addresses, because `ipaddress.is_global` gives other
answers from one version of Python to the next and knows nothing of clouds.
"""

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Self, TypeAlias

from shared.settings import SettingError, Settings

Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address
Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(frozen=True, slots=True)
class Networks:
    """The operator's ranges, besides the public addresses."""

    opened: tuple[Network, ...] = ()

    @classmethod
    def parse(cls, ranges: Iterable[str]) -> Self:
        """Read ranges such as `10.1.0.0/16`; raise SettingError for what is none."""
        return cls(tuple(map(_network, ranges)))

    @classmethod
    def from_settings(cls, settings: Settings) -> Self:
        """Read `RONDO_ALLOW_NETWORKS`; raise SettingError."""
        return cls.parse(settings.allow_networks)

    def allow(self, text: str) -> bool:
        """Say whether an address may be reached; what is no plain address, one with a zone for example, may not."""
        try:
            written = ipaddress.ip_address(text)
        except ValueError:
            return False
        if "%" in text:
            return False
        meant = _meant(written)
        return any(self._opens(address) for address in (written, meant)) or _public(meant)

    def _opens(self, address: Address) -> bool:
        return any(address in network for network in self.opened)


def _network(text: str) -> Network:
    try:
        return ipaddress.ip_network(text)
    except ValueError as error:
        raise SettingError(f"RONDO_ALLOW_NETWORKS must list ranges such as '10.1.0.0/16', but {error}.") from None


def _meant(address: Address) -> Address:
    """Return the IPv4 address that packets to an IPv6 address reach, where there is one: RFC 4291 2.5.5.2, RFC 6052."""
    match address:
        case ipaddress.IPv6Address(ipv4_mapped=ipaddress.IPv4Address() as mapped):
            return mapped
        case ipaddress.IPv6Address() if address in _NAT64:
            return ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF)
        case _:
            return address


def _public(address: Address) -> bool:
    match address:
        case ipaddress.IPv4Address():
            return not any(address in network for network in _SPECIAL_4)
        case ipaddress.IPv6Address():
            return address in _GLOBAL_6 and not any(address in network for network in _SPECIAL_6)


_NAT64: Final = ipaddress.IPv6Network("64:ff9b::/96")

_SPECIAL_4: Final = tuple(
    map(
        ipaddress.IPv4Network,
        (
            "0.0.0.0/8",  # this network
            "10.0.0.0/8",
            "100.64.0.0/10",  # between carriers and their customers; a cloud's metadata at 100.100.100.200
            "127.0.0.0/8",
            "168.63.129.16/32",  # a cloud's host, which looks public
            "169.254.0.0/16",  # of one link; the clouds' metadata at 169.254.169.254
            "172.16.0.0/12",
            "192.0.0.0/24",  # protocols; a cloud's metadata at 192.0.0.192
            "192.0.2.0/24",  # documentation, as are 198.51.100 and 203.0.113
            "192.88.99.0/24",  # relays to 6to4, given up
            "192.168.0.0/16",
            "198.18.0.0/15",  # benchmarks
            "198.51.100.0/24",
            "203.0.113.0/24",
            "224.0.0.0/4",  # to many
            "240.0.0.0/4",  # reserved, and to all
        ),
    )
)

_GLOBAL_6: Final = ipaddress.IPv6Network("2000::/3")
"""All that IANA has given out for public use; private, link-local and mapped addresses lie outside of it."""

_SPECIAL_6: Final = tuple(
    map(
        ipaddress.IPv6Network,
        (
            "2001::/23",  # protocols: Teredo, which hides an IPv4 address, benchmarks, hashes
            "2001:db8::/32",  # documentation, as is 3fff
            "2002::/16",  # 6to4, which hides an IPv4 address
            "3fff::/20",
        ),
    )
)
