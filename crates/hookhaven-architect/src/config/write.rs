//! A TOML file that explains itself, written line by line.
//!
//! Not here: what it says.

/// Comments are wrapped there.
const COLUMNS: usize = 100;

/// The text so far.
#[derive(Clone, Debug, Default)]
pub struct Toml {
    text: String,
}

impl Toml {
    /// A comment, wrapped.
    pub fn note(&mut self, text: &str) {
        wrapped(text, COLUMNS - 2).iter().for_each(|line| self.line(&format!("# {line}")));
    }

    /// A setting with its reason above it.
    pub fn set(&mut self, why: &str, key: &str, value: &str) {
        self.note(why);
        self.line(&format!("{key} = {value}"));
    }

    /// A setting that is not in force.
    pub fn off(&mut self, why: &str, key: &str, value: &str) {
        self.note(why);
        self.line(&format!("# {key} = {value}"));
    }

    /// A table's head, after a blank line.
    pub fn table(&mut self, name: &str) {
        self.blank();
        self.line(&format!("[{name}]"));
    }

    pub fn blank(&mut self) {
        self.text.push('\n');
    }

    pub fn line(&mut self, line: &str) {
        self.text.push_str(line);
        self.text.push('\n');
    }

    pub fn finish(self) -> String {
        self.text
    }
}

/// A text as TOML.
pub fn quoted(text: &str) -> String {
    let mut quoted = "\"".to_owned();
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            c if c.is_control() => quoted += &format!("\\u{:04X}", u32::from(c)),
            c => quoted.push(c),
        }
    }
    quoted + "\""
}

/// A list of texts as TOML.
pub fn listed<S: AsRef<str>>(texts: &[S]) -> String {
    let all: Vec<String> = texts.iter().map(|text| quoted(text.as_ref())).collect();
    format!("[{}]", all.join(", "))
}

/// Lines of at most so many characters, broken at blanks; a longer word stands alone.
pub fn wrapped(text: &str, columns: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut().filter(|line| line.chars().count() + 1 + word.chars().count() <= columns) {
            Some(line) => {
                line.push(' ');
                line.push_str(word);
            }
            None => lines.push(word.to_owned()),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_are_wrapped_and_values_are_toml() {
        assert_eq!(wrapped("one two  three four", 9), ["one two", "three", "four"]);
        assert_eq!(wrapped("a-word-that-is-long b", 5), ["a-word-that-is-long", "b"]);
        let text = format!("a = {}", listed(&["a", "b \"c\" \\d", "e\nf\u{1}"]));
        let read: toml::Table = toml::from_str(&text).unwrap();
        let texts: Vec<_> = read["a"].as_array().unwrap().iter().map(|v| v.as_str().unwrap()).collect();
        assert_eq!(texts, ["a", "b \"c\" \\d", "e\nf\u{1}"]);
        let mut toml = Toml::default();
        toml.set("because it is so", "key", "1");
        toml.off("unless", "other", "2");
        assert_eq!(toml.finish(), "# because it is so\nkey = 1\n# unless\n# other = 2\n");
    }
}
