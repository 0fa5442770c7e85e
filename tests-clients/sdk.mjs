// The senders' own SDKs behind a line protocol: one JSON request a line in, one JSON answer a line out.
//
//   {"op":"sign","sender","secret","body"(base64),"timestamp"(unix s),"url"?,"id"?,"event_type"?,"header"?,"more"?}
//     -> {"headers":[[name,value]…],"query":"?…"|"","body"(base64)}
//   {"op":"verify","secret","headers":{…},"body"(base64)}
//     -> {"accepted":true} | {"accepted":false,"reason"}      as a handler with the standardwebhooks SDK would
//   anything that goes wrong -> {"error"}
//
// Each SDK is loaded when it is first asked for. Nothing here touches the network.
import { createHash, createHmac, createPrivateKey, createPublicKey, sign as sign_ } from "node:crypto";
import { createInterface } from "node:readline";

const FORM = "application/x-www-form-urlencoded";
const JSON_TYPE = "application/json";

const signers = {
  async stripe({ secret, text, timestamp }) {
    const { default: Stripe } = await import("stripe");
    const stripe = new Stripe("sk_test_unused");
    const header = stripe.webhooks.generateTestHeaderString({ payload: text, secret, timestamp });
    return { headers: [["content-type", `${JSON_TYPE}; charset=utf-8`], ["stripe-signature", header]] };
  },

  async github({ secret, text, id, event_type }) {
    const { sign } = await import("@octokit/webhooks-methods");
    return {
      headers: [
        ["content-type", JSON_TYPE],
        ["x-github-delivery", id],
        ["x-github-event", event_type],
        ["x-hub-signature-256", await sign(secret, text)],
      ],
    };
  },

  // Slack publishes no signer: the documented scheme, and Slack's own verifier must agree before it goes out.
  async slack({ secret, text, timestamp }) {
    const { default: bolt } = await import("@slack/bolt");
    const signature = "v0=" + createHmac("sha256", secret).update(`v0:${timestamp}:${text}`).digest("hex");
    bolt.verifySlackRequest({
      signingSecret: secret,
      body: text,
      headers: { "x-slack-signature": signature, "x-slack-request-timestamp": timestamp },
      nowMilliseconds: timestamp * 1000,
    });
    const form = !text.trimStart().startsWith("{");
    return {
      headers: [
        ["content-type", form ? FORM : JSON_TYPE],
        ["x-slack-request-timestamp", String(timestamp)],
        ["x-slack-signature", signature],
      ],
    };
  },

  // Twilio signs the URL: with the sorted form fields, or with a hash of any other body in the query.
  async twilio({ secret, text, url, id }) {
    const { default: twilio } = await import("twilio");
    const json = text.trimStart().startsWith("{") || text.trimStart().startsWith("[");
    const extra = json
      ? `${url.includes("?") ? "&" : "?"}bodySHA256=${twilio.getExpectedBodyHash(text)}`
      : "";
    const fields = json ? {} : formFields(text);
    const signature = twilio.getExpectedTwilioSignature(secret, url + extra, fields);
    const headers = [
      ["content-type", json ? JSON_TYPE : `${FORM}; charset=utf-8`],
      ["x-twilio-signature", signature],
    ];
    if (id) headers.push(["i-twilio-idempotency-token", id]);
    return { headers, query: extra };
  },

  async "standard-webhooks"({ secret, text, timestamp, id }) {
    const { Webhook } = await import("standardwebhooks");
    return {
      headers: [
        ["content-type", JSON_TYPE],
        ["webhook-id", id],
        ["webhook-timestamp", String(timestamp)],
        ["webhook-signature", new Webhook(secret).sign(id, new Date(timestamp * 1000), text)],
      ],
    };
  },

  // The users of the standard: Svix's own library, with Svix's names.
  async svix({ secret, text, timestamp, id }) {
    const { Webhook } = await import("svix");
    const signature = new Webhook(secret).sign(id, new Date(timestamp * 1000), text);
    return {
      headers: [
        ["content-type", JSON_TYPE],
        ["svix-id", id],
        ["svix-timestamp", String(timestamp)],
        ["svix-signature", signature],
      ],
    };
  },

  // Meta, Jira and Bitbucket sign as GitHub does, each in a header of its own choice.
  async "sha256="({ secret, text, header, more = [] }) {
    const { sign } = await import("@octokit/webhooks-methods");
    return { headers: [["content-type", JSON_TYPE], [header, await sign(secret, text)], ...more] };
  },

  async notion({ secret, text }) {
    const { signWebhookPayload } = await import("@notionhq/client");
    return {
      headers: [
        ["content-type", JSON_TYPE],
        ["x-notion-signature", await signWebhookPayload({ body: text, verificationToken: secret })],
      ],
    };
  },

  // None of these publishes a signer: the documented scheme, and their own verifier must agree before it goes out.
  async paddle({ secret, text, timestamp }) {
    const { Paddle } = await import("@paddle/paddle-node-sdk");
    const digest = createHmac("sha256", secret).update(`${timestamp}:${text}`).digest("hex");
    const header = `ts=${timestamp};h1=${digest}`;
    agreed(await new Paddle("unused").webhooks.isSignatureValid(text, secret, header));
    return { headers: [["content-type", JSON_TYPE], ["paddle-signature", header]] };
  },

  async line({ secret, text }) {
    const { validateSignature } = await import("@line/bot-sdk");
    const signature = createHmac("sha256", secret).update(text).digest("base64");
    agreed(validateSignature(text, secret, signature));
    return { headers: [["content-type", JSON_TYPE], ["x-line-signature", signature]] };
  },

  async razorpay({ secret, text, id }) {
    const { default: Razorpay } = await import("razorpay");
    const signature = createHmac("sha256", secret).update(text).digest("hex");
    agreed(Razorpay.validateWebhookSignature(text, signature, secret));
    return {
      headers: [
        ["content-type", JSON_TYPE],
        ["x-razorpay-event-id", id],
        ["x-razorpay-signature", signature],
      ],
    };
  },

  async qstash({ secret, text, timestamp, id, url }) {
    const { Receiver } = await import("@upstash/qstash");
    const part = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");
    const claims = {
      iss: "Upstash", sub: url, iat: timestamp, nbf: timestamp, exp: timestamp + 300, jti: id,
      body: createHash("sha256").update(text).digest("base64url"),
    };
    const signed = `${part({ alg: "HS256", typ: "JWT" })}.${part(claims)}`;
    const signature = `${signed}.${createHmac("sha256", secret).update(signed).digest("base64url")}`;
    const receiver = new Receiver({ currentSigningKey: "another", nextSigningKey: secret });
    agreed(await receiver.verify({ signature, body: text, url }));
    return { headers: [["upstash-message-id", id], ["upstash-signature", signature]] };
  },

  // The secret is the private key, PKCS#8 in base64; the gateway has the public one.
  async discord({ secret, text, timestamp }) {
    const { verifyKey } = await import("discord-interactions");
    const { key, spki } = keys(secret);
    const signature = sign_(null, Buffer.from(`${timestamp}${text}`), key).toString("hex");
    agreed(await verifyKey(text, signature, String(timestamp), spki.subarray(-32).toString("hex")));
    return {
      headers: [
        ["content-type", JSON_TYPE],
        ["x-signature-ed25519", signature],
        ["x-signature-timestamp", String(timestamp)],
      ],
    };
  },

  async sendgrid({ secret, text, timestamp }) {
    const { EventWebhook } = (await import("@sendgrid/eventwebhook")).default;
    const { key, spki } = keys(secret);
    const signature = sign_("sha256", Buffer.from(`${timestamp}${text}`), key).toString("base64");
    const webhook = new EventWebhook();
    const publicKey = webhook.convertPublicKeyToECDSA(spki.toString("base64"));
    agreed(webhook.verifySignature(publicKey, text, signature, String(timestamp)));
    return {
      headers: [
        ["content-type", JSON_TYPE],
        ["x-twilio-email-event-webhook-signature", signature],
        ["x-twilio-email-event-webhook-timestamp", String(timestamp)],
      ],
    };
  },
};

/** What we sign in a sender's place counts only if the sender's own verifier takes it. */
function agreed(valid) {
  if (!valid) throw new Error("the SDK refuses what its documentation says");
}

/** A private key, and its public key as SubjectPublicKeyInfo. */
function keys(pkcs8) {
  const key = createPrivateKey({ key: Buffer.from(pkcs8, "base64"), format: "der", type: "pkcs8" });
  return { key, spki: createPublicKey(key).export({ format: "der", type: "spki" }) };
}

/** A field that is there once is a text; one that is there several times, a list. */
function formFields(text) {
  const fields = Object.create(null);
  for (const [name, value] of new URLSearchParams(text)) {
    fields[name] = name in fields ? [fields[name], value].flat() : value;
  }
  return fields;
}

async function sign(request) {
  const signer = Object.hasOwn(signers, request.sender) ? signers[request.sender] : undefined;
  if (!signer) throw new Error(`no SDK for sender ${request.sender}`);
  const text = Buffer.from(request.body, "base64").toString("utf8");
  if (Buffer.from(text).toString("base64") !== request.body) throw new Error("the SDKs sign UTF-8 text only");
  const { headers, query = "" } = await signer({ ...request, text });
  return { headers, query, body: request.body };
}

async function verify({ secret, headers, body }) {
  const { Webhook, WebhookVerificationError } = await import("standardwebhooks");
  try {
    new Webhook(secret).verify(Buffer.from(body, "base64"), headers, { jsonParse: false });
    return { accepted: true };
  } catch (error) {
    if (error instanceof WebhookVerificationError) return { accepted: false, reason: error.message };
    throw error;
  }
}

const operations = { sign, verify };

for await (const line of createInterface({ input: process.stdin, crlfDelay: Infinity })) {
  let answer;
  try {
    const request = JSON.parse(line);
    if (!Object.hasOwn(operations, request.op)) throw new Error(`no operation ${request.op}`);
    answer = await operations[request.op](request);
  } catch (error) {
    answer = { error: String(error?.message ?? error) };
  }
  process.stdout.write(JSON.stringify(answer) + "\n");
}
