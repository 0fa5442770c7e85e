//! The arithmetic by which a publisher says how long to wait before each retry: QStash's
//! `Upstash-Retry-Delay`. One variable, eight functions, no loops: it always ends.
//!
//! Not here: the default schedule (`retry`), a destination's own wishes (`hints`).

use std::time::Duration;

/// Longest text that is an expression.
pub const EXPRESSION_BYTES_MAX: usize = 1_000;
/// How deep parentheses, calls and signs may nest.
pub const NESTING_MAX: u32 = 32;
/// No result is longer.
pub const WAIT_MAX: Duration = Duration::from_secs(86_400);

/// Why a text is no expression, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what} at position {at}")]
pub struct BadExpression {
    pub what: String,
    /// In bytes, from 1.
    pub at: usize,
}

/// An expression whose syntax, names and argument counts hold.
#[derive(Clone, Debug, PartialEq)]
pub struct Expression(Node);

#[derive(Clone, Debug, PartialEq)]
enum Node {
    Number(f64),
    Retried,
    Minus(Box<Node>),
    Binary(u8, Box<Node>, Box<Node>),
    Call(Function, Vec<Node>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Function {
    Pow,
    Sqrt,
    Abs,
    Exp,
    Floor,
    Ceil,
    Round,
    Min,
    Max,
}

/// Name, function, and how many arguments it takes.
const FUNCTIONS: [(&str, Function, std::ops::RangeInclusive<usize>); 9] = [
    ("pow", Function::Pow, 2..=2),
    ("sqrt", Function::Sqrt, 1..=1),
    ("abs", Function::Abs, 1..=1),
    ("exp", Function::Exp, 1..=1),
    ("floor", Function::Floor, 1..=1),
    ("ceil", Function::Ceil, 1..=1),
    ("round", Function::Round, 1..=1),
    ("min", Function::Min, 2..=EXPRESSION_BYTES_MAX),
    ("max", Function::Max, 2..=EXPRESSION_BYTES_MAX),
];

impl Expression {
    /// Reads `+ - * / %`, unary minus, parentheses, decimal numbers, `retried` and the functions `pow sqrt
    /// abs exp floor ceil round min max`.
    pub fn parse(text: &str) -> Result<Self, BadExpression> {
        if text.len() > EXPRESSION_BYTES_MAX {
            let what = format!("an expression has at most {EXPRESSION_BYTES_MAX} bytes; this one does not end");
            return Err(BadExpression { what, at: EXPRESSION_BYTES_MAX });
        }
        let mut parser = Parser { text, at: 0, depth: 0 };
        let node = parser.sum()?;
        match parser.peek() {
            None => Ok(Expression(node)),
            Some(_) => Err(parser.unexpected()),
        }
    }

    /// The wait before the next attempt, when so many retries have been made: the value in milliseconds.
    /// What is negative or no number counts as 0; nothing is longer than [`WAIT_MAX`].
    pub fn wait(&self, retried: u32) -> Duration {
        let ms = self.0.value(f64::from(retried));
        if !ms.is_finite() || ms <= 0.0 {
            return Duration::ZERO;
        }
        Duration::try_from_secs_f64(ms / 1_000.0).unwrap_or(WAIT_MAX).min(WAIT_MAX)
    }
}

impl Node {
    fn value(&self, retried: f64) -> f64 {
        match self {
            Node::Number(number) => *number,
            Node::Retried => retried,
            Node::Minus(node) => -node.value(retried),
            Node::Binary(operator, left, right) => {
                let (left, right) = (left.value(retried), right.value(retried));
                match operator {
                    b'+' => left + right,
                    b'-' => left - right,
                    b'*' => left * right,
                    b'/' => left / right,
                    _ => left % right,
                }
            }
            Node::Call(function, arguments) => function.value(arguments.iter().map(|a| a.value(retried))),
        }
    }
}

impl Function {
    fn value(self, mut arguments: impl Iterator<Item = f64>) -> f64 {
        // The parser has counted them.
        let first = arguments.next().unwrap_or(f64::NAN);
        match self {
            Function::Pow => first.powf(arguments.next().unwrap_or(f64::NAN)),
            Function::Sqrt => first.sqrt(),
            Function::Abs => first.abs(),
            Function::Exp => first.exp(),
            Function::Floor => first.floor(),
            Function::Ceil => first.ceil(),
            Function::Round => first.round(),
            Function::Min => arguments.fold(first, |a, b| if a.is_nan() || b.is_nan() { f64::NAN } else { a.min(b) }),
            Function::Max => arguments.fold(first, |a, b| if a.is_nan() || b.is_nan() { f64::NAN } else { a.max(b) }),
        }
    }
}

/// Recursive descent; `at` stands on what is read next.
struct Parser<'t> {
    text: &'t str,
    at: usize,
    depth: u32,
}

impl Parser<'_> {
    fn sum(&mut self) -> Result<Node, BadExpression> {
        self.chain(b"+-", Self::product)
    }

    fn product(&mut self) -> Result<Node, BadExpression> {
        self.chain(b"*/%", Self::operand)
    }

    /// Operands with operators of one rank between, from left to right.
    fn chain(
        &mut self,
        operators: &[u8],
        operand: fn(&mut Self) -> Result<Node, BadExpression>,
    ) -> Result<Node, BadExpression> {
        let mut left = operand(self)?;
        while let Some(operator) = self.peek().filter(|c| operators.contains(c)) {
            self.at += 1;
            left = Node::Binary(operator, Box::new(left), Box::new(operand(self)?));
        }
        Ok(left)
    }

    fn operand(&mut self) -> Result<Node, BadExpression> {
        self.depth += 1;
        if self.depth > NESTING_MAX {
            return Err(self.error(format!("nested deeper than {NESTING_MAX}")));
        }
        let node = match self.peek() {
            Some(b'-') => {
                self.at += 1;
                Node::Minus(Box::new(self.operand()?))
            }
            Some(b'(') => {
                self.at += 1;
                let node = self.sum()?;
                self.expect(b')')?;
                node
            }
            Some(b'0'..=b'9' | b'.') => self.number()?,
            Some(c) if c.is_ascii_alphabetic() => self.name()?,
            _ => return Err(self.unexpected()),
        };
        self.depth -= 1;
        Ok(node)
    }

    fn number(&mut self) -> Result<Node, BadExpression> {
        let text = self.take_while(|c| c.is_ascii_digit() || c == b'.');
        let number: Option<f64> = text.parse().ok();
        number.map(Node::Number).ok_or_else(|| self.error(format!("{text:?} is not a number")))
    }

    fn name(&mut self) -> Result<Node, BadExpression> {
        let name = self.take_while(|c| c.is_ascii_alphanumeric() || c == b'_');
        if name == "retried" {
            return Ok(Node::Retried);
        }
        let known = FUNCTIONS.iter().find(|(known, ..)| *known == name);
        let Some((_, function, takes)) = known else {
            return Err(self.error(format!("{name:?} is not known")));
        };
        self.expect(b'(')?;
        let mut arguments = vec![self.sum()?];
        while self.peek() == Some(b',') {
            self.at += 1;
            arguments.push(self.sum()?);
        }
        self.expect(b')')?;
        if !takes.contains(&arguments.len()) {
            let least = takes.start();
            return Err(self.error(format!("{name} takes {least} arguments, not {}", arguments.len())));
        }
        Ok(Node::Call(*function, arguments))
    }

    fn peek(&mut self) -> Option<u8> {
        let bytes = self.text.as_bytes();
        while bytes.get(self.at).is_some_and(u8::is_ascii_whitespace) {
            self.at += 1;
        }
        bytes.get(self.at).copied()
    }

    fn take_while(&mut self, wanted: fn(u8) -> bool) -> String {
        let taken: String = self.text[self.at..].chars().take_while(|c| c.is_ascii() && wanted(*c as u8)).collect();
        self.at += taken.len();
        taken
    }

    fn expect(&mut self, wanted: u8) -> Result<(), BadExpression> {
        match self.peek() {
            Some(c) if c == wanted => {
                self.at += 1;
                Ok(())
            }
            _ => Err(self.error(format!("{:?} is missing", char::from(wanted)))),
        }
    }

    fn unexpected(&self) -> BadExpression {
        match self.text[self.at..].chars().next() {
            Some(c) => self.error(format!("unexpected {c:?}")),
            None => self.error("unexpected end".to_owned()),
        }
    }

    fn error(&self, what: String) -> BadExpression {
        BadExpression { what, at: self.at + 1 }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn waits_ms<const N: usize>(text: &str) -> [u128; N] {
        let expression = Expression::parse(text).unwrap();
        std::array::from_fn(|n| expression.wait(u32::try_from(n).unwrap()).as_millis())
    }

    #[test]
    fn the_documented_expressions() {
        assert_eq!(waits_ms("pow(2, retried) * 1000"), [1_000, 2_000, 4_000]);
        assert_eq!(waits_ms("1000 * (1 + retried)"), [1_000, 2_000, 3_000]);
        assert_eq!(waits_ms("7000 * retried"), [0, 7_000]);
        assert_eq!(waits_ms("max(10, pow(2, retried))"), [10, 10, 10, 10, 16]);
        assert_eq!(waits_ms("exp(2.5*retried)*1000"), [1_000, 12_182]);
        assert_eq!(waits_ms("1000"), [1_000, 1_000]);
    }

    #[test]
    fn ranks_signs_and_functions() {
        let table = [
            ("1+2*3", 7),
            ("(1+2)*3", 9),
            ("20-5-5", 10),
            ("100/10/2", 5),
            ("17%5*2", 4),
            ("--5", 5),
            ("2*-3+10", 4),
            ("-(2-7)", 5),
            ("sqrt(16)+abs(-3)", 7),
            ("floor(2.9)+ceil(2.1)+round(2.5)", 8),
            ("min(9,4,7)+max(1,2,3)", 7),
            ("\t.5 * 4. ", 2),
        ];
        for (text, expected) in table {
            assert_eq!(waits_ms(text), [expected], "{text}");
        }
    }

    #[test]
    fn no_result_is_nonsense() {
        for text in ["-5", "1/0", "-1/0", "0/0", "sqrt(-1)", "min(0/0, 5)", "5%0", "pow(10, 400)"] {
            assert_eq!(waits_ms(text), [0], "{text}");
        }
        for text in ["1000000000000", "pow(10, 300)"] {
            assert_eq!(waits_ms(text), [86_400_000], "{text}");
        }
        assert_eq!(Expression::parse("0.5").unwrap().wait(0), Duration::from_micros(500));
    }

    #[test]
    fn what_is_no_expression_is_refused_at_its_place() {
        let table = [
            ("", "unexpected end at position 1"),
            ("1 +", "unexpected end at position 4"),
            ("retries * 2", "\"retries\" is not known at position 8"),
            ("2 ** 3", "unexpected '*' at position 4"),
            ("(1", "')' is missing at position 3"),
            ("1)", "unexpected ')' at position 2"),
            ("pow(2)", "pow takes 2 arguments, not 1 at position 7"),
            ("pow(2,3,4)", "pow takes 2 arguments, not 3 at position 11"),
            ("max(1)", "max takes 2 arguments, not 1 at position 7"),
            ("sqrt", "'(' is missing at position 5"),
            ("1..2", "\"1..2\" is not a number at position 5"),
            ("1 2", "unexpected '2' at position 3"),
            ("2 * ä", "unexpected 'ä' at position 5"),
            ("pow()", "unexpected ')' at position 5"),
        ];
        for (text, expected) in table {
            assert_eq!(Expression::parse(text).map_err(|e| e.to_string()), Err(expected.to_owned()), "{text}");
        }
    }

    #[test]
    fn length_and_depth_have_limits() {
        let deep = |n: usize| format!("{}1{}", "(".repeat(n), ")".repeat(n));
        assert!(Expression::parse(&deep(31)).is_ok());
        assert!(Expression::parse(&deep(32)).is_err());
        assert!(Expression::parse(&"-".repeat(900)).is_err());
        assert!(Expression::parse(&format!("1{}", "+1".repeat(499))).is_ok());
        assert!(Expression::parse(&format!("1{}", "+1".repeat(500))).is_err());
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "[-+*/%()., 0-9a-zé]{0,60}", retried: u32) {
            if let Ok(expression) = Expression::parse(&text) {
                prop_assert!(expression.wait(retried) <= WAIT_MAX);
            }
        }

        #[test]
        fn sums_are_sums(numbers in proptest::collection::vec(0u32..10_000, 1..20)) {
            let text = numbers.iter().map(u32::to_string).collect::<Vec<_>>().join(" + ");
            let sum: u64 = numbers.iter().map(|n| u64::from(*n)).sum();
            prop_assert_eq!(Expression::parse(&text).unwrap().wait(0), Duration::from_millis(sum).min(WAIT_MAX));
        }
    }
}
