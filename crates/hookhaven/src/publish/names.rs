//! Names that publishers give: of queues, URL groups, schedules.

use super::error::ApiError;

pub const NAME_BYTES_MAX: usize = 256;

/// Letters, digits, `.`, `_` and `-`; at most [`NAME_BYTES_MAX`]. `what` is whose name it is, for the message.
pub fn check(what: &str, name: &str) -> Result<(), ApiError> {
    if is_name(name) {
        return Ok(());
    }
    let rule = "must be 1 to 256 letters, digits, '.', '_' or '-'";
    Err(ApiError::bad(format!("invalid {what}: {rule}")))
}

pub fn is_name(text: &str) -> bool {
    let fine = |b: u8| b.is_ascii_alphanumeric() || b"._-".contains(&b);
    !text.is_empty() && text.len() <= NAME_BYTES_MAX && text.bytes().all(fine)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_names() {
        assert!(["a", "A.b_c-9", &"x".repeat(256)].iter().all(|n| check("queue name", n).is_ok()));
        for name in ["", " a", "a/b", "ä", "a%20b", "a:b", &"x".repeat(257)] {
            assert!(check("queue name", name).is_err(), "{name}");
        }
    }
}
