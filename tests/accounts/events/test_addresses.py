"""Only public addresses over TLS may be called, however they are written."""

from __future__ import annotations

from ipaddress import ip_address

import pytest

from providers.addresses import AddressRefused, judge, parse

REFUSED = [
    "http://example.com/",
    "ftp://example.com/",
    "file:///etc/passwd",
    "gopher://example.com/",
    "ws://example.com/",
    "javascript:alert(1)",
    "data:text/plain,x",
    "//example.com/",
    "example.com",
    "/",
    "https://",
    "https:///",
    "https:example.com",
    "https://?x",
    "https://#x",
    "https://user@example.com/",
    "https://user:pw@example.com/",
    "https://example.com@127.0.0.1/",
    "https://127.0.0.1@example.com/",
    "https://@example.com/",
    "https://example.com:0/",
    "https://example.com:/",
    "https://example.com:99999/",
    "https://example.com:x/",
    "https://example.com/#part",
    "https://localhost/",
    "https://LOCALHOST/",
    "https://localhost./",
    "https://intranet/",
    "https://127.0.0.1/",
    "https://127.0.0.1:8443/",
    "https://127.255.255.254/",
    "https://127.0.0.1./",
    "https://127.1/",
    "https://127.0.1/",
    "https://2130706433/",
    "https://017700000001/",
    "https://0x7f000001/",
    "https://0x7f.0.0.1/",
    "https://0x7f.1/",
    "https://0177.0.0.1/",
    "https://0177.0.0.01/",
    "https://127.0.0.0x1/",
    "https://127.0.0.01/",
    "https://0/",
    "https://0.0.0.0/",
    "https://0x0/",
    "https://00000000000/",
    "https://1.2.3/",
    "https://256.256.256.256/",
    "https://1.2.3.4.5/",
    "https://10.0.0.1/",
    "https://10.255.255.255/",
    "https://172.16.0.1/",
    "https://172.31.255.255/",
    "https://192.168.0.1/",
    "https://192.168.255.255/",
    "https://3232235521/",
    "https://0xc0a80001/",
    "https://169.254.169.254/",
    "https://169.254.169.254/latest/meta-data/",
    "https://2852039166/",
    "https://0xa9fea9fe/",
    "https://0251.0376.0251.0376/",
    "https://169.254.0.1/",
    "https://100.100.100.200/",
    "https://100.64.0.1/",
    "https://168.63.129.16/",
    "https://192.0.0.192/",
    "https://192.0.2.1/",
    "https://198.18.0.1/",
    "https://198.51.100.1/",
    "https://203.0.113.1/",
    "https://224.0.0.1/",
    "https://239.255.255.255/",
    "https://240.0.0.1/",
    "https://255.255.255.255/",
    "https://192.88.99.1/",
    "https://[::]/",
    "https://[::1]/",
    "https://[0:0:0:0:0:0:0:1]/",
    "https://[::1]:8443/",
    "https://[::ffff:127.0.0.1]/",
    "https://[::ffff:7f00:1]/",
    "https://[::ffff:10.0.0.1]/",
    "https://[::ffff:169.254.169.254]/",
    "https://[::ffff:a9fe:a9fe]/",
    "https://[0:0:0:0:0:ffff:7f00:1]/",
    "https://[::127.0.0.1]/",
    "https://[::7f00:1]/",
    "https://[64:ff9b::127.0.0.1]/",
    "https://[64:ff9b::a9fe:a9fe]/",
    "https://[64:ff9b:1::1]/",
    "https://[2002:7f00:1::]/",
    "https://[2002:a9fe:a9fe::]/",
    "https://[2001:0:7f00:1::]/",
    "https://[2001:db8::1]/",
    "https://[fc00::1]/",
    "https://[fd00:ec2::254]/",
    "https://[fd20:ce::254]/",
    "https://[fe80::1]/",
    "https://[fe80::1%25eth0]/",
    "https://[fe80::1%eth0]/",
    "https://[fec0::1]/",
    "https://[ff02::1]/",
    "https://[100::1]/",
    "https://[3fff::1]/",
    "https://[5f00::1]/",
    "https://[::ffff:0:127.0.0.1]/",
    "https://[::1",
    "https://::1/",
    "https://[127.0.0.1]/",
    "https://[example.com]/",
    "https://[v1.fe]/",
    "https://exa%6dple.com/",
    "https://127.0.0.1%2f@example.com/",
    "https://example.com%00.evil.com/",
    "https://example.com%2523@127.0.0.1/",
    "https://-example.com/",
    "https://example-.com/",
    "https://example..com/",
    "https://.example.com/",
    "https://example.com\\@127.0.0.1/",
    "https://example.com\\.evil.com/",
    "https://①②⑦.⓪.⓪.①/",
    "https://１２７.0.0.1/",
    "https://localhoſt/",
    "https://ⓔxample.com/",
    "https://127。0。0。1/",
    "https://bücher.example/",
    "https://metadata/",
    "https://example.com/{path}",
    'https://example.com/"x',
    "https://example.com/<x>",
]
ODD = [
    "",
    " https://example.com/",
    "https://example.com/ ",
    "https://example.com/a b",
    "https://example.com/\n",
    "https://exam\tple.com/",
    "https://example.com/\r\nHost: 127.0.0.1",
    "https://example.com/\x00",
    "https://example.com/" + "a" * 2000,
    "https://" + "a" * 64 + ".com/",
    "https://" + "a." * 130 + "com/",
]
ALLOWED = [
    "https://example.com",
    "https://example.com/",
    "https://example.com:8443/hook?x=1&y=2",
    "https://EXAMPLE.com/hook",
    "https://example.com./hook",
    "https://a.b.c.example.co.uk/",
    "https://xn--bcher-kva.example.com/",
    "https://1and1.com/",
    "https://1.2.3.4.example.com/",
    "https://8.8.8.8/",
    "https://[2606:4700:4700::1111]/",
    "https://[::ffff:8.8.8.8]/",
    "https://[64:ff9b::8.8.8.8]/",
    "https://127.0.0.1.example.com/",
    "https://example.com/%7B",
]


def test_the_corpus_is_large_enough():
    assert len(set(REFUSED + ODD)) >= 120


@pytest.mark.parametrize("url", [*REFUSED, *ODD])
def test_address_that_may_lead_inside_is_refused(url):
    with pytest.raises(AddressRefused):
        parse(url)


@pytest.mark.parametrize("url", ALLOWED)
def test_public_address_may_be_called(url):
    assert parse(url).url == url


@pytest.mark.parametrize("url", ["http://127.0.0.1:8/", "https://[::1]/"])
def test_tests_may_call_this_machine_and_nothing_else(url):
    assert parse(url, loopback=True).url == url
    for other in ("http://10.0.0.1/", "http://169.254.169.254/", "http://2130706433/"):
        with pytest.raises(AddressRefused):
            parse(other, loopback=True)


@pytest.mark.parametrize(
    "text",
    [
        *("127.0.0.1", "10.1.2.3", "172.20.0.1", "192.168.1.1", "169.254.169.254"),
        *("0.0.0.0", "100.64.1.1", "224.0.0.1", "255.255.255.255", "168.63.129.16"),
        *("::", "::1", "fe80::1", "fc00::1", "ff02::1", "2002:a00:1::", "fe80::1%lo"),
        *("::ffff:10.0.0.1", "64:ff9b::10.0.0.1", "::10.0.0.1", "2001::1"),
    ],
)
def test_name_that_resolves_to_an_inner_address_is_refused(text):
    with pytest.raises(AddressRefused):
        judge(ip_address(text))


def test_address_is_not_shown_with_its_secrets():
    assert "TOKEN" not in repr(parse("https://example.com/TOKEN"))
