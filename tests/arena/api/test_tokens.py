"""A token for each researcher: made by command, stored as a hash, limited in scope, time and number of requests."""

import json
from datetime import timedelta
from io import StringIO

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.test import Client
from django.utils import timezone

from arena.api.models import ApiToken, Scope
from arena.api.tokens import issue

pytestmark = pytest.mark.django_db


def command(*arguments: str) -> str:
    out = StringIO()
    call_command("api_token", *arguments, stdout=out, stderr=StringIO())
    return out.getvalue().strip()


def bearer(secret: str) -> Client:
    return Client(headers={"Authorization": f"Bearer {secret}"})


def test_the_secret_is_printed_once_and_stored_nowhere() -> None:
    secret = command("create", "mika", "--scope", "read", "--scope", "votes", "--days", "7")
    token = ApiToken.objects.get()
    assert secret.startswith("arena_")
    assert len(secret) > 45
    stored = json.dumps({field.name: str(getattr(token, field.name)) for field in token._meta.fields})
    assert secret not in stored
    assert secret.removeprefix("arena_") not in stored
    assert (token.scopes, token.state) == (["read", "votes"], "valid")
    assert timedelta(days=6.9) < token.expires_at - timezone.now() <= timedelta(days=7)
    assert bearer(secret).get("/api/leaderboard").status_code == 200


def test_use_is_noted_to_the_minute() -> None:
    _, secret = issue("mika", ["read"], 7)
    assert ApiToken.objects.get().last_used_at is None
    bearer(secret).get("/api/leaderboard")
    used = ApiToken.objects.get().last_used_at
    bearer(secret).get("/api/leaderboard")
    assert ApiToken.objects.get().last_used_at == used is not None


@pytest.mark.parametrize(
    ("field", "said"), [("expires_at", "is expired since 2026-01-02"), ("revoked_at", "is revoked since 2026-01-02")]
)
def test_an_expired_or_revoked_token_is_401_in_problem_json(field: str, said: str) -> None:
    _, secret = issue("mika", ["read"], 7)
    ApiToken.objects.update(**{field: timezone.make_aware(timezone.datetime(2026, 1, 2))})
    answer = bearer(secret).get("/api/leaderboard")
    assert (answer.status_code, answer["Content-Type"]) == (401, "application/problem+json")
    assert answer["WWW-Authenticate"] == 'Bearer error="invalid_token"'
    assert said in answer.json()["detail"]
    assert "api_token create" in answer.json()["detail"]


@pytest.mark.parametrize(
    ("scope", "method", "path"),
    [
        ("checkpoints", "post", "/api/checkpoints"),
        ("checkpoints", "post", "/api/runs/x/progress"),
        ("evaluations", "post", "/api/evaluations"),
        ("evaluations", "post", "/api/evaluations/1/cancel"),
        ("read", "get", "/api/evaluations"),
        ("read", "get", "/api/evaluations/1"),
        ("read", "get", "/api/leaderboard"),
        ("read", "get", "/api/comparisons"),
        ("votes", "get", "/api/votes"),
        ("votes", "get", "/api/votes/card"),
    ],
)
def test_every_other_scope_together_is_403_and_the_right_one_lets_in(scope: str, method: str, path: str) -> None:
    _, others = issue("others", [one for one in Scope.values if one != scope], 7)
    answer = getattr(bearer(others), method)(path, content_type="application/json")
    assert (answer.status_code, answer["Content-Type"]) == (403, "application/problem+json")
    assert answer["WWW-Authenticate"] == f'Bearer error="insufficient_scope", scope="{scope}"'
    assert f"lacks the scope '{scope}'" in answer.json()["detail"]
    _, right = issue("right", [scope], 7)
    assert getattr(bearer(right), method)(path, content_type="application/json").status_code not in {401, 403}


def test_revoking_by_command_ends_it_and_keeps_the_name_taken() -> None:
    secret = command("create", "mika")
    assert bearer(secret).get("/api/leaderboard").status_code == 200
    assert "mika is revoked" in command("revoke", "mika")
    assert bearer(secret).get("/api/leaderboard").status_code == 401
    since = ApiToken.objects.get().revoked_at
    command("revoke", "mika")
    assert ApiToken.objects.get().revoked_at == since
    with pytest.raises(CommandError, match="exists, or existed, already"):
        command("create", "mika")


def test_the_list_tells_states_and_no_secret() -> None:
    secret = command("create", "mika", "--scope", "votes")
    rows = json.loads(command("list", "--json"))
    assert [(row["name"], row["scopes"], row["state"]) for row in rows] == [("mika", "votes", "valid")]
    table = command("list")
    assert "mika" in table
    assert secret not in table
    assert ApiToken.objects.get().sha256 not in table


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["create", "x", "--scope", "write"], "no scope 'write'; known: read, checkpoints, evaluations, votes"),
        (["create", "x", "--days", "0"], "more than 0 and at most 3660 days, not 0"),
        (["create", "x", "--days", "nan"], "more than 0 and at most 3660 days, not nan"),
        (["create", " "], "1 to 100 characters"),
        (["revoke", "nobody"], "no token 'nobody'; known: mika"),
    ],
)
def test_wrong_requests_for_tokens_name_the_remedy(arguments: list[str], complaint: str) -> None:
    issue("mika", ["read"], 7)
    with pytest.raises(CommandError, match=complaint):
        command(*arguments)
    assert ApiToken.objects.count() == 1


def test_each_token_has_its_own_limit_a_minute(settings) -> None:
    settings.ARENA_API_REQUESTS_PER_MINUTE = 3
    clients = [bearer(issue(name, ["read"], 7)[1]) for name in ("mika", "noa")]
    assert [clients[0].get("/api/leaderboard").status_code for _ in range(4)] == [200, 200, 200, 429]
    refused = clients[0].get("/api/leaderboard")
    assert refused["Content-Type"] == "application/problem+json"
    assert 0 < int(refused["Retry-After"]) <= 60
    assert "more than 3 requests in this minute" in refused.json()["detail"]
    assert clients[1].get("/api/leaderboard").status_code == 200, "another token's minute"


def test_wrong_tokens_are_counted_by_address(settings, client: Client) -> None:
    settings.ARENA_API_REQUESTS_PER_MINUTE = 2
    codes = [bearer(f"arena_guess{number}").get("/api/leaderboard").status_code for number in range(3)]
    assert codes == [401, 401, 429]
    _, secret = issue("mika", ["read"], 7)
    assert bearer(secret).get("/api/leaderboard").status_code == 200, "a right token is not held back by wrong ones"


def test_no_limit_is_zero(settings) -> None:
    settings.ARENA_API_REQUESTS_PER_MINUTE = 0
    client = bearer(issue("mika", ["read"], 7)[1])
    assert {client.get("/api/leaderboard").status_code for _ in range(5)} == {200}


def test_the_admin_shows_tokens_and_revokes_them(client: Client) -> None:
    client.force_login(User.objects.create_superuser("boss"))
    token, secret = issue("mika", ["read"], 7)
    address = "/admin/api/apitoken/"
    page = client.get(address).content.decode()
    assert "mika" in page
    assert token.sha256 not in page
    client.post(address, {"action": "revoke", "_selected_action": [token.pk]})
    assert bearer(secret).get("/api/leaderboard").status_code == 401
    assert client.get(f"{address}add/").status_code == 403
