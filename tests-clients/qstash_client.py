"""Every method of the official QStash client for Python, blocking and asynchronous, against a gateway that runs: one
check a subject, each prints its name. `QSTASH_URL`, `QSTASH_TOKEN` and the two signing keys come from the environment,
as for any user of it; `READ_TOKEN` is one that only reads. The destinations are servers of this process, on loopback.
"""

import os
import sys

from qstash import AsyncQStash, QStash

# In this order the checks run.
from qstash_py import publishing, management, history, access  # noqa: F401
from qstash_py.harness import run_all

token = os.environ["QSTASH_TOKEN"]
clients = [("blocking", QStash(token)), ("asynchronous", AsyncQStash(token))]
sys.exit(0 if run_all(clients) else 1)
