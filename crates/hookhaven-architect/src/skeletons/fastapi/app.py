"""The FastAPI side: raw bytes in, an answer out; and the outbox beside it.

Run it with `uvicorn app:app`.
"""

import logging
import os
import threading
from contextlib import asynccontextmanager, contextmanager

from fastapi import FastAPI, Request, Response
from fastapi.concurrency import run_in_threadpool
from psycopg_pool import ConnectionPool

from handlers import BODY_BYTES_MAX
from webhooks import outbox
from webhooks.receive import read_secrets, receive

logging.basicConfig(level=logging.INFO, format="%(message)s")
secrets = read_secrets(os.environ)
# Who waits for the database gives up before the gateway does, and is tried again. Connections that the database closed
# meanwhile are replaced; and while there are none, it is asked again at each request rather than after growing pauses.
WAIT_S_MAX = 5
pool = ConnectionPool(
    os.environ["DATABASE_URL"],
    min_size=1,
    max_size=10,
    timeout=WAIT_S_MAX,
    reconnect_timeout=WAIT_S_MAX,
    check=ConnectionPool.check_connection,
    kwargs={"connect_timeout": WAIT_S_MAX},
    open=False,
)


@contextmanager
def begin():
    # The pool commits when the block ends and rolls back when it raises.
    with pool.connection() as connection, connection.cursor() as cursor:
        yield cursor


@asynccontextmanager
async def lifespan(_app: FastAPI):
    pool.open()
    stop = threading.Event()
    worker = threading.Thread(target=outbox.run, args=(begin, stop), name="outbox")
    worker.start()
    try:
        yield
    finally:
        stop.set()
        await run_in_threadpool(worker.join)
        pool.close()


app = FastAPI(lifespan=lifespan)


@app.post("/webhooks/{source}")
async def webhook(source: str, request: Request) -> Response:
    # The signature is over the bytes as they came: no model may parse them before.
    raw = bytearray()
    async for chunk in request.stream():
        raw += chunk
        if len(raw) > BODY_BYTES_MAX:
            return Response("the body is too large", 413)
    # The driver waits for the database, so it waits in a thread.
    answer = await run_in_threadpool(receive, begin, secrets, source, request.headers, bytes(raw))
    return Response(answer.text, answer.status, answer.headers, media_type=answer.content_type)
