// The pages that there are, as paths with names of what they show. The tour visits each, and fails on a link to one that
// is not listed here.
import { eventOf, get } from "./stage.mjs";

/** One line a page: a name for its pictures, and its path. */
export const PAGES = [
  ["overview", "/"],
  ["events", "/events"],
  ["events-live", "/events/live"],
  ["events-found", "/events?text=cus_9f"],
  ["event-failed", "/events/{event}"],
  ["event", "/events/{other}"],
  ["event-compared", "/events/{event}/compare?with={other}"],
  ["dead-letters", "/dead-letters"],
  ["dead-letters-of-one", "/dead-letters?destination={destination}"],
  ["dead-letters-list", "/dead-letters/list"],
  ["dead-letters-dismissed", "/dead-letters/dismissed"],
  ["jobs", "/jobs"],
  ["job", "/jobs/{job}"],
  ["rejected", "/rejected"],
  ["rejection", "/rejected/{rejected}"],
  ["destinations", "/destinations"],
  ["destination", "/destinations/{destination}"],
  ["sources", "/sources"],
  ["source", "/sources/{source}"],
  ["routes", "/routes"],
  ["messages", "/publishing"],
  ["queues", "/publishing/queues"],
  ["schedules", "/publishing/schedules"],
  ["url-groups", "/publishing/url-groups"],
  ["flow-control", "/publishing/flow-control"],
  ["signing-keys", "/publishing/signing-keys"],
  ["tokens", "/settings/tokens"],
  ["alerts", "/settings/alerts"],
  ["nodes", "/settings/nodes"],
  ["store", "/settings/store"],
  ["config", "/settings/config"],
  ["audit", "/settings/audit"],
  ["marks", "/settings/marks"],
];

/** The API's own description: a page for people too, without the dashboard's frame, and long. */
export const DOCS = ["docs", "/docs"];

/** What is no page of the dashboard, and may be linked to: answers to download, the description of the API. */
export const ELSEWHERE = ["/docs", "/settings", "/events/{event}/body", "/rejected/{rejected}/body", "/deliveries/{delivery}"];

/** What names in paths stand for, after ordinary traffic. */
export async function names() {
  const [failed, fine] = [await eventOf("evt_invoice_0"), await eventOf("evt_charge_0")];
  const { items: deliveries } = await get("/dead-letters");
  const { items: rejected } = await get("/rejected");
  const { items: jobs } = await get("/jobs");
  return {
    event: failed?.id, other: fine?.id, delivery: deliveries[0]?.id, rejected: rejected[0]?.id, job: jobs[0]?.id,
    destination: "billing", source: "shop",
  };
}

/** A path with its names filled in; `undefined` where there is none of it. */
export function filled(path, names) {
  const missing = [...path.matchAll(/\{(\w+)\}/g)].some(([, name]) => names[name] === undefined);
  return missing ? undefined : path.replace(/\{(\w+)\}/g, (_, name) => encodeURIComponent(names[name]));
}

/** Whether a path is that of a page of the list, whatever it asks for. */
export function listed(path, pages) {
  const wanted = path.split(/[?#]/)[0];
  return pages.some((page) => {
    const form = page.split(/[?#]/)[0].split(/(\{\w+\})/).map((part) => (part.startsWith("{") ? "[^/]+" : part.replace(/[.*+?^$()|[\]\\]/g, "\\$&")));
    return new RegExp(`^${form.join("")}$`).test(wanted);
  });
}
