"""Users sign in: tokens of real issuers, through the protocol itself and the official clients."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.exceptions import ConnectionClosed

from tests.auth.issuer import encoded, signed_with_secret
from tests.clients.client_host import ClientError, ClientHost
from tests.clients.issuer_server import IssuerServer
from tests.clients.raw_client import RawClient
from tests.clients.server_process import ServerProcess
from tests.clients.sign_in import Make, custom, oidc, serve

pytestmark = pytest.mark.clients


@pytest.fixture
def issuer() -> Iterator[IssuerServer]:
    with IssuerServer() as issuer:
        yield issuer


@pytest.fixture
def server(make_server: Make, tmp_path: Path, issuer: IssuerServer) -> ServerProcess:
    return serve(make_server, tmp_path, oidc(issuer))


def auth_error(client: RawClient) -> dict[str, Any]:
    """The AuthError with which the server ends this socket; it closes without status."""
    while True:
        message = client.receive()
        if message["type"] == "AuthError":
            closed = client.wait_close()
            assert closed.code in (1005, 1006), closed
            return {name: value for name, value in message.items() if name != "type"}


# The protocol itself.


def test_issuers_side_by_side(make_server: Make, tmp_path: Path, issuer: IssuerServer) -> None:
    with IssuerServer("ES256") as other:
        server = serve(make_server, tmp_path, oidc(issuer), custom(other))
        for each in (issuer, other):
            with RawClient(server.url) as client:
                client.authenticate("User", value=each.token("ada"))
                asked = client.modify(add=[("users:who", {}), ("users:claims", {})])
                assert client.result(asked[0]) == "ada"
                assert client.result(asked[1]) == {
                    "tokenIdentifier": f"{each.url}|ada",
                    "subject": "ada",
                    "issuer": each.url,
                }
                assert client.version.identity == 1


def test_standard_custom_and_nested_claims(make_server: Make, tmp_path: Path, issuer: IssuerServer) -> None:
    told = {"given_name": "Ada", "email_verified": True, "org": {"role": "admin"}, "level": 3}
    with IssuerServer("ES256") as other:
        server = serve(make_server, tmp_path, oidc(issuer), custom(other))
        found = []
        for each in (issuer, other):
            headers = {"authorization": f"Bearer {each.token(**told)}"}
            call = {"path": "users:claims", "args": {}, "format": "convex_encoded_json"}
            answer = httpx.post(f"{server.url}/api/query", json=call, headers=headers).json()
            known = {"tokenIdentifier", "subject", "issuer"}
            found.append({name: value for name, value in answer["value"].items() if name not in known})
    assert found == [
        {"givenName": "Ada", "emailVerified": True, "org": {"role": "admin"}, "level": 3.0},
        {"given_name": "Ada", "email_verified": True, "org.role": "admin", "level": 3.0},
    ]


def test_a_change_of_identity_answers_every_query_in_one_transition(
    server: ServerProcess, issuer: IssuerServer
) -> None:
    with RawClient(server.url) as client:
        client.authenticate("User", value=issuer.token("ada"))
        who, mine, count = client.modify(add=[("users:who", {}), ("users:mine", {}), ("users:count", {})])
        client.settle(client.mutate("users:think", {"text": "one"}))
        assert (client.result(who), client.result(mine)) == ("ada", ["ada: one"])
        for user, thoughts in (("eve", []), (None, []), ("ada", ["ada: one"])):
            begun, updates = len(client.transitions), client.queries[count].updates
            if user is None:
                client.authenticate("None")
            else:
                client.authenticate("User", value=issuer.token(user))
            identity = client.version.identity + 1
            client.until(lambda wanted=identity: client.version.identity == wanted)
            assert (client.result(who), client.result(mine)) == (user, thoughts)
            (changed,) = [each for each in client.transitions[begun:] if each["modifications"]]
            assert changed["startVersion"]["identity"] < changed["endVersion"]["identity"]
            told = {each["queryId"] for each in changed["modifications"]}
            assert {who} <= told <= {who, mine}
            assert client.queries[count].updates == updates, "what does not depend on the user is not sent"


def test_a_fresh_token_of_the_same_user_changes_nothing(server: ServerProcess, issuer: IssuerServer) -> None:
    with RawClient(server.url) as client:
        client.authenticate("User", value=issuer.token("ada"))
        who = client.add("users:who")
        assert client.result(who) == "ada"
        client.authenticate("User", value=issuer.token("ada"))
        client.until(lambda: client.version.identity == 2)
        assert client.transitions[-1]["modifications"] == []


def test_a_token_that_ends_while_connected(make_server: Make, tmp_path: Path, issuer: IssuerServer) -> None:
    server = serve(make_server, tmp_path, oidc(issuer))
    error = {"error": "Convex token identity expired", "authUpdateAttempted": False}
    with RawClient(server.url) as watcher, RawClient(server.url) as caller, RawClient(server.url) as other:
        short = issuer.token("ada", seconds=3)
        for client in (watcher, caller):
            client.authenticate("User", value=short)
            mine, count = client.modify(add=[("users:mine", {}), ("users:count", {})])
            assert (client.result(mine), client.result(count)) == ([], 0.0)
        other.authenticate("User", value=issuer.token("eve"))
        request = other.mutate("users:think", {"text": "while it is good"})
        assert other.settle(request)["result"] == "eve"
        assert watcher.wait_result(count, lambda value: value == 1) == 1.0
        _wait_until_refused(server, short)
        # Who calls is told before the call is run; who watches, in place of the news.
        caller.mutate("users:think", {"text": "never"})
        assert auth_error(caller) == error | {"baseVersion": 1}
        other.settle(other.mutate("users:think", {"text": "not for those whose token has ended"}))
        assert auth_error(watcher) == error | {"baseVersion": 1}
        assert watcher.result(count) == 1.0
        assert other.result(other.add("users:count")) == 2.0


def _wait_until_refused(server: ServerProcess, token: str) -> None:
    """Return when the server's clock has passed the end of `token`."""
    headers = {"authorization": f"Bearer {token}"}
    for _ in range(10_000):
        answer = httpx.post(f"{server.url}/api/query_ts", headers=headers)
        if answer.status_code == httpx.codes.UNAUTHORIZED:
            return
    raise AssertionError("the token does not end")


def test_a_bad_token_ends_the_socket_at_once(server: ServerProcess, issuer: IssuerServer) -> None:
    good = issuer.token()
    head, body, _ = good.split(".")
    public = issuer.issuer.key.as_pem(private=False)
    told = {
        "nonsense": "Could not parse JWT payload. Check that the token is a valid JWT format with three "
        "base64-encoded parts separated by dots.",
        issuer.token(iss=None): "Missing issuer claim ('iss') in JWT payload. The issuer tells which auth "
        "provider made it.",
        issuer.token(aud="other"): "No auth provider found matching the given token. Check that your JWT's "
        "issuer and audience match one of your configured providers: "
        f"[OIDC(domain={issuer.url}, app_id=app)]",
    }
    refused = (
        "Could not verify OIDC token claim. Check that the token signature is valid and the token hasn't "
        "expired."
    )
    for bad in (
        issuer.token(seconds=-1),
        issuer.token(nbf=2**40),
        f"{head}.{body}.{encoded(b'x' * 256)}",
        f"{encoded(issuer.issuer.header | {'alg': 'none'})}.{body}.",
        signed_with_secret(issuer.issuer.header | {"alg": "HS256"}, issuer.issuer.claims(exp=2**40), public),
        issuer.token(header={"kid": "../../dev/null"}),
    ):
        told[bad] = refused
    for token, text in told.items():
        with RawClient(server.url) as client:
            client.authenticate("User", value=token)
            with suppress(ConnectionClosed):  # It may be over already.
                client.add("users:who")
            assert auth_error(client) == {"error": text, "baseVersion": 0, "authUpdateAttempted": True}
    with RawClient(server.url) as client:
        client.authenticate("User", value=good)
        assert client.result(client.add("users:who")) == "ada"


def test_keys_are_rotated_while_users_sign_in(server: ServerProcess, issuer: IssuerServer) -> None:
    tokens = [issuer.token("ada")]
    with RawClient(server.url) as client:
        client.authenticate("User", value=tokens[0])
        who = client.add("users:who")
        assert client.result(who) == "ada"
        for name in ("second", "third"):
            issuer.issuer.rotate(name)
            tokens.append(issuer.token(name))
            client.authenticate("User", value=tokens[-1])
            assert client.wait_result(who, lambda value, wanted=name: value == wanted) == name
    for token in tokens:
        headers = {"authorization": f"Bearer {token}"}
        assert httpx.post(f"{server.url}/api/query_ts", headers=headers).status_code == httpx.codes.OK


def test_an_issuer_with_another_clock(server: ServerProcess, issuer: IssuerServer) -> None:
    for skew, is_taken in ((3, True), (-3, True), (60, False)):
        issuer.skew = skew
        token = issuer.token(nbf=int(_now(issuer)), seconds=600)
        headers = {"authorization": f"Bearer {token}"}
        status = httpx.post(f"{server.url}/api/query_ts", headers=headers).status_code
        assert status == (httpx.codes.OK if is_taken else httpx.codes.UNAUTHORIZED), skew


def _now(issuer: IssuerServer) -> float:
    payload = issuer.token().split(".")[1]
    issued: int = json.loads(base64.urlsafe_b64decode(payload + "=="))["iat"]
    return issued


def test_a_provider_that_is_down(make_server: Make, tmp_path: Path, issuer: IssuerServer) -> None:
    server = serve(make_server, tmp_path, oidc(issuer), provider_request_pause_seconds=0.01)
    failed = {"error": f"Auth provider discovery of {issuer.url} failed: 503", "authUpdateAttempted": True}
    issuer.is_down = True
    with RawClient(server.url) as client:
        client.authenticate("User", value=issuer.token())
        assert auth_error(client) == failed | {"baseVersion": 0}
    issuer.is_down = False
    with RawClient(server.url) as client:
        client.authenticate("User", value=issuer.token())
        assert client.result(client.add("users:who")) == "ada"
    # Its keys go on, a new one is not known.
    issuer.is_down = True
    with RawClient(server.url) as client:
        client.authenticate("User", value=issuer.token())
        assert client.result(client.add("users:who")) == "ada"
        issuer.issuer.rotate("second")
        client.authenticate("User", value=issuer.token())
        assert auth_error(client) == failed | {"baseVersion": 1}


def test_a_provider_that_does_not_answer_holds_only_what_waits_for_it(
    make_server: Make, tmp_path: Path, issuer: IssuerServer
) -> None:
    server = serve(make_server, tmp_path, oidc(issuer))
    with RawClient(server.url) as client, RawClient(server.url) as other:
        issuer.answers.clear()
        client.authenticate("User", value=issuer.token())
        # Sent behind it: they are heard in their order, as the user that it turns out to be.
        who = client.add("users:who")
        requests = [client.mutate("users:think", {"text": str(number)}) for number in range(3)]
        mine = client.add("users:mine")
        issuer.wait_asked("/.well-known/openid-configuration")
        # Everybody else goes on.
        assert other.result(other.add("users:who")) is None
        issuer.answers.set()
        assert client.result(who) == "ada"
        assert [client.settle(request)["result"] for request in requests] == ["ada"] * 3
        assert client.wait_result(mine, lambda value: len(value) == 3) == ["ada: 0", "ada: 1", "ada: 2"]


def test_a_provider_that_never_answers_is_given_up(
    make_server: Make, tmp_path: Path, issuer: IssuerServer
) -> None:
    server = serve(make_server, tmp_path, oidc(issuer), provider_request_seconds_max=0.5)
    issuer.answers.clear()
    with RawClient(server.url) as client:
        client.authenticate("User", value=issuer.token())
        client.add("users:who")
        error = f"Auth provider discovery of {issuer.url} failed"
        assert auth_error(client) == {"error": error, "baseVersion": 0, "authUpdateAttempted": True}


# HTTP.


def test_http_calls_and_http_actions(server: ServerProcess, issuer: IssuerServer) -> None:
    good = {"authorization": f"Bearer {issuer.token('ada')}"}
    for kind, path in (("query", "users:who"), ("mutation", "users:think"), ("action", "users:ask")):
        args = {"text": "by http"} if kind == "mutation" else {}
        answer = httpx.post(f"{server.url}/api/{kind}", json={"path": path, "args": args}, headers=good)
        assert answer.json()["value"] == "ada", answer.text
    for token, code in (
        ("nonsense", "InvalidAuthHeader"),
        (issuer.token(aud="x"), "NoAuthProvider"),
        (issuer.token(seconds=-1), "Unauthenticated"),
    ):
        bad = {"authorization": f"Bearer {token}"}
        answer = httpx.post(f"{server.url}/api/query", json={"path": "users:who", "args": {}}, headers=bad)
        assert (answer.status_code, answer.json()["code"]) == (401, code)
        # An HTTP action is refused nothing but the question who it is.
        assert httpx.get(f"{server.url}/http/open", headers=bad).text == "open"
        answer = httpx.get(f"{server.url}/http/who", headers=bad)
        assert (answer.status_code, "Server Error" in answer.json()["code"]) == (500, True)
    assert httpx.get(f"{server.url}/http/who", headers=good).text == "ada"
    assert httpx.get(f"{server.url}/http/who").text == "nobody"


# Official clients.


def fetched(host: ClientHost, name: str) -> list[bool]:
    """For each time that the npm client asked for a token, whether it wanted a fresh one."""
    events = list(host.program.events)
    return [each["forced"] for each in events if each["event"] == "fetched" and each["client"] == name]


def wait_signed_in(host: ClientHost, name: str, *, wanted: bool, count: int = 1) -> None:
    def look() -> bool | None:
        events = list(host.program.events)
        told = [each["value"] for each in events if each["event"] == "auth" and each["client"] == name]
        return True if told.count(wanted) >= count else None

    host.program.wait_for(look)


def test_npm_signs_in_refreshes_and_changes_its_user(
    server: ServerProcess, issuer: IssuerServer, npm: ClientHost
) -> None:
    client = npm.open(server.url)
    client.set_auth_from(f"{issuer.url}/token?user=ada")
    who, mine = client.subscribe("users:who"), client.subscribe("users:mine")
    assert who.wait_value(lambda value: value is not None) == "ada"
    wait_signed_in(npm, client.name, wanted=True)
    assert client.mutation("users:think", {"text": "one"}) == "ada"
    assert client.call("action", "users:ask").wait() == "ada"
    assert mine.wait_value(bool) == ["ada: one"]
    # The cached token first, then a fresh one, over the same connection.
    npm.program.wait_for(lambda: fetched(npm, client.name) == [False, True] or None)
    # This one is given again when npm asks for a fresh one, so it sends nothing more by itself.
    token = issuer.token("eve")
    client.set_auth_from(f"{issuer.url}/token?user=eve", token, token)
    assert who.wait_value(lambda value: value == "eve") == "eve"
    assert mine.wait_value(lambda value: value == []) == []
    npm.program.wait_for(lambda: len(fetched(npm, client.name)) == 4 or None)
    client.clear_auth()
    assert who.wait_value(lambda value: value is None) is None
    assert client.state()["connectionCount"] == 1
    assert set(who.values) <= {None, "ada", "eve"}
    assert who.values[-3:] == ["ada", "eve", None]


def test_npm_fetches_a_new_token_before_the_old_one_ends(
    server: ServerProcess, issuer: IssuerServer, npm: ClientHost
) -> None:
    client = npm.open(server.url)
    # npm asks ten seconds before the end, so these tokens are renewed after two.
    client.set_auth_from(f"{issuer.url}/token?user=ada&seconds=12")
    who = client.subscribe("users:who")
    npm.program.wait_for(lambda: len(fetched(npm, client.name)) >= 4 or None)
    assert who.wait_value(lambda value: value == "ada") == "ada"
    assert client.state()["connectionCount"] == 1
    assert "AuthError" not in npm.received()
    assert who.values == ["ada"], "nothing is sent again for a fresh token"


def test_npm_comes_back_with_a_new_token_after_an_auth_error(
    server: ServerProcess, issuer: IssuerServer, npm: ClientHost
) -> None:
    client = npm.open(server.url)
    token = issuer.token("ada", seconds=3, iat=None)  # Without `iat` npm plans no refresh.
    client.set_auth_from(f"{issuer.url}/token?user=ada", token, token)
    who = client.subscribe("users:who")
    assert who.wait_value(lambda value: value == "ada") == "ada"
    npm.program.wait_for(lambda: len(fetched(npm, client.name)) >= 2 or None)
    _wait_until_refused(server, token)
    # Sent under the token that has ended: refused, and sent again under the new one. Once.
    assert client.mutation("users:think", {"text": "once"}) == "ada"
    assert npm.received()["AuthError"] == 1
    assert client.query("users:mine") == ["ada: once"]
    assert client.state()["connectionCount"] == 2


def test_npm_gives_up_on_an_issuer_that_is_not_trusted(server: ServerProcess, npm: ClientHost) -> None:
    with IssuerServer() as stranger:
        client = npm.open(server.url)
        client.set_auth_from(f"{stranger.url}/token?user=ada")
        who = client.subscribe("users:who")
        wait_signed_in(npm, client.name, wanted=False)
        assert who.wait_value(lambda value: value is None) is None
        assert npm.received()["AuthError"] == 4


def test_npm_over_http(server: ServerProcess, issuer: IssuerServer, npm: ClientHost) -> None:
    client = npm.open_http(server.url)
    client.set_auth(issuer.token("ada"))
    assert client.query("users:who") == "ada"
    assert client.mutation("users:think", {"text": "one"}) == "ada"
    assert client.call("action", "users:ask").wait() == "ada"
    client.set_auth(issuer.token("ada", aud="other"))
    with pytest.raises(ClientError, match="No auth provider found"):
        client.query("users:who")
    client.clear_auth()
    assert client.query("users:who") is None


@pytest.mark.parametrize("is_http", [False, True], ids=["websocket", "http"])
def test_pypi_signs_in_and_out(
    server: ServerProcess, issuer: IssuerServer, pypi: ClientHost, *, is_http: bool
) -> None:
    opens: Callable[[str], Any] = pypi.open_http if is_http else pypi.open
    client = opens(server.url)
    client.set_auth(issuer.token("ada"))
    assert client.query("users:who") == "ada"
    assert client.mutation("users:think", {"text": "one"}) == "ada"
    assert client.call("action", "users:ask").wait() == "ada"
    client.set_auth(issuer.token("eve"))
    assert client.query("users:mine") == []
    client.clear_auth()
    assert client.query("users:who") is None
    with pytest.raises(ClientError, match="requires a signed-in user"):
        client.mutation("users:think", {"text": "two"})
