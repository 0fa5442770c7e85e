//! Commands that look at what the gateway holds and act on it: events, deliveries, dead letters, destinations.

use clap::{ArgGroup, Args, Subcommand};
use hookhaven_core::{DeliveryId, DeliveryState, ErrorClass, EventId, GroupId};

use super::{PaceArgs, ToArgs};
use crate::cli::values::{self, Moment};

#[derive(Debug, Subcommand)]
pub enum EventsCommand {
    /// List events, newest first
    List(EventsListArgs),
    /// Find text in the bodies of events, newest first
    Search(EventsSearchArgs),
    /// Show one event: headers, body, deliveries
    Show(EventShowArgs),
    /// Deliver old events again
    Replay(EventsReplayArgs),
}

#[derive(Clone, Debug, Args)]
#[command(
    after_help = "Examples:\n  hookhaven events list --source stripe --since 2h\n  hookhaven events list --unrouted --json"
)]
pub struct EventsListArgs {
    #[command(flatten)]
    pub filter: EventFilterArgs,
    #[command(flatten)]
    pub page: PageArgs,
}

#[derive(Clone, Debug, Args)]
#[command(after_help = "Examples:\n  hookhaven events search in_1Pk2Lx\n  \
                  hookhaven events search 'Jane Doe' --source stripe --type 'invoice.*' --since 7d --json\n\n\
                  Hits are printed as they are found; Ctrl-C ends the search and says how far it looked.\n\
                  Letters of ASCII are found in either case.")]
pub struct EventsSearchArgs {
    /// What to look for
    #[arg(value_name = "TEXT")]
    pub text: String,
    /// Only events of this source
    #[arg(long)]
    pub source: Option<String>,
    /// Only events of this type; * stands for anything ('invoice.*')
    #[arg(long = "type", value_name = "TYPE")]
    pub event_type: Option<String>,
    /// Received then or later: how long ago (2h, 7d) or a time (2026-11-21T09:30:00Z)
    #[arg(long, value_name = "WHEN", value_parser = values::moment)]
    pub since: Option<Moment>,
    /// Received before then
    #[arg(long, value_name = "WHEN", value_parser = values::moment)]
    pub until: Option<Moment>,
    /// End after so many hits
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=500))]
    pub limit: u32,
    /// Go on where a search ended: the id that it named
    #[arg(long, value_name = "EVENT_ID")]
    pub after: Option<EventId>,
    /// Print JSON, a line each
    #[arg(long)]
    pub json: bool,
}

#[derive(Clone, Debug, Args)]
#[command(after_help = "Examples:\n  hookhaven events show evt_06dz9k3m8r4v2w1x5y7t0q6n3p\n  \
                        hookhaven events show evt_06dz9k3m8r4v2w1x5y7t0q6n3p --body > body.json")]
pub struct EventShowArgs {
    /// The event's id, or the one its sender knows it by
    #[arg(value_name = "EVENT_ID")]
    pub id: String,
    /// Print the body's bytes, exactly as received, and nothing else
    #[arg(long, conflicts_with = "json")]
    pub body: bool,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Clone, Debug, Args)]
#[command(
    group(ArgGroup::new("selection").required(true).multiple(true)
        .args(["ids", "source", "event_type", "key", "destination", "state", "since", "until", "unrouted"])),
    after_help = "Examples:\n  hookhaven events replay evt_06dz9k3m8r4v2w1x5y7t0q6n3p\n  \
                  hookhaven events replay --source stripe --unrouted --since 1d\n\n\
                  By filter it says how many it found and asks; --yes answers."
)]
pub struct EventsReplayArgs {
    #[arg(value_name = "EVENT_ID", conflicts_with_all = ["source", "event_type", "key", "destination", "state", "since", "until", "unrouted"])]
    pub ids: Vec<EventId>,
    #[command(flatten)]
    pub filter: EventFilterArgs,
    /// Do not ask
    #[arg(long)]
    pub yes: bool,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Subcommand)]
pub enum DeliveriesCommand {
    /// List deliveries, newest first
    List(DeliveriesListArgs),
    /// Show one delivery and its attempts
    Show(DeliveryShowArgs),
    /// Replace dead deliveries by new ones with a fresh budget
    Replay(DeliveriesSelectArgs),
    /// End deliveries that have not ended
    Cancel(DeliveriesSelectArgs),
}

#[derive(Clone, Debug, Args)]
#[command(after_help = "Examples:\n  hookhaven deliveries list --destination billing --state pending\n  \
                        hookhaven deliveries list --class timeout --since 1h --json")]
pub struct DeliveriesListArgs {
    #[command(flatten)]
    pub filter: DeliveryFilterArgs,
    #[command(flatten)]
    pub more: DeliveryListArgs,
    /// pending, leased, delivered, dead or cancelled
    #[arg(long, value_parser = values::delivery_state)]
    pub state: Option<DeliveryState>,
    #[command(flatten)]
    pub page: PageArgs,
}

#[derive(Clone, Debug, Args)]
#[command(after_help = "Example:\n  hookhaven deliveries show dlv_06dz9k3m8r4v2w1x5y7t0q6n3p")]
pub struct DeliveryShowArgs {
    #[arg(value_name = "DELIVERY_ID")]
    pub id: DeliveryId,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Clone, Debug, Args)]
#[command(
    group(ArgGroup::new("selection").required(true).multiple(true)
        .args(["ids", "event", "source", "destination", "event_type", "class", "since", "until"])),
    after_help = "Examples:\n  hookhaven deliveries replay dlv_06dz9k3m8r4v2w1x5y7t0q6n3p\n  \
                  hookhaven deliveries replay --destination billing --since 2h\n  \
                  hookhaven deliveries cancel --destination billing --type 'test.*'\n\n\
                  By filter it says how many it found and asks; --yes answers."
)]
pub struct DeliveriesSelectArgs {
    #[command(flatten)]
    pub select: SelectArgs,
    #[command(flatten)]
    pub pace: PaceArgs,
}

#[derive(Debug, Subcommand)]
pub enum DlqCommand {
    /// Show dead letters by root cause: what the same destination answered alike
    Groups(DlqGroupsArgs),
    /// List dead letters, newest first
    List(DlqListArgs),
    /// Show one dead letter: sender, event, last error, when it failed, payload
    Show(DeliveryShowArgs),
    /// Deliver dead letters again, each once, with a fresh budget
    Replay(DlqReplayArgs),
    /// Mark dead letters as done with
    Dismiss(DlqSelectArgs),
}

#[derive(Clone, Debug, Args)]
#[command(
    after_help = "Examples:\n  hookhaven dlq groups\n  hookhaven dlq groups --destination billing --since 2h --json\n\n\
                  One of a group is delivered first, and the others once that worked, by\n  \
                  hookhaven dlq replay --group grp_2x9c4m7r1qkv0e5hz8tw3ydnjb --one-first"
)]
pub struct DlqGroupsArgs {
    /// Only dead letters to this destination
    #[arg(long)]
    pub destination: Option<String>,
    /// Only dead letters of events of this source
    #[arg(long)]
    pub source: Option<String>,
    /// Died then or later: how long ago (2h, 7d) or a time (2026-11-21T09:30:00Z)
    #[arg(long, value_name = "WHEN", value_parser = values::moment)]
    pub since: Option<Moment>,
    /// Show at most so many groups
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=500))]
    pub limit: u32,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Clone, Debug, Args)]
#[command(
    after_help = "Examples:\n  hookhaven dlq list\n  hookhaven dlq list --destination billing --class http_5xx --json"
)]
pub struct DlqListArgs {
    #[command(flatten)]
    pub filter: DeliveryFilterArgs,
    #[command(flatten)]
    pub more: DeliveryListArgs,
    /// Only dead letters with this root cause
    #[arg(long, value_name = "GROUP_ID")]
    pub group: Option<GroupId>,
    #[command(flatten)]
    pub page: PageArgs,
}

#[derive(Clone, Debug, Args)]
#[command(
    group(ArgGroup::new("selection").required(true).multiple(true)
        .args(["all", "group", "ids", "event", "source", "destination", "event_type", "class", "since", "until"])),
    after_help = "Examples:\n  hookhaven dlq replay dlv_06dz9k3m8r4v2w1x5y7t0q6n3p\n  \
                  hookhaven dlq replay --destination billing --class http_5xx --since 2h\n  \
                  hookhaven dlq replay --group grp_2x9c4m7r1qkv0e5hz8tw3ydnjb --one-first\n  \
                  hookhaven dlq dismiss --source github --type 'check_run.*' --yes\n\n\
                  By filter it says how many it found and asks; --yes answers."
)]
pub struct DlqSelectArgs {
    /// All dead letters
    #[arg(
        long,
        conflicts_with_all = ["group", "ids", "event", "source", "destination", "event_type", "class", "since", "until"]
    )]
    pub all: bool,
    /// Only those with this root cause, as `dlq groups` names it
    #[arg(long, value_name = "GROUP_ID", conflicts_with = "ids")]
    pub group: Option<GroupId>,
    #[command(flatten)]
    pub select: SelectArgs,
    #[command(flatten)]
    pub pace: PaceArgs,
}

#[derive(Clone, Debug, Args)]
pub struct DlqReplayArgs {
    #[command(flatten)]
    pub letters: DlqSelectArgs,
    #[command(flatten)]
    pub to: ToArgs,
}

/// By ids or by filter, never both.
#[derive(Clone, Debug, Args)]
pub struct SelectArgs {
    #[arg(
        value_name = "DELIVERY_ID",
        conflicts_with_all = ["event", "source", "destination", "event_type", "class", "since", "until"]
    )]
    pub ids: Vec<DeliveryId>,
    #[command(flatten)]
    pub filter: DeliveryFilterArgs,
    /// Do not ask
    #[arg(long)]
    pub yes: bool,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Subcommand)]
pub enum DestinationsCommand {
    /// List destinations: state, breaker, how many deliveries wait
    List(DestinationsListArgs),
    /// Send one signed request that says it is a test, and say what came of it
    Test(DestinationsTestArgs),
    /// Hold deliveries back; events are still accepted
    Pause(DestinationArgs),
    /// Let deliveries go again
    Resume(DestinationArgs),
    /// Make no deliveries for new events; what waits there stays
    Disable(DestinationArgs),
    /// Make deliveries for new events again
    Enable(DestinationArgs),
}

#[derive(Clone, Debug, Args)]
#[command(after_help = "Example:\n  hookhaven destinations list --json")]
pub struct DestinationsListArgs {
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Clone, Debug, Args)]
#[command(after_help = "Example:\n  hookhaven destinations test billing\n\n\
                        Nothing is stored. The body has the type hookhaven.test and the header hookhaven-test says that \
                        nothing happened;\na handler should answer 200. Exits with 1 if it does not.")]
pub struct DestinationsTestArgs {
    #[arg(value_name = "DESTINATION")]
    pub name: String,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Clone, Debug, Args)]
#[command(
    after_help = "Examples:\n  hookhaven destinations pause billing\n  hookhaven destinations resume billing\n  \
                        hookhaven destinations disable billing\n  hookhaven destinations enable billing"
)]
pub struct DestinationArgs {
    #[arg(value_name = "DESTINATION")]
    pub name: String,
}

#[derive(Clone, Debug, Args)]
#[command(after_help = "Examples:\n  hookhaven why evt_06dz9k3m8r4v2w1x5y7t0q6n3p\n  \
                        hookhaven why evt_1PfXl2KZ3s8Qz7   (Stripe's own id, from its dashboard)")]
pub struct WhyArgs {
    /// The event's id, or the one its sender knows it by
    #[arg(value_name = "EVENT_ID")]
    pub id: String,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// All given must hold.
#[derive(Clone, Debug, Default, Args)]
pub struct EventFilterArgs {
    /// Only events of this source
    #[arg(long)]
    pub source: Option<String>,
    /// Only events of this type; * stands for anything ('invoice.*')
    #[arg(long = "type", value_name = "TYPE")]
    pub event_type: Option<String>,
    /// Only the event with this idempotency key (the sender's event id)
    #[arg(long)]
    pub key: Option<String>,
    /// Only events with a delivery to this destination
    #[arg(long)]
    pub destination: Option<String>,
    /// Only events with a delivery that is pending, delivered, dead or cancelled
    #[arg(long, value_parser = values::delivery_state)]
    pub state: Option<DeliveryState>,
    /// Received then or later: how long ago (2h, 7d) or a time (2026-11-21T09:30:00Z)
    #[arg(long, value_name = "WHEN", value_parser = values::moment)]
    pub since: Option<Moment>,
    /// Received before then
    #[arg(long, value_name = "WHEN", value_parser = values::moment)]
    pub until: Option<Moment>,
    /// Only events that no route took
    #[arg(long)]
    pub unrouted: bool,
}

/// All given must hold.
#[derive(Clone, Debug, Default, Args)]
pub struct DeliveryFilterArgs {
    /// Only deliveries of this event
    #[arg(long, value_name = "EVENT_ID")]
    pub event: Option<EventId>,
    /// Only deliveries of events of this source
    #[arg(long)]
    pub source: Option<String>,
    /// Only deliveries to this destination
    #[arg(long)]
    pub destination: Option<String>,
    /// Only deliveries of events of this type; * stands for anything ('invoice.*')
    #[arg(long = "type", value_name = "TYPE")]
    pub event_type: Option<String>,
    /// Only those whose last attempt ended so: dns, connect, tls, timeout, protocol, rate_limited, http_5xx, http_4xx ...
    #[arg(long, value_parser = values::error_class)]
    pub class: Option<ErrorClass>,
    /// Accepted (dead letters: died) then or later: how long ago (2h, 7d) or a time (2026-11-21T09:30:00Z)
    #[arg(long, value_name = "WHEN", value_parser = values::moment)]
    pub since: Option<Moment>,
    /// Accepted (dead letters: died) before then
    #[arg(long, value_name = "WHEN", value_parser = values::moment)]
    pub until: Option<Moment>,
}

/// What lists know besides; all given must hold.
#[derive(Clone, Debug, Default, Args)]
pub struct DeliveryListArgs {
    /// Only deliveries that this route made
    #[arg(long)]
    pub route: Option<String>,
    /// Only deliveries of the event with this idempotency key (the sender's event id)
    #[arg(long)]
    pub key: Option<String>,
    /// Only those whose last attempt was answered with this HTTP status
    #[arg(long, value_parser = clap::value_parser!(u16).range(100..=999))]
    pub status: Option<u16>,
}

#[derive(Clone, Debug, Args)]
pub struct PageArgs {
    /// Show at most so many
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub limit: u32,
    /// Go on after this id, the last of the page before
    #[arg(long, value_name = "ID")]
    pub after: Option<String>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Clone, Debug, Args)]
#[command(
    after_help = "Examples:\n  hookhaven analyze\n  hookhaven analyze --since 7d --destination billing --json\n\n\
                        What comes back at the same hours shows only over two days or more."
)]
pub struct AnalyzeArgs {
    /// How far back to look: so long ago, or a time
    #[arg(long, value_name = "WHEN", value_parser = values::moment, default_value = "24h")]
    pub since: Moment,
    /// One destination only
    #[arg(long, value_name = "NAME")]
    pub destination: Option<String>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}
