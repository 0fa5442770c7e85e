//! The credentials of publishing: what the environment adds to the file, and what must hold of them,
//! wherever they come from. No message here repeats any part of one.
//!
//! Not here: what is made at first start where none are given (`app`, `publish::keys`).

use hookhaven_core::Secret;

use super::{
    environment::Environment,
    model::{Config, Publish},
    problem::{Problem, Severity},
};

/// Stands in for `publish.tokens`.
pub const TOKEN_VARIABLE: &str = "HOOKHAVEN_TOKEN";
/// Stand in for `publish.current_signing_key` and `publish.next_signing_key`.
pub const KEY_VARIABLES: [&str; 2] = ["HOOKHAVEN_CURRENT_SIGNING_KEY", "HOOKHAVEN_NEXT_SIGNING_KEY"];

/// A shorter key is refused: libraries that check HS256 signatures warn below it (RFC 7518, section 3.2).
pub const KEY_BYTES_MIN: usize = 32;
/// A shorter token is warned of.
const TOKEN_BYTES_MIN: usize = 20;

/// The token of QStash's development server, and its keys: printed in its documentation, so known to everybody.
pub const PUBLIC_TOKEN: &str = "eyJVc2VySUQiOiJkZWZhdWx0VXNlciIsIlBhc3N3b3JkIjoiZGVmYXVsdFBhc3N3b3JkIn0=";
pub const PUBLIC_KEYS: [&str; 2] = ["sig_7kYjw48mhY7kAjqNGcy6cr29RJ6r", "sig_5ZB6DVzB1wjE8S6rZ7eenA8Pdnhs"];

/// Takes from the environment what the file does not say, and tells what is wrong with the whole.
pub fn complete(config: &mut Config, environment: &Environment) -> Vec<Problem> {
    let mut problems = Vec::new();
    if !config.publish.enabled {
        return problems;
    }
    let publish = &mut config.publish;
    let variable = |name: &str| environment.get(name).and_then(Secret::new);
    let mut names = ["publish.tokens", "publish.current_signing_key", "publish.next_signing_key"];
    if publish.tokens.is_empty()
        && let Some(token) = variable(TOKEN_VARIABLE)
    {
        publish.tokens.push(token);
        names[0] = TOKEN_VARIABLE;
    }
    let keys = [&mut publish.current_signing_key, &mut publish.next_signing_key];
    for ((key, name), from) in keys.into_iter().zip(&mut names[1..]).zip(KEY_VARIABLES) {
        if key.is_none()
            && let Some(found) = variable(from)
        {
            *key = Some(found);
            *name = from;
        }
    }
    check_tokens(&mut problems, publish, names[0]);
    check_keys(&mut problems, publish, [names[1], names[2]]);
    if !config.server.ingest.ip().is_loopback() {
        refuse_public(&mut problems, publish, names);
    }
    problems
}

fn check_tokens(problems: &mut Vec<Problem>, publish: &Publish, name: &str) {
    let kinds = [(name, &publish.tokens), ("publish.read_tokens", &publish.read_tokens)];
    for (name, tokens) in kinds {
        if tokens.iter().any(|token| token.expose().len() < TOKEN_BYTES_MIN) {
            let what = format!("a token of fewer than {TOKEN_BYTES_MIN} characters can be guessed");
            problems.push(Problem::of(
                Severity::Warning,
                name,
                what,
                "take a random one, e.g. of `openssl rand -hex 32`",
            ));
        }
        if tokens.iter().any(|token| !token.expose().iter().all(u8::is_ascii_graphic)) {
            let what = "a token holds what no request can carry";
            problems.push(Problem::of(Severity::Error, name, what, "use letters, digits and punctuation, no blanks"));
        }
    }
    if publish.read_tokens.iter().any(|token| publish.tokens.contains(token)) {
        let what = "a token is in both lists, so it may do everything";
        problems.push(Problem::of(Severity::Error, "publish.read_tokens", what, "take it out of one of them"));
    }
}

fn check_keys(problems: &mut Vec<Problem>, publish: &Publish, names: [&str; 2]) {
    let keys = [&publish.current_signing_key, &publish.next_signing_key];
    for (key, name) in keys.into_iter().zip(names) {
        if key.as_ref().is_some_and(|key| key.expose().len() < KEY_BYTES_MIN) {
            let what = format!("a signing key needs at least {KEY_BYTES_MIN} characters");
            problems.push(Problem::of(
                Severity::Error,
                name,
                what,
                "take a random one, e.g. of `openssl rand -hex 16`",
            ));
        }
    }
    match keys {
        [Some(current), Some(next)] if current == next => {
            let what = "the current and the next key are the same, so rotating changes nothing";
            problems.push(Problem::of(Severity::Warning, names[1], what, "take another one"));
        }
        [Some(_), None] | [None, Some(_)] => {
            let (given, missing) =
                if publish.next_signing_key.is_none() { (names[0], names[1]) } else { (names[1], names[0]) };
            let what = format!("is given without {missing}");
            problems.push(Problem::of(
                Severity::Error,
                given,
                what,
                "give both, or none: then they are made at first start",
            ));
        }
        _ => {}
    }
}

/// Whoever listens beyond this machine must not use what everybody knows.
fn refuse_public(problems: &mut Vec<Problem>, publish: &Publish, names: [&str; 3]) {
    let known = |secret: &Secret| {
        std::iter::once(PUBLIC_TOKEN).chain(PUBLIC_KEYS).any(|public| public.as_bytes() == secret.expose())
    };
    let given = [
        (names[0], publish.tokens.iter().any(known)),
        ("publish.read_tokens", publish.read_tokens.iter().any(known)),
        (names[1], publish.current_signing_key.as_ref().is_some_and(known)),
        (names[2], publish.next_signing_key.as_ref().is_some_and(known)),
    ];
    for (name, _) in given.into_iter().filter(|(_, public)| *public) {
        let what = "this one is of QStash's development server, so everybody knows it";
        let mend = "take a random one, or listen on loopback only";
        problems.push(Problem::of(Severity::Error, name, what, mend));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "sig_0123456789abcdefghijklmnopqr";
    const TOKEN: &str = "0123456789abcdef0123";

    fn secret(text: &str) -> Option<Secret> {
        Secret::new(text)
    }

    fn completed(config: &mut Config, variables: &[(&str, &str)]) -> Vec<String> {
        let problems = complete(config, &Environment::from_iter(variables.iter().copied()));
        problems.iter().map(|p| format!("{:?} {}: {}", p.severity, p.key, p.what)).collect()
    }

    #[test]
    fn the_environment_stands_in_for_what_the_file_does_not_say() {
        let (token, key) = (format!("{TOKEN}-env"), format!("{KEY}-env"));
        let variables = [(TOKEN_VARIABLE, &*token), (KEY_VARIABLES[0], &*key), (KEY_VARIABLES[1], KEY)];
        let mut config = Config::default();
        assert_eq!(completed(&mut config, &variables), Vec::<String>::new());
        assert_eq!(config.publish.tokens, [secret(&token).unwrap()]);
        let keys = config.publish.signing_keys().unwrap();
        assert_eq!((Some(keys.current), Some(keys.next)), (secret(&key), secret(KEY)));

        let mut config = Config::default();
        config.publish.tokens = vec![secret(TOKEN).unwrap()];
        config.publish.current_signing_key = secret(&format!("{KEY}-file"));
        completed(&mut config, &variables);
        assert_eq!(config.publish.tokens, [secret(TOKEN).unwrap()]);
        assert_eq!(config.publish.signing_keys().map(|k| k.current), secret(&format!("{KEY}-file")));
        // Blank is not given.
        let mut config = Config::default();
        completed(&mut config, &[(TOKEN_VARIABLE, " "), (KEY_VARIABLES[0], "")]);
        assert!(config.publish.tokens.is_empty() && config.publish.signing_keys().is_none());
    }

    #[test]
    fn weak_credentials_are_told_by_where_they_come_from() {
        for (variables, said) in [
            (
                &[(TOKEN_VARIABLE, "short")][..],
                "Warning HOOKHAVEN_TOKEN: a token of fewer than 20 characters can be guessed",
            ),
            (
                &[(TOKEN_VARIABLE, "a blank is in this token")],
                "Error HOOKHAVEN_TOKEN: a token holds what no request can carry",
            ),
            (
                &[(KEY_VARIABLES[0], KEY)],
                "Error HOOKHAVEN_CURRENT_SIGNING_KEY: is given without publish.next_signing_key",
            ),
            (
                &[(KEY_VARIABLES[0], KEY), (KEY_VARIABLES[1], &KEY[1..])],
                "Error HOOKHAVEN_NEXT_SIGNING_KEY: a signing key needs at least 32 characters",
            ),
            (
                &[(KEY_VARIABLES[0], KEY), (KEY_VARIABLES[1], KEY)],
                "Warning HOOKHAVEN_NEXT_SIGNING_KEY: the current and the next key are the same, so rotating changes nothing",
            ),
        ] {
            assert_eq!(completed(&mut Config::default(), variables), [said]);
            let mut off = Config::default();
            off.publish.enabled = false;
            assert_eq!(completed(&mut off, variables), Vec::<String>::new());
        }
    }

    #[test]
    fn what_everybody_knows_stays_on_this_machine() {
        let variables = [(TOKEN_VARIABLE, PUBLIC_TOKEN), (KEY_VARIABLES[0], PUBLIC_KEYS[0]), (KEY_VARIABLES[1], KEY)];
        let mut config = Config::default();
        assert_eq!(completed(&mut config, &variables), Vec::<String>::new());
        config.server.ingest = "0.0.0.0:8080".parse().unwrap();
        config.publish = Publish::default();
        let said = completed(&mut config, &variables);
        assert_eq!(said.len(), 2, "{said:?}");
        assert!(said[0].starts_with("Error HOOKHAVEN_TOKEN: ") && said[1].starts_with("Error HOOKHAVEN_CURRENT_"));
    }
}
