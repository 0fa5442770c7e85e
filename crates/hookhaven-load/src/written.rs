//! A config file as `hookhaven architect` writes it, made to run beside others: its own text, but for the two addresses
//! that it listens on, and its secrets in the environment, where it asks for them.
//!
//! Not here: what such a file says (`hookhaven-architect`), the process (`gateway`).

use anyhow::{Result, ensure};

/// The same file on ports that the system chooses. Fails unless both addresses stand in it, each on a line of its own.
pub fn on_free_ports(text: &str) -> Result<String> {
    let mut found = Vec::new();
    let line = |line: &str| {
        let key = ["ingest", "admin"].into_iter().find(|key| line.starts_with(&format!("{key} = ")));
        found.extend(key);
        key.map_or_else(|| format!("{line}\n"), |key| format!("{key} = \"127.0.0.1:0\"\n"))
    };
    let text = text.lines().map(line).collect();
    ensure!(
        found == ["ingest", "admin"],
        "the file is not one that the architect wrote: of its addresses it says {found:?}"
    );
    Ok(text)
}

/// The variables that the file asks the environment for, each once, in its order. What is commented out asks for
/// nothing.
pub fn variables(text: &str) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        for (_, after) in line.match_indices("\"env:").map(|(at, begin)| line.split_at(at + begin.len())) {
            let name = after.split('"').next().unwrap_or_default();
            if !names.iter().any(|known| known == name) {
                names.push(name.to_owned());
            }
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "[server]\n# ingest = \"no\"\ningest = \"0.0.0.0:8080\"\nadmin = \"127.0.0.1:8081\"\n\n\
                        [sources.a]\nsecrets = [\"env:A\", \"env:B\"]\n# secret = \"env:C\"\nsecret = \"env:A\"\n";

    #[test]
    fn only_the_addresses_are_others() {
        let ran = on_free_ports(FILE).unwrap();
        let others: Vec<_> = FILE.lines().zip(ran.lines()).filter(|(a, b)| a != b).collect();
        let expected = [
            ("ingest = \"0.0.0.0:8080\"", "ingest = \"127.0.0.1:0\""),
            ("admin = \"127.0.0.1:8081\"", "admin = \"127.0.0.1:0\""),
        ];
        assert_eq!(others, expected);
        assert!(on_free_ports("[server]\nadmin = \"127.0.0.1:1\"\n").is_err());
    }

    #[test]
    fn what_it_asks_for_is_known() {
        assert_eq!(variables(FILE), ["A", "B"]);
    }
}
