//! What a guide says will be seen, beside what was: lines in their order, others between them, `…` for whatever changes
//! from run to run (ids, times). Blanks in a row count as one, since columns are as wide as what stands in them.

/// Where the output goes on behind the last of the lines; or the first line that is not there.
pub fn find<'a>(expected: &'a str, output: &str) -> Result<usize, &'a str> {
    let mut seen = output.lines().enumerate();
    let mut after = 0;
    for wanted in expected.lines().filter(|line| !matches!(line.trim(), "" | "…")) {
        match seen.find(|(_, line)| is_like(wanted, line)) {
            Some((index, _)) => after = index + 1,
            None => return Err(wanted),
        }
    }
    Ok(after)
}

fn is_like(wanted: &str, line: &str) -> bool {
    let (wanted, line) = (blanks_as_one(wanted), blanks_as_one(line));
    let mut parts = wanted.split('…');
    let Some(mut rest) = parts.next().and_then(|first| line.strip_prefix(first)) else { return false };
    let mut parts = parts.peekable();
    if parts.peek().is_none() {
        return rest.is_empty();
    }
    while let Some(part) = parts.next() {
        if parts.peek().is_none() {
            return rest.ends_with(part);
        }
        match rest.split_once(part) {
            Some((_, behind)) => rest = behind,
            None => return false,
        }
    }
    true
}

fn blanks_as_one(line: &str) -> String {
    line.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn lines_are_found_in_their_order() {
    let output = "EVENT    SOURCE\nevt_1a  stripe\n{\"a\": 1}\n";
    assert_eq!(find("EVENT SOURCE\n\nevt_… stripe\n", output), Ok(2));
    assert_eq!(find("…\n…\"a\": …}\n", output), Ok(3));
    assert_eq!(find("evt_… stripe\nEVENT SOURCE\n", output), Err("EVENT SOURCE"));
    for other in ["evt_… git", "evt_", "vt_1a stripe", "…b…", "e…vt_1a…b"] {
        assert_eq!(find(other, output), Err(other));
    }
}
