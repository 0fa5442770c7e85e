//! Tables that fit the terminal they are shown on, and are whole where there is none.

use comfy_table::{ColumnConstraint, ContentArrangement, Table, Width};

use super::{Colour, Screen};

/// A column of a table.
#[derive(Clone, Copy, Debug)]
pub struct Column {
    name: &'static str,
    /// Left out where there is no room for it.
    optional: bool,
    /// Never wrapped: it is there to be copied.
    whole: bool,
}

pub const fn column(name: &'static str) -> Column {
    Column { name, optional: false, whole: false }
}

pub const fn optional(name: &'static str) -> Column {
    Column { name, optional: true, whole: false }
}

pub const fn whole(name: &'static str) -> Column {
    Column { name, optional: false, whole: true }
}

impl Screen {
    /// A table as wide as the terminal: columns that may be left out go first, then cells wrap between words. Where not
    /// even the words have room, each row is a block of lines instead, with all columns.
    pub fn table(&mut self, columns: &[Column], rows: &[Vec<String>]) -> anyhow::Result<()> {
        let width = self.width.map_or(usize::MAX, usize::from);
        let needs = |i: usize, of: fn(&str) -> usize| {
            rows.iter().map(|row| of(&row[i])).max().unwrap_or(0).max(of(columns[i].name)) + GAP
        };
        let mut shown: Vec<usize> = (0..columns.len()).collect();
        let room =
            |shown: &[usize], of| shown.iter().map(|i| needs(*i, of)).sum::<usize>() <= width.saturating_add(GAP);
        while !room(&shown, longest_line) {
            let Some(last) = shown.iter().rposition(|i| columns[*i].optional) else { break };
            shown.remove(last);
        }
        if !room(&shown, longest_line) && !room(&shown, longest_word) {
            return self.blocks(columns, rows);
        }
        let mut table = Table::new();
        table.load_style(comfy_table::presets::NOTHING);
        if let Some(width) = self.width {
            // The gap behind the last column may hang over: it is cut off.
            table.set_content_arrangement(ContentArrangement::Dynamic).set_width(width.saturating_add(GAP as u16));
        }
        table.set_header(shown.iter().map(|i| columns[*i].name));
        for row in rows {
            table.add_row(shown.iter().map(|i| &row[*i]));
        }
        for (place, i) in shown.iter().enumerate() {
            if let Some(column) = table.column_mut(place) {
                column.set_padding((0, GAP as u16));
                let least = u16::try_from(needs(*i, longest_word)).unwrap_or(u16::MAX);
                column.set_constraint(match columns[*i].whole {
                    true => ColumnConstraint::ContentWidth,
                    false => ColumnConstraint::LowerBoundary(Width::Fixed(least)),
                });
            }
        }
        let text = table.trim_fmt();
        let (head, rest) = text.split_once('\n').unwrap_or((&text, ""));
        let head = self.paint(Colour::Bold, head);
        self.line(if rest.is_empty() { head } else { format!("{head}\n{rest}") })
    }

    /// Each row as lines of a column's name and its value; an empty line between rows.
    fn blocks(&mut self, columns: &[Column], rows: &[Vec<String>]) -> anyhow::Result<()> {
        let names = columns.iter().map(|column| column.name.chars().count()).max().unwrap_or(0);
        for (number, row) in rows.iter().enumerate() {
            if number > 0 {
                self.line("")?;
            }
            for (column, value) in columns.iter().zip(row).filter(|(_, value)| !value.is_empty()) {
                let name = self.paint(Colour::Bold, &format!("{:<names$}", column.name));
                self.line(format!("{name}  {value}"))?;
            }
        }
        Ok(())
    }
}

/// Between two columns.
const GAP: usize = 2;

fn longest_line(text: &str) -> usize {
    text.lines().map(|line| line.chars().count()).max().unwrap_or(0)
}

fn longest_word(text: &str) -> usize {
    text.split_whitespace().map(|word| word.chars().count()).max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use hookhaven_core::Time;

    use super::{super::capture, *};

    #[test]
    fn a_table_drops_what_it_may_before_it_wraps() {
        let columns = [whole("ID"), column("TYPE"), optional("SOURCE")];
        let rows = [vec!["x".repeat(30), "invoice.paid".into(), "stripe".into()]];
        for (width, source) in [(80, true), (46, false)] {
            let (screen, out, _) = capture::screen(false, None, Time::EPOCH);
            capture::with_width(screen, width).table(&columns, &rows).unwrap();
            assert_eq!(out.text().contains("stripe"), source, "{}", out.text());
            assert!(out.text().contains(&"x".repeat(30)), "ids stay whole");
            assert!(out.text().lines().all(|l| l.chars().count() <= usize::from(width)), "{}", out.text());
        }
    }

    #[test]
    fn a_table_wraps_between_words_and_else_becomes_blocks() {
        let columns = [whole("ID"), column("WHY"), column("TYPE"), optional("SOURCE")];
        let row =
            |id: &str| vec![id.repeat(20), "the signature did not hold".into(), "invoice.paid".into(), "s".into()];
        let rows = [row("x"), row("y")];
        for width in [200, 60, 48, 44, 30, 10] {
            let (screen, out, _) = capture::screen(false, None, Time::EPOCH);
            capture::with_width(screen, width).table(&columns, &rows).unwrap();
            let text = out.text();
            for word in ["signature", "invoice.paid", &"x".repeat(20), &"y".repeat(20)] {
                assert!(text.contains(word), "{word:?} is whole at {width}:\n{text}");
            }
            let is_table = text.lines().next().unwrap().contains("WHY");
            assert_eq!(is_table, width > 44, "{width}:\n{text}");
            assert!(!is_table || text.lines().all(|l| l.chars().count() <= usize::from(width)), "{width}:\n{text}");
        }
    }
}
