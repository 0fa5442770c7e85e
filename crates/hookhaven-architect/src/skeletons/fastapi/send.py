"""How the tests reach the app: through FastAPI's own client."""

from collections import namedtuple

from fastapi.testclient import TestClient

from app import app, pool

Answered = namedtuple("Answered", "status text headers")
# Not entered, so that nothing performs the outbox meanwhile.
_client = TestClient(app)
pool.open()


def send(source: str, headers: dict[str, str], raw: bytes) -> Answered:
    response = _client.post(f"/webhooks/{source}", headers=headers, content=raw)
    return Answered(response.status_code, response.text, response.headers)


def close() -> None:
    _client.close()
    pool.close()
