// What an ordinary day leaves behind at a gateway: events that were delivered and some that were not, requests that were
// refused, messages that were published. Every page has something to show after it.
import { api, drained, get, githubEvent, post, publish, stage, stripeEvent, stripeHeaders, until } from "./stage.mjs";

/** So many invoices that `billing` refused, one after the other. */
export async function failures(count, first = 0) {
  for (let n = first; n < first + count; n += 1) {
    await stripeEvent(`evt_invoice_${n}`, "invoice.payment_failed", { id: `in_${n}`, customer: "cus_9f", amount_due: 1_200 + n });
  }
  await until(`${count} dead letters`, async () => (await get("/status")).store.dead_letters >= count);
}

export async function charges(count) {
  for (let n = 0; n < count; n += 1) {
    await stripeEvent(`evt_charge_${n}`, "charge.succeeded", { id: `ch_${n}`, amount: 990 + n, currency: "eur", paid: true });
  }
}

/** One that a proxy added a line break to, so that it may be released; one with another's secret. */
export async function refusals() {
  const payload = JSON.stringify({ id: "evt_refused", object: "event", type: "charge.refunded", data: { object: { id: "re_1" } } });
  await post("shop", stripeHeaders(payload), `${payload}\n`);
  await post("shop", stripeHeaders(payload, "whsec_of_somebody_else"), payload);
  await until("two rejected requests", async () => (await get("/rejected")).items.length >= 2);
}

/** Messages that were delivered, that wait, that come again and again. */
export async function messages() {
  const to = stage.handlers.app;
  const type = { "content-type": "application/json" };
  await publish("POST", `/publish/${to}`, { ...type, "upstash-label": "receipt" }, '{"order":1}');
  await publish("POST", `/publish/${to}`, { ...type, "upstash-delay": "2h" }, '{"order":2}');
  await publish("POST", "/queues/", type, '{"queueName":"mails","parallelism":2}');
  await publish("POST", `/enqueue/mails/${to}`, type, '{"mail":1}');
  await publish("POST", `/publish/${to}`, { ...type, "upstash-flow-control-key": "tenant-7", "upstash-flow-control-value": "rate=10,parallelism=2" }, "{}");
  await publish("POST", "/topics/team/endpoints", type, JSON.stringify({ endpoints: [{ url: to, name: "one" }] }));
  await publish("POST", "/publish/team", type, '{"to":"all"}');
  await publish("POST", `/schedules/${to}`, { ...type, "upstash-cron": "CRON_TZ=Europe/Berlin 0 4 * * *", "upstash-schedule-id": "nightly" }, "{}");
}

/** All of it. What was to be delivered has been, but for the message that waits. */
export async function ordinary() {
  await charges(12);
  await failures(6);
  await githubEvent("5f2b8b0e-0001", "push", { ref: "refs/heads/main", commits: [{ id: "c0ffee", message: "Mend the cart" }] });
  await stripeEvent("evt_nobody", "payout.paid", { id: "po_1" });
  await drained();
  await refusals();
  await messages();
  const { id } = await api("POST", "/jobs", { act: "replay", filter: { destination: "billing" }, one_first: true });
  await until("the end of a job", async () => (await get(`/jobs/${id}`)).ended_at);
}
