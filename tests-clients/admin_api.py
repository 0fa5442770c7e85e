"""schemathesis tries the admin API of a running gateway by the description that the gateway gives of itself.

Takes the gateway from HOOKHAVEN_URL and HOOKHAVEN_ADMIN_TOKEN. What is tried is made from a fixed seed. Half of what
schemathesis makes up for ids and names would only ever meet "no such thing"; so, where a request is meant to be right,
those that the gateway lists take its place.
"""

import collections
import json
import os
import sys
import tempfile
import urllib.request

import requests
import schemathesis
from schemathesis.cli import schemathesis as command
from schemathesis.specs.openapi.definitions import OPENAPI_31_VALIDATOR

URL = os.environ["HOOKHAVEN_URL"]
TOKEN = os.environ["HOOKHAVEN_ADMIN_TOKEN"]
DOCUMENT = "/api/v1/openapi.json"
# For each operation, beside the phase that covers each parameter: few enough that all of them end within minutes.
EXAMPLES = os.environ.get("EXAMPLES", "8")
SEED = os.environ.get("SEED", "20261122")
CHECKS = [
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "negative_data_rejection",
    "unsupported_method",
]
# What would reach beyond the gateway, or never end.
LEFT_OUT = {
    "begin_backup": "writes where it is told to on the machine that the tests run on",
    "follow_stream": "has no end",
}


def get(path):
    request = urllib.request.Request(URL + path, headers={"Authorization": f"Bearer {TOKEN}"})
    with urllib.request.urlopen(request) as answer:
        return json.load(answer)


# What is done only to something that is under way at that moment, or to dead letters that nothing else here has used up
# yet; tests of their own see to these, refusals of them count here.
AT_THE_RIGHT_MOMENT = {"cancel_job", "pause_job", "resume_job", "replay_event"}

document = get(DOCUMENT)


def listed():
    """Of each resource that can be listed and named, what its items are named."""
    found = {}
    for path in document["paths"]:
        resource, _, rest = path.partition("/{")
        if rest and resource not in found and "get" in document["paths"].get(resource, {}):
            name = rest.split("}")[0]
            names = [entry[name] for entry in get(resource)["items"] if name in entry]
            if names:
                found[resource] = names
    return found


NAMES = listed()


@schemathesis.hook
def map_case(context, case):
    if case.meta is None or not case.meta.generation.mode.is_positive:
        return case
    for resource, names in NAMES.items():
        # What is deleted is not there for what comes later.
        if len(names) > 1:
            half = len(names) // 2
            names = names[:half] if case.method == "DELETE" else names[half:]
        for place, value in case.path_parameters.items():
            if case.operation.path.startswith(f"{resource}/{{{place}}}") and sum(map(ord, str(value))) % 4:
                case.path_parameters[place] = names[len(str(value)) % len(names)]
    # Only an event with dead letters can be replayed, and other operations use them up.
    if case.operation.path == "/api/v1/events/{id}/replay" and sum(map(ord, str(case.path_parameters["id"]))) % 4:
        for letter in get("/api/v1/dead-letters")["items"][:1]:
            case.path_parameters["id"] = letter["event"]
    for place, value in (case.query or {}).items():
        names = NAMES.get({"event": "/api/v1/events", "destination": "/api/v1/destinations"}.get(place))
        if names and sum(map(ord, str(value))) % 2:
            case.query[place] = names[len(str(value)) % len(names)]
    return case


# Of each operation: the answers that came.
ANSWERS = collections.defaultdict(collections.Counter)


@schemathesis.hook
def after_call(context, case, response):
    ANSWERS[case.operation.definition.raw["operationId"]][response.status_code] += 1


def closed():
    """Without a token, and with one that is none, every operation that needs one answers 401, or 429 after some."""
    for path, item in document["paths"].items():
        for method, operation in item.items():
            if "security" in operation:
                continue
            for headers in ({}, {"Authorization": "Bearer none"}):
                target = URL + path.replace("{id}", "x").replace("{name}", "x")
                answer = requests.request(method, target, headers=headers, timeout=20, allow_redirects=False)
                code = answer.json()["code"]
                assert code in ("unauthorized", "too_many_failures"), f"{method} {path}: {answer.text}"


def main():
    OPENAPI_31_VALIDATOR.validate(document)
    print(f"the document is OpenAPI 3.1; it names {len(NAMES)} resources: {', '.join(sorted(NAMES))}", flush=True)
    closed()
    known = {operation["operationId"] for item in document["paths"].values() for operation in item.values()}
    gone = LEFT_OUT.keys() - known
    assert not gone, f"left out, and not there any more: {gone}"
    options = [
        "--header", f"Authorization: Bearer {TOKEN}",
        "--phases", "examples,coverage,fuzzing",
        "--max-examples", EXAMPLES,
        "--seed", SEED,
        "--generation-database", "none",
        "--no-shrink",
        "--continue-on-failure",
        "--request-timeout", "20",
        "--warnings", "off",
        "--no-color",
        "--checks", ",".join(CHECKS),
    ]  # fmt: skip
    for operation in LEFT_OUT:
        options += ["--exclude-operation-id", operation]
    # It remembers in its directory what it found, and would begin with that the next time.
    directory = tempfile.TemporaryDirectory()
    os.chdir(directory.name)
    try:
        command(["run", URL + DOCUMENT, *options])
    except SystemExit as ended:
        for operation, answers in sorted(ANSWERS.items()):
            print(operation, dict(sorted(answers.items())))
        # An operation that was only ever refused was not tried.
        never = {operation for operation, answers in ANSWERS.items() if min(answers) >= 300} - AT_THE_RIGHT_MOMENT
        if never:
            print(f"never done: {', '.join(sorted(never))}")
        sys.exit(ended.code or bool(never))


if __name__ == "__main__":
    main()
