//! Did-you-mean: the known word nearest to a mistyped one.

/// Compared words are cut here, so that nobody makes us compare novels.
const CHARS_MAX: usize = 64;

/// The nearest of `known`, if it is near enough to have been meant: one edit for short words, one in
/// three characters for longer ones. Something of the word has to be left.
pub fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let word: String = word.chars().take(CHARS_MAX).collect::<String>().to_lowercase();
    let chars = word.chars().count();
    let reach = (chars / 3).max(1).min(chars.saturating_sub(1));
    let alike = known.into_iter().filter(|k| k.chars().take(CHARS_MAX).count().abs_diff(chars) <= reach);
    let near = alike.map(|k| (distance(&word, &k.to_lowercase()), k)).filter(|(d, _)| *d <= reach);
    near.min_by_key(|(d, _)| *d).map(|(_, k)| k)
}

/// Of words of which many more exist than are known here: only what a slip of the finger makes of one of them. Short
/// ones are too near to each other.
pub fn slip<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    const CHARS_MIN: usize = 6;
    let word = word.to_lowercase();
    known.into_iter().filter(|k| k.chars().count() >= CHARS_MIN).find(|k| distance(&word, &k.to_lowercase()) == 1)
}

/// `did you mean "x"?` or what to choose from.
pub fn mend<'a>(word: &str, known: impl IntoIterator<Item = &'a str> + Clone, among: &str) -> String {
    match nearest(word, known.clone()) {
        Some(meant) => format!("did you mean \"{meant}\"?"),
        None => {
            let all: Vec<&str> = known.into_iter().collect();
            if all.is_empty() { format!("there are no {among}") } else { format!("{among}: {}", all.join(", ")) }
        }
    }
}

/// Edits (insert, delete, replace, swap of neighbours) from `a` to `b`.
fn distance(a: &str, b: &str) -> usize {
    let a: Vec<char> = a.chars().take(CHARS_MAX).collect();
    let b: Vec<char> = b.chars().take(CHARS_MAX).collect();
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for i in 1..=a.len() {
        let mut row = vec![i; b.len() + 1];
        for j in 1..=b.len() {
            let replaced = last[j - 1] + usize::from(a[i - 1] != b[j - 1]);
            row[j] = replaced.min(last[j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                row[j] = row[j].min(before[j - 2] + 1);
            }
        }
        before = std::mem::replace(&mut last, row);
    }
    last[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_words_are_meant_and_far_ones_are_not() {
        let known = ["secrets", "sender", "tolerance", "to"];
        assert_eq!(nearest("secret", known), Some("secrets"));
        assert_eq!(nearest("sneder", known), Some("sender"));
        assert_eq!(nearest("Tolerence", known), Some("tolerance"));
        assert_eq!(nearest("colour", known), None);
        assert_eq!(nearest("", known), None);
        assert_eq!((nearest("y", ["x"]), nearest("X", ["x"])), (None, Some("x")), "nothing of it would be left");
        assert_eq!(nearest(&"tolerance".repeat(30), known), None, "a long word is near to nothing");
    }

    #[test]
    fn a_slip_is_one_edit_of_a_long_word() {
        let known = ["invoice.paid", "customer.created", "push"];
        assert_eq!(slip("invoce.paid", known), Some("invoice.paid"));
        assert_eq!(slip("customer.updated", known), None);
        assert_eq!(slip("pull", known), None);
        assert_eq!(slip("invoice.paid", known), None);
    }

    #[test]
    fn edits_are_counted() {
        for (a, b, n) in [("", "", 0), ("abc", "", 3), ("ab", "ba", 1), ("kitten", "sitting", 3), ("é", "e", 1)] {
            assert_eq!(distance(a, b), n, "{a} {b}");
        }
    }
}
