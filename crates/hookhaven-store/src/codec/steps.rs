//! The kind of a step as a number, for stores that keep them in a table.

use crate::seam::StepKind;

/// 0 accepted, 1 cancel asked, 2 ended without an attempt, from 10 on attempt number kind - 9.
pub(crate) fn step_number(kind: StepKind) -> i64 {
    match kind {
        StepKind::Accepted => 0,
        StepKind::CancelAsked => 1,
        StepKind::Ended => 2,
        StepKind::Attempted(number) => 9 + i64::from(number),
    }
}

/// `None` if a newer version wrote it.
pub(crate) fn step_of(number: i64) -> Option<StepKind> {
    Some(match number {
        0 => StepKind::Accepted,
        1 => StepKind::CancelAsked,
        2 => StepKind::Ended,
        n => StepKind::Attempted(u32::try_from(n - 9).ok().filter(|number| *number > 0)?),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_comes_back_from_its_number() {
        for kind in [StepKind::Accepted, StepKind::CancelAsked, StepKind::Ended, StepKind::Attempted(1)] {
            assert_eq!(step_of(step_number(kind)), Some(kind));
        }
        assert_eq!((step_of(3), step_of(9), step_of(-1)), (None, None, None));
    }
}
