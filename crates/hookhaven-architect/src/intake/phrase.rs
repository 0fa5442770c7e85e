//! A text as clauses of plain words, in which lists of words can be looked for: "no queue" is no queue, and "a service
//! is being considered" is none that is there.
//!
//! Not here: which words mean what (`text`).

/// What turns what a clause says into its opposite.
const DENIALS: &[&str] = &[
    "no", "not", "never", "nothing", "none", "nobody", "without", "neither", "nor", "non", "cannot", "cant", "dont",
    "doesnt", "didnt", "isnt", "wasnt", "arent", "wont",
];
/// What is over.
const BYGONE: &[&str] = &["used to", "formerly", "previously", "once had"];
/// What is only thought of.
const TO_COME: &[&str] = &[
    "considered",
    "considering",
    "planned",
    "planning",
    "plan to",
    "later",
    "soon",
    "maybe",
    "perhaps",
    "next year",
    "moving to",
    "migrating to",
    "thinking of",
    "thinking about",
    "evaluating",
    "might",
    "one day",
    "in future",
];

/// A text, cut where a sentence turns.
pub struct Phrases {
    /// Plain words between single blanks, with one at either end.
    clauses: Vec<String>,
}

impl Phrases {
    pub fn of(text: &str) -> Phrases {
        let mut clauses = vec![String::from(" ")];
        for piece in text.split([';', ',', '(', ')', '\n', '!', '?']).flat_map(sentences) {
            clauses.push(String::from(" "));
            // "Not only this but also that" denies neither.
            for word in plain(piece).replace("not only", "").split_whitespace() {
                if ["and", "but", "then", "while", "instead"].contains(&word) {
                    clauses.push(String::from(" "));
                } else if let Some(clause) = clauses.last_mut() {
                    clause.push_str(word);
                    clause.push(' ');
                }
            }
        }
        clauses.retain(|clause| clause != " ");
        Phrases { clauses }
    }

    pub fn of_all<S: AsRef<str>>(texts: &[S]) -> Phrases {
        Phrases { clauses: texts.iter().flat_map(|text| Phrases::of(text.as_ref()).clauses).collect() }
    }

    /// Clauses that say what is so now.
    fn so(&self) -> impl Iterator<Item = &str> {
        self.clauses.iter().map(String::as_str).filter(|clause| !denied(clause) && !any(clause, BYGONE))
    }

    /// Whether one of them is said, and not denied.
    pub fn say(&self, words: &[&str]) -> bool {
        self.so().any(|clause| any(clause, words))
    }

    /// Whether one of them is said in a clause that says none of the others.
    pub fn say_without(&self, words: &[&str], others: &[&str]) -> bool {
        self.so().any(|clause| any(clause, words) && !any(clause, others))
    }

    /// Whether one of them is said at all, be it to deny it.
    pub fn mention(&self, words: &[&str]) -> bool {
        self.clauses.iter().any(|clause| any(clause, words))
    }

    /// Whether one of them is denied.
    pub fn deny(&self, words: &[&str]) -> bool {
        self.clauses.iter().any(|clause| denied(clause) && any(clause, words))
    }

    /// Of several kinds the one that is said first, of what is there today.
    pub fn today<T: Copy>(&self, kinds: &[(T, &[&str])]) -> Option<T> {
        self.so().filter(|clause| !any(clause, TO_COME)).find_map(|clause| first(clause, kinds))
    }

    /// The same, be it only thought of.
    pub fn some_day<T: Copy>(&self, kinds: &[(T, &[&str])]) -> Option<T> {
        self.so().find_map(|clause| first(clause, kinds))
    }
}

/// What is left (`off`, `from`) does not count.
fn first<T: Copy>(clause: &str, kinds: &[(T, &[&str])]) -> Option<T> {
    const LEFT: &[&str] = &[" from", " off", " leaving", " of"];
    let place = |word: &&str| {
        let places = clause.match_indices(&between_blanks(word)).map(|(place, _)| place).collect::<Vec<_>>();
        places.into_iter().find(|place| !LEFT.iter().any(|left| clause[..*place].ends_with(left)))
    };
    let places = kinds.iter().filter_map(|(kind, words)| Some((words.iter().filter_map(place).min()?, *kind)));
    places.min_by_key(|(place, _)| *place).map(|(_, kind)| kind)
}

/// At a point that ends a sentence, which one within a name does not (`next.js`).
fn sentences(text: &str) -> impl Iterator<Item = &str> {
    text.split(". ").flat_map(|part| part.split(": "))
}

/// Words in small letters between single blanks; `e-mail` is two, `doesn't` is one.
fn plain(text: &str) -> String {
    let letters = text.chars().filter(|c| !matches!(c, '\'' | '’'));
    let spaced: String = letters.map(|c| if c.is_alphanumeric() { c.to_ascii_lowercase() } else { ' ' }).collect();
    spaced.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn between_blanks(words: &str) -> String {
    format!(" {} ", plain(words))
}

fn any(clause: &str, words: &[&str]) -> bool {
    words.iter().any(|word| clause.contains(&between_blanks(word)))
}

fn denied(clause: &str) -> bool {
    any(clause, DENIALS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_denied_or_over_is_not_said() {
        for (text, said) in [
            ("a queue", true),
            ("A QUEUE.", true),
            ("no queue", false),
            ("a handler, but no queue", false),
            ("there isn't any queue", false),
            ("no handler; a queue", true),
            ("we used to have a queue", false),
            ("queueing", false),
            ("not only a queue but also a table", true),
        ] {
            assert_eq!(Phrases::of(text).say(&["queue"]), said, "{text}");
        }
        assert!(Phrases::of("not verified").deny(&["verified"]) && !Phrases::of("verified").deny(&["verified"]));
        assert!(Phrases::of("e-mail").say(&["e-mail"]) && Phrases::of("e mail").say(&["e-mail"]));
    }

    #[test]
    fn what_is_there_comes_before_what_is_thought_of() {
        let kinds: &[(u8, &[&str])] = &[(1, &["one"]), (2, &["two"])];
        for (text, today, some_day) in [
            ("two", Some(2), Some(2)),
            ("two with one", Some(2), Some(2)),
            ("one; two is being considered", Some(1), Some(1)),
            ("moving to one, two today", Some(2), Some(1)),
            ("one is planned", None, Some(1)),
            ("not one, two", Some(2), Some(2)),
            ("moved off one to two", Some(2), Some(2)),
            ("three", None, None),
        ] {
            let text_of = Phrases::of(text);
            assert_eq!((text_of.today(kinds), text_of.some_day(kinds)), (today, some_day), "{text}");
        }
    }
}
