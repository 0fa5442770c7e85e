// Requests of the shapes that Stripe, Slack and Twilio declare in their own npm packages: the TypeScript compiler reads
// the declarations, and every member of a union of events becomes a body that satisfies it. One JSON line each:
//
//   {"sender","origin","form":bool,"body"}
//
// Texts and numbers are made up; names, nesting, literals and what is optional are the package's. So a body is full of
// other `id`, `type` and `created` than the event's own, as real ones are.
import { fileURLToPath } from "node:url";
import ts from "typescript";

const ENTRY = fileURLToPath(new URL("./shapes.virtual.ts", import.meta.url));
const SOURCE = `
import type Stripe from "stripe";
import type { SlackEvent } from "@slack/types";
import type { BlockAction, BlockElementAction, EnvelopedEvent, SlackAction, SlackOptions, SlackShortcut, SlackViewAction,
  SlashCommand } from "@slack/bolt";
import type { MessageStatus, MessageInstance } from "twilio/lib/rest/api/v2010/account/message";
import type { CallStatus, CallInstance } from "twilio/lib/rest/api/v2010/account/call";
export type StripeSnapshots = Stripe.Event;
export type StripeThin = Stripe.V2.Core.EventNotification;
export type SlackEvents = SlackEvent;
export type SlackEnvelope = EnvelopedEvent<{ type: string }>;
export type SlackInteractions = SlackAction | SlackShortcut | SlackViewAction | SlackOptions;
export type SlackElements = BlockElementAction;
export type SlackCommand = SlashCommand;
export type TwilioMessageStatuses = MessageStatus;
export type TwilioMessage = MessageInstance;
export type TwilioCallStatuses = CallStatus;
export type TwilioCall = CallInstance;
`;
const DEPTH_MAX = 4;
const NOW_S = 1_760_000_000;

const { checker, types } = declarations();
let count = 0;

for (const type of members("StripeSnapshots")) {
  emit("stripe", "npm stripe, snapshot", JSON.stringify(value(type, "event"), null, 2));
}
for (const type of members("StripeThin")) {
  // What comes over the wire has no methods, and its time is text.
  emit("stripe", "npm stripe, thin", JSON.stringify({ ...value(type, "event"), created: rfc3339() }));
}
for (const type of members("SlackEvents")) {
  const envelope = value(types.SlackEnvelope, "envelope");
  emit("slack", "npm @slack/types, event", JSON.stringify({ ...envelope, event: value(type, "event") }));
}
for (const type of members("SlackInteractions")) {
  emit("slack", "npm @slack/bolt, interaction", form([["payload", JSON.stringify(value(type, "payload"))]]), true);
}
const block = members("SlackInteractions").find((type) => value(type, "payload").type === "block_actions");
for (const element of members("SlackElements")) {
  const payload = { ...value(block, "payload"), actions: [value(element, "action")] };
  emit("slack", "npm @slack/types, block action", form([["payload", JSON.stringify(payload)]]), true);
}
emit("slack", "npm @slack/bolt, command", form(Object.entries(value(types.SlackCommand, "command"))), true);
for (const [statuses, resource, prefix] of [
  ["TwilioMessageStatuses", "TwilioMessage", "Message"],
  ["TwilioCallStatuses", "TwilioCall", "Call"],
]) {
  for (const status of members(statuses)) {
    // A callback has the resource's properties, in Pascal case, with those of its own name before them.
    const fields = Object.entries(value(types[resource], "resource"))
      .filter(([name, text]) => typeof text === "string" && !["sid", "status"].includes(name))
      .map(([name, text]) => [name[0].toUpperCase() + name.slice(1), text]);
    fields.push([`${prefix}Sid`, text("sid")], [`${prefix}Status`, status.value], ["SequenceNumber", String(++count)]);
    emit("twilio", `npm twilio, ${prefix}`, form(fields), true);
  }
}

function emit(sender, origin, body, form = false) {
  process.stdout.write(`${JSON.stringify({ sender, origin, form, body })}\n`);
}

function form(fields) {
  return new URLSearchParams(fields.map(([name, text]) => [name, String(text)])).toString();
}

/** The exported types of SOURCE by name. */
function declarations() {
  const options = { module: ts.ModuleKind.NodeNext, strict: true, skipLibCheck: true, noEmit: true, types: [] };
  const host = ts.createCompilerHost(options);
  const { getSourceFile, fileExists, readFile } = host;
  host.getSourceFile = (name, ...more) =>
    name === ENTRY ? ts.createSourceFile(name, SOURCE, ts.ScriptTarget.Latest) : getSourceFile(name, ...more);
  host.fileExists = (name) => name === ENTRY || fileExists(name);
  host.readFile = (name) => (name === ENTRY ? SOURCE : readFile(name));
  const program = ts.createProgram([ENTRY], options, host);
  const file = program.getSourceFile(ENTRY);
  const wrong = program.getSemanticDiagnostics(file).map((d) => ts.flattenDiagnosticMessageText(d.messageText, "\n"));
  if (wrong.length > 0) throw new Error(`the packages declare other types: ${wrong.join("; ")}`);
  const checker = program.getTypeChecker();
  const exported = checker.getExportsOfModule(checker.getSymbolAtLocation(file));
  return { checker, types: Object.fromEntries(exported.map((s) => [s.name, checker.getDeclaredTypeOfSymbol(s)])) };
}

function members(name) {
  return types[name].isUnion() ? types[name].types : [types[name]];
}

/** Something of a type; undefined for what JSON does not have. */
function value(type, name, depth = 0) {
  if (type.flags & ts.TypeFlags.BooleanLike) return true;
  if (type.isUnion()) return value(chosen(type), name, depth);
  if (type.isLiteral()) return type.value;
  // `string & {}`: any text, beside texts that are known.
  if (type.isIntersection() && type.types.some((part) => part.flags & ts.TypeFlags.StringLike)) return text(name);
  if (type.flags & ts.TypeFlags.StringLike) return text(name);
  if (type.flags & (ts.TypeFlags.NumberLike | ts.TypeFlags.BigIntLike)) return number(name);
  if (type.flags & ts.TypeFlags.Null) return null;
  if (!(type.flags & (ts.TypeFlags.Object | ts.TypeFlags.Intersection))) return undefined;
  if (type.getCallSignatures().length > 0) return undefined;
  if (checker.isArrayType(type) || checker.isTupleType(type)) {
    const [of] = checker.getTypeArguments(type);
    const item = of && depth < DEPTH_MAX ? value(of, name, depth + 1) : undefined;
    return item === undefined ? [] : [item];
  }
  const object = {};
  if (depth >= DEPTH_MAX) return object;
  for (const property of checker.getPropertiesOfType(type)) {
    const made = value(checker.getTypeOfSymbol(property), property.name, depth + 1);
    if (made !== undefined && !property.name.startsWith("_")) object[property.name] = made;
  }
  return object;
}

/** Of a union not its nothing; of several each in its turn. */
function chosen(union) {
  const nothing = ts.TypeFlags.Undefined | ts.TypeFlags.Null | ts.TypeFlags.Void;
  const real = union.types.filter((type) => !(type.flags & nothing));
  return real.length === 0 ? union.types[0] : real[++count % real.length];
}

function text(name) {
  count += 1;
  if (/(^|_)ts$/.test(name)) return `${NOW_S + count}.${String(count % 1_000_000).padStart(6, "0")}`;
  return `${name} "ü" ${count}`;
}

function number() {
  return NOW_S + ++count;
}

function rfc3339() {
  return new Date((NOW_S + ++count) * 1_000).toISOString();
}
