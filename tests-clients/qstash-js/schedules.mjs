// Schedules: made, shown, replaced, paused, deleted. That they tick, and when, is shown elsewhere by a clock that can
// be moved; here nothing waits for a minute to come.
import assert from "node:assert/strict";

import { check, refusal } from "./harness.mjs";

/** Far away from any run of this. */
const YEARLY = "0 0 1 1 *";

export async function schedules(client) {
  await check("schedules.create: every option is shown as it was given", async () => {
    const { scheduleId } = await client.schedules.create({
      destination: "https://example.com/scheduled?x=1",
      cron: ` ${YEARLY} `,
      body: "a body",
      headers: { "test-header": "test-value", "Content-Type": "text/plain" },
      method: "PUT",
      delay: 10,
      retries: 5,
      retryDelay: "1000 * retried",
      timeout: "30s",
      callback: "https://example.com/callback",
      failureCallback: "https://example.com/failure",
      queueName: "scheduled-queue",
      flowControl: { key: "scheduled-key", rate: 3, period: "1m" },
      label: ["s1", "s2"],
    });
    assert.match(scheduleId, /^scd_[A-Za-z0-9]+$/);
    const { createdAt, nextScheduleTime, ...rest } = await client.schedules.get(scheduleId);
    assert.ok(createdAt > 1_600_000_000_000 && nextScheduleTime > createdAt);
    assert.equal(new Date(nextScheduleTime).toISOString().slice(4), "-01-01T00:00:00.000Z");
    assert.deepEqual(rest, {
      scheduleId,
      destination: "https://example.com/scheduled?x=1",
      cron: YEARLY,
      body: "a body",
      header: { "Content-Type": ["text/plain"], "Test-Header": ["test-value"] },
      method: "PUT",
      delay: 10,
      retries: 5,
      retryDelayExpression: "1000 * retried",
      timeout: 30,
      callback: "https://example.com/callback",
      failureCallback: "https://example.com/failure",
      queueName: "scheduled-queue",
      flowControlKey: "scheduled-key",
      rate: 3,
      ratePerSecond: 3,
      period: 60,
      label: "s1",
      labels: ["s1", "s2"],
      isPaused: false,
      callerIP: "127.0.0.1",
    });
    assert.ok((await client.schedules.list()).some((schedule) => schedule.scheduleId === scheduleId));
    await client.schedules.delete(scheduleId);
    assert.equal((await refusal(client.schedules.get(scheduleId))).status, 404);
    assert.equal((await refusal(client.schedules.delete(scheduleId))).status, 404);
  });

  await check("schedules.create: defaults", async () => {
    const { scheduleId } = await client.schedules.create({ destination: "https://example.com/", cron: YEARLY });
    const { createdAt, nextScheduleTime, callerIP, ...rest } = await client.schedules.get(scheduleId);
    const header = { "Content-Type": ["application/json"] };
    const destination = "https://example.com/";
    assert.deepEqual(rest, { scheduleId, destination, cron: YEARLY, header, method: "POST", retries: 3, isPaused: false });
    await client.schedules.delete(scheduleId);
  });

  await check("schedules.create: the same id replaces it entirely", async () => {
    const request = { destination: "https://example.com/", cron: YEARLY, scheduleId: "my-schedule_1.0", body: "old" };
    assert.deepEqual(await client.schedules.create(request), { scheduleId: "my-schedule_1.0" });
    const old = await client.schedules.get("my-schedule_1.0");
    await client.schedules.create({ ...request, body: undefined, cron: "*/5 * * * *" });
    const changed = await client.schedules.get("my-schedule_1.0");
    assert.deepEqual([changed.body, changed.cron, changed.createdAt], [undefined, "*/5 * * * *", old.createdAt]);
    await client.schedules.delete("my-schedule_1.0");
  });

  await check("schedules: paused and resumed", async () => {
    const { scheduleId: schedule } = await client.schedules.create({ destination: "https://example.com/", cron: YEARLY });
    for (const [act, paused] of [["pause", true], ["pause", true], ["resume", false], ["resume", false]]) {
      await client.schedules[act]({ schedule });
      assert.equal((await client.schedules.get(schedule)).isPaused, paused);
    }
    await client.schedules.delete(schedule);
  });

  await check("schedules: time zones, groups, redaction", async () => {
    await client.urlGroups.addEndpoints({ name: "scheduled", endpoints: [{ url: "https://example.com/" }] });
    const cron = "CRON_TZ=America/New_York 0 4 1 1 *";
    const redact = { body: true, header: ["x-secret"] };
    const headers = { "x-secret": "hunter2" };
    const { scheduleId } = await client.schedules.create({ destination: "scheduled", cron, body: "secret", redact, headers });
    const shown = await client.schedules.get(scheduleId);
    assert.deepEqual([shown.cron, shown.destination], [cron, "scheduled"]);
    assert.equal(new Date(shown.nextScheduleTime).toISOString().slice(4), "-01-01T09:00:00.000Z");
    assert.match(shown.body, /^REDACTED:[0-9a-f]{64}$/);
    assert.ok(!JSON.stringify(shown).includes("hunter2"));
    await client.schedules.delete(scheduleId);
    await client.urlGroups.delete("scheduled");
  });

  await check("schedules: what is none is refused", async () => {
    const good = { destination: "https://example.com/", cron: YEARLY };
    const bad = [
      { cron: "not a cron" },
      { cron: "61 * * * *" },
      { cron: "CRON_TZ=Nowhere/Here * * * * *" },
      { destination: "no-such-group" },
      { scheduleId: "a b" },
      { retryDelay: "pow(" },
    ];
    for (const change of bad) {
      const error = await refusal(client.schedules.create({ ...good, ...change }));
      assert.equal(error.status, 400, `${JSON.stringify(change)}: ${error}`);
    }
    for (const act of ["pause", "resume"]) {
      assert.equal((await refusal(client.schedules[act]({ schedule: "scd_unknown" }))).status, 404, act);
    }
  });
}
