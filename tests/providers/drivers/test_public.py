"""What both drivers promise about addresses that people typed: only public ones are asked."""

from __future__ import annotations

import asyncio
import socket
import ssl
import threading
from importlib import import_module
from ipaddress import ip_address

import pytest
from cryptography import x509

from providers.addresses import judge
from providers.drivers import Fleet, public, tls
from providers.errors import AddressBarred, ProviderError, Unavailable
from providers.wire import Request
from tests import fixtures_names

from .certificates import certificate
from .conftest import GET, PAY, Bank, body, serving, status

names = fixtures_names.names
NAME = "node.example"
POST = Request("POST", "/", body=b"{}")
INSIDE = [
    *("127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254"),
    *("100.64.0.1", "0.0.0.0", "168.63.129.16", "224.0.0.1"),
    *("::1", "::", "fe80::1", "fc00::1", "fd00:ec2::254", "ff02::1"),
    *("::ffff:127.0.0.1", "::ffff:169.254.169.254", "::ffff:10.0.0.1"),
    *("64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::1", "2002:7f00:1::"),
]


class Typed(Bank):
    """A bank whose addresses a person typed."""

    def anybodys(self, host):
        return True


@pytest.fixture
def port(url):
    return url.rpartition(":")[2]


@pytest.fixture
def typed(names, port):
    return Typed({}, {"api": f"http://{NAME}:{port}"})


@pytest.fixture
def here(monkeypatch):
    """Let two addresses of this machine, and no others, pass for public ones."""

    def lenient(address, *, loopback=False):
        if address not in (ip_address("127.0.0.1"), ip_address("::1")):
            judge(address, loopback=loopback)

    monkeypatch.setattr(public, "judge", lenient)


@pytest.mark.parametrize("address", INSIDE)
@pytest.mark.parametrize("request_", [GET, POST, PAY], ids=["get", "post", "pay"])
def test_name_that_leads_inside_is_not_asked_and_not_looked_up_again(
    run, typed, names, institution, address, request_
):
    names.means(NAME, address)

    with pytest.raises(AddressBarred, match=r"Bank: .* Its host is not public"):
        run(typed, typed.asking(request_))
    assert names.asked == [NAME]
    assert institution.seen == []


@pytest.mark.parametrize(
    "addresses",
    [("8.8.8.8", "127.0.0.1"), ("127.0.0.1", "8.8.8.8"), ("8.8.8.8", "::1")],
)
def test_name_that_leads_inside_as_well_is_not_asked_at_all(
    run, typed, names, institution, addresses
):
    names.means(NAME, addresses)

    with pytest.raises(AddressBarred):
        run(typed, typed.asking(GET))
    assert institution.seen == []


@pytest.mark.parametrize("request_", [GET, POST])
def test_name_is_looked_up_once_and_what_was_judged_is_asked(
    run, typed, names, here, institution, port, request_
):
    names.means(NAME, "127.0.0.1", "127.0.0.9")

    assert run(typed, typed.asking(request_)).status == 200
    assert names.asked == [NAME]
    assert institution.seen[0].headers["Host"] == f"{NAME}:{port}"


def test_name_that_turns_inside_between_two_connections_leads_nowhere_new(
    run, typed, names, here, institution
):
    names.means(NAME, "127.0.0.1", "127.0.0.9")
    institution.plan.append(body(b"{}", Connection="close"))
    run(typed, typed.asking(GET))

    # What was judged may be remembered; what is told anew is judged anew.
    try:
        run(typed, typed.asking(GET))
    except AddressBarred:
        assert names.asked == [NAME, NAME]
    else:
        assert names.asked == [NAME]


def test_next_address_is_tried_where_nobody_is_at_the_first(run, typed, names, here):
    names.means(NAME, ("::1", "127.0.0.1"))

    assert run(typed, typed.asking(GET)).status == 200


def test_nobody_at_any_address_means_that_nothing_was_sent(run, typed, names, here):
    names.means(NAME, "::1")

    with pytest.raises(Unavailable):
        run(typed, typed.asking(PAY), 3)


LITERAL = ["127.0.0.1", "[::1]", "[::ffff:127.0.0.1]", "10.0.0.1", "169.254.169.254"]


@pytest.mark.parametrize("host", LITERAL)
@pytest.mark.parametrize("request_", [GET, POST])
def test_address_that_was_typed_as_such_is_judged_too(
    run, names, institution, port, host, request_
):
    bank = Typed({}, {"api": f"http://{host}:{port}"})

    with pytest.raises(AddressBarred):
        run(bank, bank.asking(request_))
    assert institution.seen == []


@pytest.mark.parametrize(
    "host", ["127.1", "2130706433", "0x7f.1", "0177.0.0.1", "localhost", "LOCALHOST."]
)
def test_address_in_disguise_is_not_asked(run, names, institution, port, host):
    bank = Typed({}, {"api": f"http://{host}:{port}"})

    with pytest.raises(ProviderError):
        run(bank, bank.asking(GET), 3)
    assert institution.seen == []


@pytest.mark.parametrize("host", ["a" * 64 + ".example", "a..example", "xn--a.example"])
def test_name_that_is_none_is_a_failure_like_others(run, names, monkeypatch, host):
    monkeypatch.setattr(names, "_others", no_such_name)
    bank = Typed({}, {"api": f"https://{host}"})

    with pytest.raises(Unavailable):
        run(bank, bank.asking(GET), 3)


def no_such_name(host, *_about, **_more):
    host.encode("idna")  # as the true one does
    raise OSError("No address is known")


def test_connection_kept_for_the_operator_serves_no_typed_address(
    run, bank, institution
):
    run(bank, bank.asking(GET, POST))
    typed = Typed({}, bank.urls)

    for asked in (GET, POST, [GET, GET]):
        with pytest.raises(AddressBarred):
            run(typed, typed.asking(asked))
    assert len(institution.seen) == 2
    assert run(bank, bank.asking([GET, GET]))[1].status == 200


def test_connection_to_a_typed_address_is_kept(run, typed, names, here, institution):
    names.means(NAME, "127.0.0.1", "127.0.0.9")

    run(typed, typed.asking(GET, POST, [GET, GET]))

    assert len(institution.seen) == 4
    assert names.asked == [NAME]


def test_redirects_of_a_typed_address_are_not_followed(
    run, typed, names, here, institution, url
):
    names.means(NAME, "127.0.0.1")
    institution.plan.extend([status(307, Location=f"{url}/elsewhere")] * 2)

    for asked in (GET, POST):
        assert run(typed, typed.asking(asked)).status == 307
    assert institution.paths == ["/balance", "/"]


def test_refusal_says_nothing_of_a_host_that_nobody_asked(
    run, typed, names, here, institution
):
    names.means(NAME, *["10.0.0.1"] * 8, "127.0.0.1")
    for _ in range(8):
        with pytest.raises(AddressBarred):
            run(typed, typed.asking(GET))

    assert run(typed, typed.asking(GET)).status == 200


def test_adapter_goes_on_elsewhere(run, typed, names, url):
    names.means(NAME, "10.0.0.1")
    typed.urls["own"] = url
    typed.anybodys = lambda host: host == "api"

    def call():
        try:
            yield POST
        except AddressBarred:
            answer = yield Request("POST", "/other", "own")
        return answer.json()

    assert run(typed, call()) == {"path": "/other"}


def test_barred_address_stops_nobody_else(fleet, bank, typed, names):
    names.means(NAME, "169.254.169.254")

    refused, good = fleet.run_all(
        [(typed, typed.observe()), (bank, bank.observe())], seconds=10
    )

    assert isinstance(refused, AddressBarred)
    assert good.status == 200


@pytest.fixture
def silence(names, monkeypatch):
    """Let a name server say nothing about `.example`, until the test is over."""
    over = threading.Event()

    def look_up(host, *about, **more):
        if host.endswith(".example"):
            over.wait(60)
            raise OSError("No answer")
        return names.look_up(host, *about, **more)

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    yield
    over.set()


def test_silent_name_server_of_a_person_holds_up_no_configured_name(
    silence, monkeypatch, port
):
    # uvloop has threads of its own for names; where it is not, they are everybody's.
    module = import_module("providers.drivers.fleet")
    monkeypatch.setattr(module, "new_loop", asyncio.new_event_loop)
    people = [Typed({}, {"api": f"http://{i}.example:{port}"}) for i in range(40)]
    bank = Bank({}, {"api": f"http://localhost:{port}"})
    jobs = [(one, one.observe()) for one in [*people, bank]]
    fleet = Fleet()
    found = fleet.run_each(jobs, seconds=20, chunk=1)

    ((index, answer),) = next(found)
    assert jobs[index][0] is bank
    assert answer.status == 200
    found.close()
    fleet.close()


@pytest.fixture
def of_its_name(tmp_path):
    """A server's certificate of a name that this machine trusts."""
    path = certificate(tmp_path / "node.pem", x509.DNSName(NAME))
    tls.context.cache_clear()
    tls.context().load_verify_locations(path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    yield context
    tls.context.cache_clear()


@pytest.fixture
def named(of_its_name):
    """Whom clients said by TLS that they wanted."""
    wanted = []

    def note(_socket, name, _context):
        wanted.append(name)

    of_its_name.sni_callback = note
    return wanted


def test_tls_is_spoken_with_the_name_that_was_typed(
    of_its_name, named, run, names, here, institution
):
    names.means(NAME, "127.0.0.1")
    with serving(institution, of_its_name) as url:
        port = url.rpartition(":")[2]
        bank = Typed({}, {"api": f"https://{NAME}:{port}"})
        whole = Typed({}, {"api": f"https://{NAME}.:{port}"})
        names.means(f"{NAME}.", "127.0.0.1")

        assert run(bank, bank.asking(POST)).status == 200
        assert run(whole, whole.asking(POST)).status == 200
    assert named == [NAME, NAME]
    assert names.asked == [NAME, f"{NAME}."]
    assert institution.seen[0].headers["Host"] == f"{NAME}:{port}"


def test_certificate_of_another_name_than_was_typed_is_refused(
    of_its_name, run, names, here, institution
):
    names.means("other.example", "127.0.0.1")
    with serving(institution, of_its_name) as url:
        port = url.rpartition(":")[2]
        bank = Typed({}, {"api": f"https://other.example:{port}"})

        with pytest.raises(Unavailable):
            run(bank, bank.asking(PAY), 3)
    assert institution.seen == []


def test_addresses_of_one_name_share_the_time_to_connect(names, monkeypatch):
    names.means(NAME, ("8.8.8.8", "8.8.4.4", "2606:4700:4700::1111"))
    clock, given = [0.0], []

    def silent(found, seconds, options):
        given.append(seconds)
        clock[0] += seconds
        raise TimeoutError("timed out")

    monkeypatch.setattr(public, "_opened", silent)
    monkeypatch.setattr(public, "monotonic", lambda: clock[0])

    with pytest.raises(TimeoutError):
        public.connected(NAME, 443, 3.0)
    assert given == [1.0, 1.0, 1.0]
