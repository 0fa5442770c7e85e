//! The process environment, read once, in this one place, and passed on as a value.
//!
//! Not a settings layer: variables give values to secrets that the file asks for by name.

use std::{collections::BTreeMap, fmt};

/// The variables as they stood when the process started, or as a test wants them.
#[derive(Clone, Default)]
pub struct Environment(BTreeMap<String, String>);

impl Environment {
    /// The environment of this process. Variables that are not UTF-8 are left out.
    pub fn from_process() -> Self {
        let text =
            std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
        Environment(text.collect())
    }

    /// `None` if the variable is not set.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// Names that are set, for a did-you-mean.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }
}

impl<'a> FromIterator<(&'a str, &'a str)> for Environment {
    fn from_iter<I: IntoIterator<Item = (&'a str, &'a str)>>(variables: I) -> Self {
        Environment(variables.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
    }
}

/// Without values: some of them are secrets.
impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Environment({} variables)", self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_found_by_name_and_never_printed() {
        let environment = Environment::from_iter([("KEY", "hunter2")]);
        assert_eq!(environment.get("KEY"), Some("hunter2"));
        assert_eq!(environment.get("OTHER"), None);
        assert!(!format!("{environment:?}").contains("hunter2"));
    }
}
