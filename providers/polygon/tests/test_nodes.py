"""Nodes fail, lag and lie; the next one is asked, and nothing of two is mixed."""

from __future__ import annotations

import json
from contextlib import closing

import pytest

from providers import errors
from providers.drivers import Blocking, Fleet
from providers.polygon import Provider, abi
from providers.polygon.rpc import meaning
from providers.sandbox.inside import sender
from providers.wire import Response, drive
from tests import fixtures_names

from .conftest import NODES
from .test_reading import places

names = fixtures_names.names


def notes(seen):
    (note,) = {reading.details["second_endpoint"] for reading in seen.readings}
    return note


@pytest.mark.parametrize("refusal", ["no", "400", "413"])
def test_node_that_takes_no_lists_is_asked_one_by_one(ask, bank, refusal):
    whole = ask()
    bank.configure(extra={"lists": refusal})
    before = bank.requests

    assert ask() == whole
    assert bank.requests - before == 1 + 6  # a list is tried once only


def test_answers_are_matched_by_number_in_whatever_order_they_come(bank, adapter):
    send, turned = sender(adapter, bank), []

    def other_way_round(request):
        answer = send(request)
        rows = json.loads(answer.body)[::-1]
        turned.append(len(rows))
        return Response(200, {}, json.dumps(rows).encode())

    whole = drive(adapter.observe(), send)
    assert drive(adapter.observe(), other_way_round) == whole
    assert turned == [6]


@pytest.mark.parametrize(
    "spoil",
    [
        lambda rows: rows[:-1],
        lambda rows: [*rows, rows[0]],
        lambda rows: [{**row, "id": row["id"] + 1} for row in rows],
        lambda rows: [{**row, "id": str(row["id"])} for row in rows],
        lambda rows: [{**row, "error": None} for row in rows],
    ],
)
def test_answers_without_their_question_are_refused(bank, adapter, spoil):
    send = sender(adapter, bank)

    def bent(request):
        rows = spoil(json.loads(send(request).body))
        return Response(200, {}, json.dumps(rows).encode())

    with pytest.raises(errors.UnexpectedResponse):
        drive(adapter.observe(), bent)


@pytest.mark.parametrize(
    ("code", "message", "error"),
    [
        (-32005, "limit exceeded", errors.RateLimited),
        (-32029, "slow down", errors.RateLimited),
        (-32000, "Too many requests, retry later", errors.RateLimited),
        (-32000, "Must be authenticated!", errors.AuthenticationFailed),
        (-32600, "Invalid API key", errors.AuthenticationFailed),
        (-32000, "header not found", errors.Unavailable),
        (-32000, "missing trie node 12ab", errors.Unavailable),
        (-32603, "internal error", errors.Unavailable),
        (3, "execution reverted", errors.UnexpectedResponse),
        (-32603, "VM Exception: reverted with reason", errors.UnexpectedResponse),
        (-32000, "execution reverted: Paused", errors.UnexpectedResponse),
        (-32601, "the method does not exist", errors.UnexpectedResponse),
        (-32004, "unsupported", errors.UnexpectedResponse),
        (-32602, "invalid argument 0", errors.UnexpectedResponse),
        ("3", "text", errors.UnexpectedResponse),
        (1, None, errors.UnexpectedResponse),
    ],
)
def test_errors_are_told_apart_by_their_words_where_codes_are_not_enough(
    code, message, error
):
    assert type(meaning({"code": code, "message": message})) is error


@pytest.mark.parametrize(
    "fault",
    [
        {"action": "5xx"},
        {"action": "429"},
        {"action": "drop_before"},
        {"action": "garbage"},
        {"action": "nan"},
        {"action": "refuse", "code": "authentication_failed"},
        {"action": "refuse", "code": "rate_limited"},
    ],
)
def test_next_endpoint_is_asked_when_one_fails(several, ask, bank, fault):
    whole = ask()
    bank.fault(**fault)

    seen = several()

    assert seen.complete
    assert [r.total for r in seen.readings] == [r.total for r in whole.readings]
    assert notes(seen).startswith("api failed")
    assert notes(seen).endswith("rpc2: yes")


@pytest.mark.parametrize("how", [{"chain": 1}, {"lag": 9}])
def test_node_of_another_chain_or_behind_is_passed_over(several, bank, how):
    bank.mine(20)
    known = places(several())
    bank.behave(**how)

    assert notes(several(known)).startswith("api failed")


def test_all_endpoints_behind_is_an_error_that_names_each(several, bank):
    bank.mine(20)
    known = places(several())
    for node in ("", "node2", "node3"):
        bank.behave(node, lag=9)

    with pytest.raises(errors.Unavailable) as raised:
        several(known)

    assert all(
        f"{host}: This node is behind" in str(raised.value)
        for host in ("api", "rpc1", "rpc2")
    )


@pytest.mark.parametrize("liar", ["", "node2"])
def test_two_endpoints_that_disagree_are_both_refused(several, bank, liar):
    bank.behave(liar, lies=True)

    with pytest.raises(errors.UnexpectedResponse, match="disagree"):
        several()


def bent_at(bank, adapter, host, change):
    """Return a sender with which one host's calls of contracts come back changed."""
    send = sender(adapter, bank)

    def bend(request):
        answer = send(request)
        if request.host != host:
            return answer
        rows, asked = json.loads(answer.body), json.loads(request.body)
        for row in rows:
            if asked[row["id"] - 1]["method"] == "eth_call" and "result" in row:
                change(row)
        return Response(200, {}, json.dumps(rows).encode())

    return bend


def richer(row):
    """Let the first token's balance be one unit more than it is."""
    told = abi.decode_results(bytes.fromhex(row["result"][2:]))
    told[2] = (True, abi.word(abi.uint(told[2][1]) + 1))
    row["result"] = "0x" + abi.encode_results(told).hex()


@pytest.mark.parametrize("liar", ["api", "rpc1"])
def test_two_endpoints_that_tell_other_figures_of_one_block_are_both_refused(
    bank, alex, liar
):
    adapter = Provider(alex.credentials, NODES)

    with pytest.raises(errors.UnexpectedResponse, match="disagree"):
        drive(adapter.observe(), bent_at(bank, adapter, liar, richer))


def test_second_endpoint_that_knows_the_block_and_no_figures_is_said(bank, alex):
    adapter = Provider(alex.credentials, NODES)

    def forget(row):
        del row["result"]
        row["error"] = {"code": -32000, "message": "missing trie node 12ab"}

    seen = drive(adapter.observe(), bent_at(bank, adapter, "rpc1", forget))

    assert notes(seen) == "rpc1: knows the block, not the figures; rpc2: yes"


def test_token_that_fails_at_one_endpoint_alone_contradicts_nothing(bank, alex):
    adapter = Provider(alex.credentials, NODES)

    def fail(row):
        told = abi.decode_results(bytes.fromhex(row["result"][2:]))
        row["result"] = (
            "0x" + abi.encode_results([*told[:2], (False, b""), *told[3:]]).hex()
        )

    seen = drive(adapter.observe(), bent_at(bank, adapter, "rpc1", fail))

    assert (notes(seen), seen.complete) == ("rpc1: yes", True)


def test_second_endpoint_that_does_not_know_yet_is_said_and_the_next_is_asked(
    several, bank
):
    bank.mine(5)
    bank.behave("node2", lag=5)

    assert notes(several()) == "rpc1: does not know the block yet; rpc2: yes"
    bank.behave("node3", lag=5)
    assert notes(several()).endswith("rpc2: does not know the block yet")


def test_second_endpoint_that_answers_nonsense_changes_nothing(several, bank):
    bank.fault("garbage", path="/node2")

    assert notes(several()) == "rpc1: failed (unexpected_response); rpc2: yes"


def test_dead_endpoint_does_not_take_the_time_of_the_others(alex):
    urls = ["https://a.example", "https://b.example"]
    adapter = Provider({**alex.credentials, "rpc_urls": json.dumps(urls)})
    call = adapter.observe()

    first = next(call)
    then = call.throw(errors.Unavailable())

    assert (first.host, then.host) == ("api", "rpc1")
    assert adapter.deadline - first.patience > 50  # seconds: where both are slow
    assert then.patience is None  # the last hope has all the time that is left


def test_node_that_leads_inside_is_passed_over(alex):
    urls = ["https://a.example", "https://b.example"]
    adapter = Provider({**alex.credentials, "rpc_urls": json.dumps(urls)})
    call = adapter.observe()
    next(call)

    assert call.throw(errors.AddressBarred()).host == "rpc1"


@pytest.mark.parametrize("driver", [Blocking, Fleet])
def test_nodes_that_lead_inside_are_not_asked(alex, names, driver):
    names.means("a.example", "169.254.169.254")
    names.means("b.example", ("8.8.8.8", "::ffff:127.0.0.1"))
    urls = ["https://a.example/key", "https://b.example"]
    adapter = Provider({**alex.credentials, "rpc_urls": json.dumps(urls)})

    found = outcome(driver(), adapter)

    assert isinstance(found, errors.AddressBarred)
    assert "api: Polygon: This address may not be called" in str(found)
    assert "key" not in str(found)
    assert names.asked == ["a.example", "b.example"]


def outcome(driver, adapter):
    with closing(driver):
        if isinstance(driver, Fleet):
            (found,) = driver.run_all([(adapter, adapter.observe())], seconds=10)
            return found
        with pytest.raises(errors.ProviderError) as raised:
            driver.run(adapter, adapter.observe(), deadline=10)
        return raised.value


def mixed(send, change):
    """Return a sender whose answers went through `change`, each with its question."""

    def mix(request):
        rows = json.loads(send(request).body)
        for row in rows:
            change(json.loads(request.body)[row["id"] - 1]["params"], row)
        return Response(200, {}, json.dumps(rows).encode())

    return mix


def test_list_that_two_machines_answered_is_refused_if_one_is_behind(bank, adapter):
    send, older = sender(adapter, bank), []

    def keep(params, row):
        if params[-1:] == ["latest"]:
            older.append(row["result"])

    def put_back(params, row):
        if params[-1:] == ["latest"]:
            row["result"] = older[0]

    drive(adapter.observe(), mixed(send, keep))
    bank.mine(9)
    with pytest.raises(errors.Unavailable, match="behind"):
        drive(adapter.observe(), mixed(send, put_back))


def test_list_that_two_machines_answered_is_refused_if_their_blocks_differ(
    bank, adapter
):
    send = sender(adapter, bank)
    known = places(drive(adapter.observe(), send))

    def turn(params, row):
        if params[:1] == [hex(known[0].block.number)]:
            row["result"] = {**row["result"], "hash": "0x" + "12" * 32}

    with pytest.raises(errors.Unavailable, match="changed"):
        drive(adapter.observe(known), mixed(send, turn))


def test_figures_at_the_latest_block_that_fail_leave_nothing_half_told(bank, adapter):
    def fail(params, row):
        if params[-1:] == ["latest"]:
            del row["result"]
            row["error"] = {"code": -32000, "message": "header not found"}

    with pytest.raises(errors.Unavailable, match="header not found"):
        drive(adapter.observe(), mixed(sender(adapter, bank), fail))


def test_block_that_became_final_meanwhile_makes_it_ask_for_the_first_one(
    bank, adapter
):
    send, looks = sender(adapter, bank), []
    bank.mine(5)

    def move_on(params, row):
        looks.append(params)
        if params == ["finalized", False] and looks.count(params) == 1:  # told last
            row["result"] = {**row["result"], "number": hex(bank.chain.top(bank.now))}

    seen = drive(adapter.observe(), mixed(send, move_on))

    assert seen.complete
    assert bank.requests == 2
    pinned = hex(seen.readings[0].block.number)
    assert [pinned, False] in looks


@pytest.mark.parametrize(
    ("code", "message", "error"),
    [
        (-32005, "limit exceeded", errors.RateLimited),
        (-32000, "Must be authenticated!", errors.AuthenticationFailed),
    ],
)
def test_one_error_for_a_whole_list_is_not_always_about_lists(
    adapter, code, message, error
):
    told = {"jsonrpc": "2.0", "id": None, "error": {"code": code, "message": message}}
    call = adapter.observe()
    next(call)

    with pytest.raises(error):
        call.send(Response(200, {}, json.dumps(told).encode()))


def test_node_that_knows_no_other_state_than_the_latest_is_refused(ask, bank, alex):
    bank.pay(alex.account.external_id, 1, pending=True)
    bank.behave(forgets=True)

    with pytest.raises(errors.UnexpectedResponse, match="another block"):
        ask()


def test_token_that_fails_at_the_latest_block_only_is_unknown_as_well(bank, adapter):
    def fail(params, row):
        if params[-1:] == ["latest"]:
            told = abi.decode_results(bytes.fromhex(row["result"][2:]))
            told[2] = (True, b"")  # after the block's number and the native coin
            row["result"] = "0x" + abi.encode_results(told).hex()

    seen = drive(adapter.observe(), mixed(sender(adapter, bank), fail))

    (unknown,) = [r for r in seen.readings if r.total is None]
    assert unknown.available is None
    assert not seen.complete
