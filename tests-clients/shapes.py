"""Requests of the shapes that Stripe, Slack and Twilio declare in their own Python packages, as shapes.mjs makes them of
the npm packages and in the same lines. The packages are read as text (`ast`): classes with annotated fields, literals,
and the tests by which a library tells one kind of request from another. None of their code runs.
"""

import ast
import json
import pathlib
import sysconfig
import urllib.parse

PACKAGES = pathlib.Path(sysconfig.get_paths()["purelib"])
NOW_S = 1_770_000_000
count = 0


def main():
    event = classes("stripe/_event.py")["Event"]
    for name in literals(field(event, "type")):
        emit("stripe", "PyPI stripe, snapshot", json.dumps(instance(event) | {"type": name}, indent=2))
    thin = classes("stripe/v2/core/_event.py")
    for file in sorted((PACKAGES / "stripe/events").glob("_v*_event.py")):
        for name in lookup_types(file):
            body = instance(thin["EventNotification"]) | {"type": name, "object": "v2.core.event", "created": rfc3339()}
            emit("stripe", "PyPI stripe, thin", json.dumps(body | {"related_object": instance(thin["RelatedObject"])}))
    for body in slack_requests():
        if "event" in body:
            emit("slack", "PyPI slack_bolt, event", json.dumps(body))
        else:
            emit("slack", "PyPI slack_bolt, interaction", form({"payload": json.dumps(body)}), True)
    for kind in ("Message", "Call"):
        statuses = classes(f"twilio/rest/api/v2010/account/{kind.lower()}/__init__.py")[f"{kind}Instance"]
        for status in constants(nested(statuses, "Status")):
            fields = {f"{kind}Status": status, "To": text("To"), f"{kind}Sid": text("sid"), "SequenceNumber": number()}
            emit("twilio", f"PyPI twilio, {kind}", form({"AccountSid": text("AccountSid")} | fields), True)


def emit(sender, origin, body, is_form=False):
    print(json.dumps({"sender": sender, "origin": origin, "form": is_form, "body": body}))


def form(fields):
    return urllib.parse.urlencode(fields)


def tree(path):
    return ast.parse((PACKAGES / path).read_text())


def classes(path):
    return {node.name: node for node in tree(path).body if isinstance(node, ast.ClassDef)}


def nested(of, name):
    return next((node for node in of.body if isinstance(node, ast.ClassDef) and node.name == name), None)


def field(of, name):
    return next(n.annotation for n in of.body if isinstance(n, ast.AnnAssign) and n.target.id == name)


def literals(annotation):
    elements = annotation.slice.elts if isinstance(annotation.slice, ast.Tuple) else [annotation.slice]
    return [element.value for element in elements]


def constants(of):
    """The values of `NAME = "value"` in a class."""
    return [node.value.value for node in of.body if isinstance(node, ast.Assign)]


def lookup_types(file):
    for name, node in classes(file).items():
        if name.endswith("EventNotification"):
            yield from (n.value.value for n in node.body if isinstance(n, ast.Assign) and n.targets[0].id == "LOOKUP_TYPE")


def instance(of):
    """Something of a class: its annotated fields, in their order."""
    fields = [node for node in of.body if isinstance(node, ast.AnnAssign) and not node.target.id.startswith("_")]
    fields = [node for node in fields if not ast.unparse(node.annotation).startswith("ClassVar")]
    return {node.target.id: value(node.annotation, node.target.id, of) for node in fields}


def value(annotation, name, inside):
    match annotation:
        case ast.Subscript(value=ast.Name(id="Optional")):
            return value(annotation.slice, name, inside)
        case ast.Subscript(value=ast.Name(id="Literal")):
            return literals(annotation)[0]
        case ast.Subscript(value=ast.Name(id="List")):
            return [value(annotation.slice, name, inside)]
        case ast.Name(id="str"):
            return text(name)
        case ast.Name(id="int"):
            return number()
        case ast.Name(id="bool"):
            return True
        case ast.Name(id=other) if nested(inside, other):
            return instance(nested(inside, other))
        case _:
            # Any object: with what only the event itself should be known by.
            return {"id": text("id"), "type": text("type"), "created": number()}


def slack_requests():
    """One for each function that tells a kind of request: of its type, and with the fields it looks for."""
    for node in tree("slack_bolt/request/payload_utils.py").body:
        if not isinstance(node, ast.FunctionDef):
            continue
        kinds, events, fields = [], [], []
        for part in ast.walk(node):
            match part:
                case ast.Call(func=ast.Name(id="_is_expected_type"), args=[_, ast.Constant(value=kind)]):
                    kinds.append(kind)
                case ast.Compare(left=left, ops=[ast.Eq()], comparators=[right]):
                    sides = {ast.unparse(left): right, ast.unparse(right): left}
                    told = sides.get("body['event']['type']")
                    events += [told.value] if isinstance(told, ast.Constant) else []
                case ast.Compare(left=ast.Constant(value=name), ops=[ast.In()], comparators=[ast.Name(id="body")]):
                    fields.append(name)
        rest = {"team_id": text("team_id"), "token": text("token")}
        for event in events:
            told = {"type": event, "id": text("id"), "event_ts": f"{number()}.000200"}
            yield rest | {"type": "event_callback", "event": told, "event_id": text("event_id"), "event_time": number()}
        for kind in (kind for kind in kinds if kind != "event_callback"):
            known = {"actions": [{"type": "button", "action_ts": f"{number()}.000300"}]}
            made = {name: known.get(name, text(name)) for name in fields if name not in ("type", "event")}
            yield rest | made | {"trigger_id": text("trigger_id"), "type": kind}


def text(name):
    return f'{name} "ü" {number()}'


def number():
    global count
    count += 1
    return NOW_S + count


def rfc3339():
    return f"2026-02-02T02:{number() % 60:02}:00.123Z"


main()
