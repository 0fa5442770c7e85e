//! A sender as its file writes it down: everything that is data. Most senders are nothing else; those that need
//! code name the functions (`code`) that stand in for what the data would do, and are data for the rest.
//!
//! Not here: what the data does (`declared`), its families (`signed`, `shared`, `handshake`).

use std::{sync::Arc, time::Duration};

use super::{
    AddressList, Chain, SenderOptionError, SenderOptions, declared::Declared, handshake::Handshake, late::LateAnswers,
    sample::Named, shared::SharedSpec, signed::SignedSpec,
};
use crate::{
    secret::Secret,
    sender::{CannotSign, Cover, Facts, Fetch, Keys, Own, Proof, Rejection, Reply, Request, Sample, Sender, Signed},
    time::Time,
};

/// One line of the table. Start from [`Declaration::DEFAULT`].
#[derive(Clone, Debug)]
pub struct Declaration {
    /// In kebab-case, as written in the config file.
    pub name: &'static str,
    /// Other names for the same.
    pub aliases: &'static [&'static str],
    /// For people.
    pub title: &'static str,
    pub scheme: Scheme,
    /// Of senders whose headers come under several names: what `*` stands for in `header:*id` and in the scheme's
    /// headers. A request is judged and read by the first set whose signature it carries, and by that alone.
    pub prefixes: &'static [&'static str],
    /// Places of the event id, best first; without any of them the key is a hash of the body.
    pub id: &'static [&'static str],
    /// Places of the event type.
    pub event_type: &'static [&'static str],
    /// What people subscribe to under a name that no event has, and the type under which it arrives.
    pub subscribed: &'static [(&'static str, &'static str)],
    /// Places of the time at which it happened.
    pub time: &'static [&'static str],
    /// Places of what deliveries would be ordered by, narrowest first.
    pub order_key: &'static [&'static str],
    /// Places of what says which of two events of the same thing is newer; without any, the time does.
    pub version: &'static [&'static str],
    /// How long after the event a person may have it sent again, where that is longer than its own retries go on.
    pub redelivery: Option<Duration>,
    /// The catalogue's name for the same third party where it signs, for those that can be told to.
    pub signs_instead: Option<&'static str>,
    /// The array whose items are events, as a pointer: empty for the body itself.
    pub batch: Option<&'static str>,
    /// Globs over the types of which several come in one request, where there is a `batch`.
    pub batched: &'static [&'static str],
    /// How far a signed time may be off unless the source says otherwise.
    pub tolerance: Duration,
    /// The largest events must fit.
    pub body_bytes_max: usize,
    /// Content types the sender uses; empty means any.
    pub content_types: &'static [&'static str],
    pub handshakes: &'static [Handshake],
    /// Where it publishes the addresses that it posts from, if it does so for programs.
    pub addresses: &'static [AddressList],
    pub answer: Told,
    /// Globs over the types for which somebody waits for the answer and sees what it says; empty: for none.
    pub asks: &'static [&'static str],
    /// Where it takes answers that come too late.
    pub late_answers: Option<LateAnswers>,
    /// Beginnings of texts that are no secret of this sender but are often taken for one, and the mend.
    pub not_secrets: &'static [(&'static str, &'static str)],
    pub sample_types: &'static [&'static str],
    /// Whole bodies by type.
    pub samples: &'static [Named],
    /// JSON that bodies of other types begin with.
    pub sample: &'static str,
    /// Events of one thing, to be tried in a row.
    pub chains: &'static [Chain],
    pub about: About,
    pub conduct: Conduct,
    pub code: Code,
    pub build: Build,
}

/// How a sender's requests are told from others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// By a MAC or signature over a text.
    Signed(SignedSpec),
    /// By a secret that is shown.
    Shared(SharedSpec),
    /// By the `verify` of its code.
    Own {
        /// In words, for the documentation.
        how: &'static str,
        covers: Cover,
        signs_id: bool,
        signs_type: bool,
        signs_time: bool,
        signs_url: bool,
    },
    /// Not at all: a source needs an allow-list of addresses instead of secrets.
    Nothing,
}

/// Functions of a sender's own file. Each stands in for what the data would do.
#[derive(Clone, Copy, Debug)]
pub struct Code {
    pub needs: Option<Needs>,
    pub verify: Option<Verify>,
    pub facts: Option<fn(&Declared, &Request<'_>) -> Facts>,
    pub handshake: Option<fn(&Request<'_>, &Own<'_>) -> Option<Reply>>,
    /// After the lookalikes and the form that the scheme needs.
    pub check_secret: Option<CheckSecret>,
    pub sample: Option<SampleOf>,
    pub sign: Option<SignWith>,
}

/// Makes the sender of a declaration.
pub type Build = fn(&'static Declaration, &SenderOptions) -> Result<Arc<dyn Sender>, SenderOptionError>;
/// See [`Sender::needs`].
pub type Needs = fn(&Request<'_>, &Keys<'_>) -> Result<Option<Fetch>, Rejection>;
/// See [`Sender::verify`].
pub type Verify = fn(&Request<'_>, &Keys<'_>) -> Result<Proof, Rejection>;
/// See [`Sender::check_secret`].
pub type CheckSecret = fn(&Secret) -> Result<(), String>;
/// See [`Sender::sample`].
pub type SampleOf = fn(&Declared, &str, &str, Time) -> Result<Sample, CannotSign>;
/// See [`Sender::sign`].
pub type SignWith = fn(&Declared, &Sample, Option<&str>, &Secret, Time) -> Result<Signed, CannotSign>;

impl Code {
    pub const NONE: Code =
        Code { needs: None, verify: None, facts: None, handshake: None, check_secret: None, sample: None, sign: None };
}

/// An answer that is always the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Told {
    pub status: u16,
    pub content_type: Option<&'static str>,
    pub body: &'static str,
}

/// What only people need to know.
#[derive(Clone, Copy, Debug)]
pub struct About {
    /// Where the secret is found, or who makes it up.
    pub secret: &'static str,
    pub rotation: Rotation,
    /// Where the source's URL is entered.
    pub paste: &'static str,
    pub quirks: &'static [&'static str],
    /// The sender's own documentation.
    pub docs: &'static str,
    /// How long the sender waits for an answer.
    pub timeout_s: Option<u32>,
    pub retries: Retries,
}

/// What living with a sender is like beyond one request: what a set-up is planned by. Empty where it is not known.
///
/// Names of pages and calls are those of the sender's documentation where its file says so, else from memory; they change
/// with its product, and what [`About::docs`] leads to has the last word.
#[derive(Clone, Copy, Debug)]
pub struct Conduct {
    /// Whether it promises that events arrive in the order in which they happened.
    pub order: OrderPromise,
    /// Globs over the types whose events hold the whole state of what their ordering key names, or only say that it
    /// changed: a newer one leaves nothing for an older one to tell.
    pub whole: &'static [&'static str],
    /// How events are sent again by hand or by program.
    pub resend: &'static str,
    /// How long after the event it can be; where that is what [`Declaration::redelivery`] says, only there.
    pub resend_within: Option<Duration>,
    /// What of its own tells which events there were, to be compared with what arrived.
    pub reconcile: &'static str,
    /// When it stops sending altogether.
    pub gives_up: &'static str,
    /// Common types of which a dead letter should wake somebody.
    pub critical: &'static [&'static str],
    /// Whether failures that go on make it stop sending for a time or for good, rather than drop the event alone.
    pub stops: bool,
    /// After how long a subscription ends unless it is renewed, in words.
    pub lapses: &'static str,
    /// Types whose events only say that something changed, so that what it is now has to be asked of the API; `*`: all.
    pub thin: &'static [&'static str],
    /// Where one thing that happened makes several events.
    pub siblings: &'static [Siblings],
}

/// Types of which one thing that happened makes several, each an event with an id of its own.
#[derive(Clone, Copy, Debug)]
pub struct Siblings {
    /// What happened, as in "one payment".
    pub cause: &'static str,
    pub types: &'static [&'static str],
    /// How a handler does what it has to do once, in a sentence or two.
    pub instead: &'static str,
}

/// What a sender says of the order of its events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OrderPromise {
    /// It says nothing, which is no promise.
    Silent,
    /// It says that there is none.
    None,
    /// In words, within what it holds.
    Within(&'static str),
}

impl Conduct {
    pub const UNKNOWN: Conduct = Conduct {
        order: OrderPromise::Silent,
        whole: &[],
        resend: "",
        resend_within: None,
        reconcile: "",
        gives_up: "",
        critical: &[],
        stops: false,
        lapses: "",
        thin: &[],
        siblings: &[],
    };
}

/// How a secret is replaced: whether the new one can be here before anything is signed with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rotation {
    /// When the new one begins to sign is not known.
    Unknown,
    /// The team makes it up, and enters it where the old one stands.
    MadeUp,
    /// The sender makes it, where the words say, and signs with both for so long; without a length, until the old one is
    /// taken away there.
    Both(&'static str, Option<Duration>),
    /// The sender makes it and goes on signing with the old one; in words, where, and what makes the new one sign.
    Ahead(&'static str),
    /// The sender makes it, where the words say, and signs with it alone from then on.
    AtOnce(&'static str),
    /// Each webhook that is made has its own and keeps it.
    PerHook,
    /// What is given here signs nothing: a public key, or an account beside keys that are fetched.
    Public,
}

/// Whether a sender comes again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retries {
    /// It does not say.
    Unknown,
    /// A lost request is lost.
    Never,
    /// So long after the first time; in words, how often.
    For(Duration, &'static str),
}

impl Retries {
    pub const fn minutes(minutes: u64, how: &'static str) -> Self {
        Self::For(Duration::from_secs(minutes * 60), how)
    }

    pub const fn hours(hours: u64, how: &'static str) -> Self {
        Self::minutes(hours * 60, how)
    }
}

impl Told {
    pub const EMPTY: Told = Told::status(200);

    pub const fn status(status: u16) -> Self {
        Told { status, content_type: None, body: "" }
    }

    pub const fn json(body: &'static str) -> Self {
        Told { status: 200, content_type: Some("application/json"), body }
    }
}

impl About {
    pub const DEFAULT: About = About {
        secret: "",
        rotation: Rotation::Unknown,
        paste: "",
        quirks: &[],
        docs: "",
        timeout_s: None,
        retries: Retries::Unknown,
    };
}

impl Declaration {
    pub const DEFAULT: Declaration = Declaration {
        name: "",
        aliases: &[],
        title: "",
        scheme: Scheme::Signed(SignedSpec::DEFAULT),
        prefixes: &[""],
        id: &[],
        event_type: &["json:/type"],
        subscribed: &[],
        time: &[],
        order_key: &[],
        version: &[],
        redelivery: None,
        signs_instead: None,
        batch: None,
        batched: &["*"],
        tolerance: Duration::from_secs(300),
        body_bytes_max: 1 << 20,
        content_types: &["application/json"],
        handshakes: &[],
        addresses: &[],
        answer: Told::EMPTY,
        asks: &[],
        late_answers: None,
        not_secrets: &[],
        sample_types: &["sample"],
        samples: &[],
        sample: "{}",
        chains: &[],
        about: About::DEFAULT,
        conduct: Conduct::UNKNOWN,
        code: Code::NONE,
        build: |declaration, options| {
            options.refuse_hmac(declaration.name)?;
            Ok(Arc::new(Declared::of(declaration)?))
        },
    };

    /// Makes the sender.
    ///
    /// # Errors
    /// Options that do not fit this sender.
    pub fn build(&'static self, options: &SenderOptions) -> Result<Arc<dyn Sender>, SenderOptionError> {
        (self.build)(self, options)
    }

    /// How long a handler may take to answer it in time, where the route does not say: a little less than the sender
    /// waits, and at most ten seconds, since requests that wait are held in memory.
    pub fn answer_within(&self) -> Duration {
        let waits = Duration::from_secs(self.about.timeout_s.map_or(3, u64::from));
        waits.saturating_sub(Duration::from_millis(500)).min(Duration::from_secs(10))
    }

    /// How long after an event a person or program can have it sent again; `None`: not known, or not at all.
    pub fn resend_within(&self) -> Option<Duration> {
        self.conduct.resend_within.or(self.redelivery)
    }

    /// Whether there are events of it whose answer somebody sees.
    pub fn user_waits(&self) -> bool {
        !self.asks.is_empty()
    }

    /// Whether it makes the secret and posts it.
    pub fn hands_over(&self) -> bool {
        self.handshakes.iter().any(Handshake::hands_over)
    }

    /// Whether it signs the URL that it posts to.
    pub fn signs_url(&self) -> bool {
        match &self.scheme {
            Scheme::Signed(spec) => spec.signed.contains("{url}"),
            Scheme::Own { signs_url, .. } => *signs_url,
            Scheme::Shared(_) | Scheme::Nothing => false,
        }
    }

    /// Whether it proves anything. Where not, a source needs an allow-list of addresses instead of secrets.
    pub fn verifies(&self) -> bool {
        self.scheme != Scheme::Nothing
    }
}
