"""Which addresses may be reached, one by one: the same in every version of Python."""

import pytest

from agents.net import Networks
from shared.settings import SettingError, Settings

PUBLIC = [
    "1.1.1.1",
    "8.8.8.8",
    "9.255.255.255",
    "11.0.0.0",
    "100.63.255.255",
    "100.128.0.0",
    "126.255.255.255",
    "168.63.129.15",
    "169.253.255.255",
    "172.15.255.255",
    "172.32.0.0",
    "192.0.1.0",
    "192.167.255.255",
    "198.17.255.255",
    "198.20.0.0",
    "223.255.255.255",
    "2606:4700:4700::1111",
    "2001:4860:4860::8888",
    "2001:200::1",
    "::ffff:8.8.8.8",
    "64:ff9b::8.8.8.8",
]

FORBIDDEN = {
    "unspecified": ["0.0.0.0", "0.1.2.3", "::"],
    "loopback": ["127.0.0.1", "127.255.255.254", "::1"],
    "private": ["10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1", "fc00::1", "fd12:3456::1", "fec0::1"],
    "link": ["169.254.0.1", "fe80::1", "fe80::1%eth0", "fe80::1%1"],
    "carriers": ["100.64.0.1", "100.127.255.255"],
    "metadata": ["169.254.169.254", "fd00:ec2::254", "100.100.100.200", "192.0.0.192", "168.63.129.16", "fd20:ce::254"],
    "many": ["224.0.0.1", "239.255.255.250", "ff02::1", "ff0e::1"],
    "reserved": ["240.0.0.1", "255.255.255.255", "192.0.0.8", "192.88.99.1", "4000::1", "100::1", "5f00::1", "5f00:1::"],
    "benchmarks": ["198.18.0.1", "198.19.255.255", "2001:2::1"],
    "documentation": ["192.0.2.1", "198.51.100.1", "203.0.113.1", "2001:db8::1", "3fff::1"],
    "mapped": ["::ffff:127.0.0.1", "::ffff:7f00:1", "::ffff:10.0.0.1", "::ffff:169.254.169.254", "::ffff:0:127.0.0.1"],
    "compatible": ["::127.0.0.1", "::7f00:1", "::8.8.8.8"],
    "6to4": ["2002:7f00:1::", "2002:a00:1::1", "2002:a9fe:a9fe::1", "2002:808:808::1"],
    "teredo": ["2001:0:4136:e378:8000:63bf:3fff:fdd2", "2001::80ff:fffe"],
    "nat64": ["64:ff9b::127.0.0.1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::1", "64:ff9b:1:7f00:0:100::"],
    "zones": ["2606:4700:4700::1111%eth0", "2606:4700:4700::1111%1"],
    "no address": ["", "localhost", "127.1", "0x7f000001", "2130706433", "0177.0.0.1", "1.1.1.1 ", "[::1]", "1.1.1.1/32"],
}


@pytest.mark.parametrize("address", PUBLIC)
def test_a_public_address_may_be_reached(address: str) -> None:
    assert Networks().allow(address)


@pytest.mark.parametrize("address", [address for group in FORBIDDEN.values() for address in group])
def test_an_address_that_is_not_for_everybody_may_not(address: str) -> None:
    assert not Networks().allow(address)


@pytest.mark.parametrize("address", ["10.1.2.3", "::ffff:10.1.2.3", "64:ff9b::10.1.2.3", "fd00::5"])
def test_the_operator_opens_ranges_however_their_addresses_are_written(address: str) -> None:
    assert Networks.parse(["10.1.0.0/16", "fd00::/64"]).allow(address)


@pytest.mark.parametrize("address", ["10.2.0.1", "127.0.0.1", "fd00:0:0:1::1", "::1"])
def test_an_opened_range_opens_nothing_else(address: str) -> None:
    assert not Networks.parse(["10.1.0.0/16", "fd00::/64"]).allow(address)


def test_ranges_come_from_the_settings() -> None:
    settings = Settings.from_env({"RONDO_ALLOW_NETWORKS": "10.0.0.0/8, 127.0.0.1"})
    assert [Networks.from_settings(settings).allow(address) for address in ("10.9.9.9", "127.0.0.1", "127.0.0.2")] == [
        True,
        True,
        False,
    ]


@pytest.mark.parametrize("text", ["intranet", "10.0.0.1/8", "10.0.0.0/33", "*"])
def test_a_range_that_is_none_is_refused_in_one_sentence(text: str) -> None:
    with pytest.raises(SettingError, match=r"^RONDO_ALLOW_NETWORKS must list ranges such as '10\.1\.0\.0/16', but .*\.$"):
        Networks.parse([text])
