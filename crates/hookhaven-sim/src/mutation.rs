//! Bugs planted on purpose, to see that the laws find them. Each is one that a webhook gateway could have;
//! `tests/mutations.rs` asserts that some seed finds each. Nothing here is compiled into the gateway.

/// A planted bug, by what it does wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Mutation {
    /// The disk is told to sync and does not.
    SyncSkipped,
    /// An accept is answered before it is committed (against I1).
    AnswerBeforeCommit,
    /// The key is remembered before the event is stored: after a failure in between, the sender's next try
    /// is called a duplicate.
    KeyBeforeCommit,
    /// An accept that failed is answered like one that did not.
    FailureAccepted,
    /// Keys are not remembered: a redelivery is a new event.
    KeysForgotten,
    /// A settle by who no longer holds the lease counts as the holder's (against I3).
    FenceIgnored,
    /// A settle is answered before it is committed.
    SettleBeforeCommit,
    /// A lapsed session is believed to stand: its attempts go on.
    LapseIgnored,
    /// Leases of nodes that went away are never taken back.
    LapsedNeverReleased,
    /// One attempt more than the policy says.
    BudgetOffByOne,
    /// A retry is due at once, whatever the policy says.
    RetryAtOnce,
    /// The breaker never opens.
    BreakerNeverOpens,
    /// Two connections for all destinations together (against I10).
    ConnectionsShared,
    /// A pause is kept and not obeyed.
    PauseIgnored,
    /// What was replayed may be replayed again, by way of its replacement (against I8).
    ReplayTwice,
    /// Nobody tells the worker that there is more to do.
    WakeLost,
    /// What is to be kept for a while goes at once.
    RetentionIgnored,
    /// The body passes through text on its way in (against I5).
    BodyRewritten,
    /// Deliveries are each in a line of their own.
    LinesApart,
    /// Every event has the same version.
    VersionsEqual,
}

impl Mutation {
    pub const ALL: [Mutation; 20] = [
        Self::SyncSkipped,
        Self::AnswerBeforeCommit,
        Self::KeyBeforeCommit,
        Self::FailureAccepted,
        Self::KeysForgotten,
        Self::FenceIgnored,
        Self::SettleBeforeCommit,
        Self::LapseIgnored,
        Self::LapsedNeverReleased,
        Self::BudgetOffByOne,
        Self::RetryAtOnce,
        Self::BreakerNeverOpens,
        Self::ConnectionsShared,
        Self::PauseIgnored,
        Self::ReplayTwice,
        Self::WakeLost,
        Self::RetentionIgnored,
        Self::BodyRewritten,
        Self::LinesApart,
        Self::VersionsEqual,
    ];
}
