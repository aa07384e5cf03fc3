"""What the blocking driver, TLS and this process's gates promise."""

from __future__ import annotations

import ipaddress
import os
import ssl
import threading
import time

import pytest
from cryptography import x509

import providers
from providers.base import Limit
from providers.breaker import LocalBreaker, Report, SharedBreaker, State
from providers.drivers import Blocking, Gate, blocking, gate_for, gates, tls
from providers.drivers.blocking import _after_fork
from providers.errors import CircuitOpen, OutcomeUnknown, RateLimited, Unavailable
from providers.wire import Request

from .certificates import certificate
from .conftest import GET, PAY, Bank, SerialBank, drop, serving, slow, status


@pytest.fixture
def driver():
    made = Blocking()
    yield made
    made.close()


def test_list_is_sent_one_after_the_other(driver, bank, institution):
    institution.plan.extend([slow(0.05)] * 3)
    driver.run(bank, bank.asking([Request("GET", f"/{i}") for i in range(3)]))

    assert institution.paths == ["/0", "/1", "/2"]
    assert institution.most_at_once == 1


def test_process_keeps_one_driver_a_provider():
    assert blocking("a") is blocking("a")
    assert blocking("a") is not blocking("b")
    _after_fork()


def test_child_process_does_not_speak_over_its_parents_connection(bank, institution):
    blocking("a").run(bank, bank.asking(GET))
    child = os.fork()
    if child == 0:
        try:
            os._exit(blocking("a").run(bank, bank.asking(GET)).status - 200)
        except BaseException:  # noqa: BLE001 - a child must not run the other tests
            os._exit(2)
    _, ended = os.waitpid(child, 0)
    blocking("a").run(bank, bank.asking(GET))

    assert os.waitstatus_to_exitcode(ended) == 0
    parent, other, again = institution.peers
    assert parent == again != other
    blocking("a").close()
    _after_fork()


def test_serial_credentials_wait_for_each_other_across_threads(
    driver, url, institution
):
    institution.plan.extend([slow(0.05)] * 6)
    bank = SerialBank({"token": "one"}, {"api": url})

    def work():
        driver.run(bank, bank.asking(GET))

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert institution.most_at_once == 1
    nonces = [int(request.headers["Nonce"]) for request in institution.seen]
    assert nonces == sorted(nonces)


def test_turn_that_comes_too_late_means_nothing_was_sent(driver, url, institution):
    institution.plan.append(slow(2))
    bank = SerialBank({"token": "one"}, {"api": url})
    first = threading.Thread(target=driver.run, args=(bank, bank.asking(GET)))
    first.start()
    while not institution.seen:
        time.sleep(0.01)

    with pytest.raises(Unavailable):
        driver.run(bank, bank.asking(PAY), deadline=0.3)
    first.join()
    assert institution.paths == ["/balance"]


def test_given_gate_is_the_one_that_is_passed(bank, institution):
    breaker = LocalBreaker()
    driver = Blocking(Gate(breaker))
    institution.plan.extend([drop] * 9)
    for _ in range(2):
        with pytest.raises(Unavailable):
            driver.run(bank, bank.asking(GET))

    assert breaker.state is State.OPEN
    with pytest.raises(CircuitOpen):
        driver.run(bank, bank.asking(GET))
    driver.close()


def test_single_failure_is_told_to_the_others_at_once(driver, bank, institution):
    institution.plan.append(drop)
    with pytest.raises(OutcomeUnknown):
        driver.run(bank, bank.asking(PAY))
    (gate,) = gates.all_gates()

    assert gate.breaker.exchange(Report()).failed == 1


def test_good_probe_heals_the_circuit(bank, institution):
    clock = [0]
    breaker = LocalBreaker(clock=lambda: clock[0])
    driver = Blocking(Gate(breaker))
    breaker.exchange(Report(failed=5))
    clock[0] += 2_000

    assert driver.run(bank, bank.asking(GET)).status == 200
    assert breaker.state is State.CLOSED
    driver.close()


def test_probe_whose_signing_fails_is_handed_back(url):
    clock = [0]
    breaker = LocalBreaker(clock=lambda: clock[0])
    driver = Blocking(Gate(breaker))
    breaker.exchange(Report(failed=5))
    clock[0] += 2_000

    class Broken(Bank):
        def sign(self, request, now, nonce):
            raise KeyError("secret")

    broken = Broken({}, {"api": url})
    with pytest.raises(KeyError):
        driver.run(broken, broken.asking(GET))

    good = Bank({}, {"api": url})
    assert driver.run(good, good.asking(GET)).status == 200
    driver.close()


class Limited(Bank):
    limits = {"api": Limit(3, 60.0)}


def test_spent_budget_is_told_before_sending(driver, url, institution):
    bank = Limited({}, {"api": url})
    driver.run(bank, bank.asking(GET, GET, GET))

    with pytest.raises(RateLimited):
        driver.run(bank, bank.asking(PAY), deadline=0.5)
    assert len(institution.seen) == 3


def test_limit_of_all_customers_keeps_all_away(driver, url, institution):
    institution.plan.append(status(429, Retry_After="100"))
    bank = Limited({}, {"api": url})
    driver.run(bank, bank.asking(GET), deadline=3)

    with pytest.raises(CircuitOpen) as raised:
        driver.run(bank, bank.asking(GET))
    assert 100 < raised.value.retry_after <= 110


def test_hosts_of_one_provider_fail_apart(driver, bank, institution):
    bank.urls["files"] = "http://127.0.0.1:1"
    for _ in range(2):
        with pytest.raises(Unavailable):
            driver.run(bank, bank.asking(Request("GET", "/", host="files")))

    with pytest.raises(CircuitOpen):
        driver.run(bank, bank.asking(Request("GET", "/", host="files")))
    assert driver.run(bank, bank.asking(GET)).status == 200


def test_gates_are_made_once_and_local_without_a_store():
    slug = providers.slugs()[0]

    assert gate_for(slug) is gate_for(slug)
    assert isinstance(gate_for(slug).breaker, LocalBreaker)
    assert gate_for(slug).state().state is State.CLOSED


def test_gates_are_shared_once_a_store_is_named(own_valkey):
    slug = providers.slugs()[0]
    gates.configure(own_valkey.url)
    gate_for(slug).breaker.exchange(Report(hold=60_000))
    gates.configure(own_valkey.url)  # as another process would

    assert isinstance(gate_for(slug).breaker, SharedBreaker)
    assert gate_for(slug).state().state is State.OPEN
    gate_for(slug).reset()
    assert gate_for(slug).state().state is State.CLOSED


def test_gate_of_an_unknown_provider_is_an_error():
    with pytest.raises(LookupError):
        gate_for("no-such-provider")


def test_child_process_keeps_the_store_but_not_its_connection(own_valkey):
    slug = providers.slugs()[0]
    gates.configure(own_valkey.url)
    gate_for(slug).breaker.exchange(Report(hold=60_000))
    child = os.fork()
    if child == 0:
        os._exit(0 if gate_for(slug).state().state is State.OPEN else 1)
    _, ended = os.waitpid(child, 0)

    assert os.waitstatus_to_exitcode(ended) == 0
    assert gate_for(slug).state().state is State.OPEN


@pytest.fixture
def pem(tmp_path):
    address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    return certificate(tmp_path / "bank.pem", address)


@pytest.fixture
def tls_bank(institution, pem):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    with serving(institution, context) as url:
        yield Bank({}, {"api": url})


@pytest.mark.parametrize("request_", [GET, PAY])
def test_server_nobody_vouches_for_is_told_nothing(run, tls_bank, request_):
    with pytest.raises(Unavailable):
        run(tls_bank, tls_bank.asking(request_), 3)


@pytest.fixture
def trusting(pem):
    """The machine's administrator trusts the bank's certificate."""
    tls.context.cache_clear()
    tls.context().load_verify_locations(pem)
    yield
    tls.context.cache_clear()


@pytest.fixture
def run_trusting(trusting, run):
    return run


def test_server_the_machine_trusts_is_spoken_to_and_kept(
    run_trusting, tls_bank, institution
):
    found = run_trusting(tls_bank, tls_bank.asking(GET, GET, PAY))

    assert [response.status for response in found] == [200] * 3
    assert len(set(institution.peers)) == 1


def test_certificate_of_another_name_is_refused(run_trusting, tls_bank):
    url = tls_bank.urls["api"].replace("127.0.0.1", "localhost")
    other = Bank({}, {"api": url})

    with pytest.raises(Unavailable):
        run_trusting(other, other.asking(PAY), 3)


def test_environment_cannot_replace_the_trusted_authorities(
    run_trusting, tls_bank, monkeypatch, tmp_path
):
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "none.pem"))
    monkeypatch.setenv("CURL_CA_BUNDLE", str(tmp_path / "none.pem"))

    assert run_trusting(tls_bank, tls_bank.asking(GET)).status == 200


def test_process_has_one_tls_context_that_verifies():
    context = tls.context()

    assert context is tls.context()
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname
    assert context.get_ca_certs()
