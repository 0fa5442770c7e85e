//! A value of the design with the reason for it, so that the config's comments, the report and `--explain` say the
//! same.

/// What was chosen, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choice<T> {
    pub value: T,
    /// One or two sentences with the figures that led to it, for a person.
    pub why: String,
    /// The answers behind it, by path (`volume.stripe.per_day`); empty where it holds for every team.
    pub answers: Vec<String>,
}

impl<T> Choice<T> {
    /// The same for every team.
    pub fn usual(value: T, why: impl Into<String>) -> Self {
        Choice { value, why: why.into(), answers: Vec::new() }
    }

    pub fn from<A: Into<String>>(value: T, why: impl Into<String>, answers: impl IntoIterator<Item = A>) -> Self {
        Choice { value, why: why.into(), answers: answers.into_iter().map(Into::into).collect() }
    }
}
