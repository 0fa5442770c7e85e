//! Kinds of rows and the moments in which they were born: what the applier notes, so that lists know where not to
//! look. Under load many rows of a kind share a moment, so that noting them costs next to nothing.
//!
//! A moment may name kinds that nothing in it is any more, never the other way round. Not here: how lists use it
//! (`look`).

use std::collections::HashMap;

use rusqlite::{Connection, params};

use super::{IndexError, rows};

/// Kinds whose number is remembered; beyond, they are asked for again.
const KINDS_MAX: usize = 4_096;
/// So many notes back the same one is looked for.
const NOTED_BEFORE: usize = 4;
/// A moment is so many bits of milliseconds long.
const MOMENT_BITS: u32 = 5;

/// In which moment something was born, by its id.
pub fn moment_of(id: &[u8; 16]) -> i64 {
    let mut ms = [0; 8];
    ms[2..].copy_from_slice(&id[..6]);
    i64::from_be_bytes(ms) >> MOMENT_BITS
}

/// The first and the last id of a moment, as numbers.
pub fn ids_of(moment: i64) -> (u128, u128) {
    let shift = MOMENT_BITS + 80;
    let first = u128::try_from(moment).unwrap_or(0) << shift;
    (first, first | ((1 << shift) - 1))
}

/// What a row is; of events the last five are empty.
#[derive(Clone, Copy, Debug, Default)]
pub struct Kind<'a> {
    pub source: &'a str,
    pub event_type: &'a str,
    pub destination: &'a str,
    pub route: &'a str,
    pub state: &'a str,
    pub class: &'a str,
    pub status: u16,
}

/// The numbers of kinds, and what is to be noted of a transaction.
#[derive(Debug, Default)]
pub struct Kinds {
    numbers: HashMap<Box<[u8]>, i64>,
    /// Kinds and moments, most of them once: of many rows in a row all have the same few.
    noted: Vec<(i64, i64)>,
    /// The kind asked for last, as a key of `numbers`.
    key: Vec<u8>,
}

impl Kinds {
    /// That a row with this id is, or has become, of that kind.
    pub fn note(&mut self, connection: &Connection, kind: Kind<'_>, ids: &[&[u8; 16]]) -> Result<(), IndexError> {
        let number = self.number(connection, kind)?;
        for id in ids {
            let note = (number, moment_of(id));
            if !self.noted.iter().rev().take(NOTED_BEFORE).any(|before| *before == note) {
                self.noted.push(note);
            }
        }
        Ok(())
    }

    /// Writes what was noted.
    pub fn write(&mut self, connection: &Connection) -> Result<(), IndexError> {
        self.noted.sort_unstable();
        self.noted.dedup();
        let mut insert = connection.prepare_cached("INSERT OR IGNORE INTO moments VALUES (?1, ?2)")?;
        for (kind, moment) in self.noted.drain(..) {
            insert.execute([kind, moment])?;
        }
        Ok(())
    }

    fn number(&mut self, connection: &Connection, kind: Kind<'_>) -> Result<i64, IndexError> {
        let Kind { source, event_type, destination, route, state, class, status } = kind;
        self.key.clear();
        for text in [source, event_type, destination, route, state, class] {
            self.key.extend_from_slice(text.as_bytes());
            // Stands in no text.
            self.key.push(0xff);
        }
        self.key.extend_from_slice(&status.to_be_bytes());
        if let Some(number) = self.numbers.get(&self.key[..]) {
            return Ok(*number);
        }
        let values = params![source, event_type, destination, route, state, class, status];
        let insert = "INSERT OR IGNORE INTO kinds (source, event_type, destination, route, state, class, status)
            VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
        connection.prepare_cached(insert)?.execute(values)?;
        let select = "SELECT id FROM kinds WHERE source = ?1 AND event_type = ?2 AND destination = ?3 AND route = ?4
            AND state = ?5 AND class = ?6 AND status = ?7";
        let number = connection.prepare_cached(select)?.query_row(values, |row| row.get(0))?;
        if self.numbers.len() >= KINDS_MAX {
            self.numbers.clear();
        }
        self.numbers.insert(self.key.as_slice().into(), number);
        Ok(number)
    }

    /// Notes anew what is left of rows with ids from the first on and before the second's moment, or up to its end.
    pub fn note_again(
        &mut self,
        connection: &Connection,
        first: &[u8; 16],
        last: &[u8; 16],
        whole: bool,
    ) -> Result<(), IndexError> {
        let (first, last) = (moment_of(first), moment_of(last) - i64::from(!whole));
        if first > last {
            return Ok(());
        }
        let sql = "DELETE FROM moments WHERE moment >= ?1 AND moment <= ?2 AND kind IN (SELECT id FROM kinds)";
        connection.prepare_cached(sql)?.execute([first, last])?;
        let ids = [ids_of(first).0.to_be_bytes(), ids_of(last).1.to_be_bytes()];
        self.note_events(connection, ids)?;
        let by_own = "SELECT id, id, source, event_type, destination, route, state, last_class, last_status
            FROM deliveries WHERE id >= ?1 AND id <= ?2";
        let by_event = "SELECT event, event, source, event_type, destination, route, state, last_class, last_status
            FROM deliveries WHERE event >= ?1 AND event <= ?2";
        self.note_deliveries(connection, by_own, ids)?;
        self.note_deliveries(connection, by_event, ids)?;
        self.write(connection)
    }

    fn note_events(&mut self, connection: &Connection, ids: [[u8; 16]; 2]) -> Result<(), IndexError> {
        let sql = "SELECT id, source, event_type FROM events WHERE id >= ?1 AND id <= ?2";
        let mut select = connection.prepare_cached(sql)?;
        let mut found = select.query(ids)?;
        while let Some(row) = found.next()? {
            let kind = Kind { source: rows::text(row, 1)?, event_type: rows::text(row, 2)?, ..Kind::default() };
            self.note(connection, kind, &[&row.get(0)?])?;
        }
        Ok(())
    }

    fn note_deliveries(&mut self, connection: &Connection, sql: &str, ids: [[u8; 16]; 2]) -> Result<(), IndexError> {
        let mut select = connection.prepare_cached(sql)?;
        let mut found = select.query(ids)?;
        while let Some(row) = found.next()? {
            let kind = Kind {
                source: rows::text(row, 2)?,
                event_type: rows::text(row, 3)?,
                destination: rows::text(row, 4)?,
                route: rows::text(row, 5)?,
                state: rows::text(row, 6)?,
                class: rows::optional_text(row, 7)?.unwrap_or_default(),
                status: row.get::<_, Option<u16>>(8)?.unwrap_or(0),
            };
            self.note(connection, kind, &[&row.get(0)?])?;
        }
        Ok(())
    }

    /// Forgets kinds that no moment has any more.
    pub fn forget_unused(&mut self, connection: &Connection) -> Result<(), IndexError> {
        let sql = "DELETE FROM kinds WHERE NOT EXISTS (SELECT 1 FROM moments m WHERE m.kind = kinds.id)";
        connection.prepare_cached(sql)?.execute([])?;
        self.numbers.clear();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_has_the_ids_that_were_born_in_it() {
        let id = |ms: u64, rest: u8| {
            let mut id = [rest; 16];
            id[..6].copy_from_slice(&ms.to_be_bytes()[2..]);
            id
        };
        let moment = moment_of(&id(3_200, 7));
        assert_eq!((moment, moment_of(&id(3_231, 0xff)), moment_of(&id(3_232, 0))), (100, 100, 101));
        let (first, last) = ids_of(moment);
        assert_eq!((first.to_be_bytes(), last.to_be_bytes()), (id(3_200, 0), id(3_231, 0xff)));
        assert_eq!(ids_of(moment_of(&[0xff; 16])).1, u128::MAX, "the last moment ends with the last id");
    }

    #[test]
    fn what_is_left_is_noted_again_and_the_rest_is_forgotten() {
        let connection = Connection::open_in_memory().unwrap();
        connection.execute_batch(super::super::SCHEMA).unwrap();
        let id = |moment: i64| (ids_of(moment).0 + 5).to_be_bytes();
        let kind = |source| Kind { source, event_type: "t", ..Kind::default() };
        let mut kinds = Kinds::default();
        for (source, moment) in [("gone", 100), ("stays", 100), ("stays", 200), ("later", 300)] {
            kinds.note(&connection, kind(source), &[&id(moment)]).unwrap();
        }
        kinds.write(&connection).unwrap();
        let event = "INSERT INTO events VALUES (?1, 'stays', 't', 'k', 0, NULL, '', NULL, '', 0, 0, 1, 0, 1)";
        connection.execute(event, [id(100)]).unwrap();
        kinds.note_again(&connection, &id(50), &id(300), false).unwrap();
        kinds.forget_unused(&connection).unwrap();
        let sql = "SELECT source, moment FROM moments JOIN kinds ON kinds.id = kind ORDER BY moment";
        let mut select = connection.prepare(sql).unwrap();
        let row = |row: &rusqlite::Row<'_>| Ok((row.get::<_, String>(0)?, row.get::<_, i64>(1)?));
        let left: Vec<_> = select.query_map([], row).unwrap().map(Result::unwrap).collect();
        assert_eq!(left, [("stays".to_owned(), 100), ("later".to_owned(), 300)]);
        let count: i64 = connection.query_row("SELECT count(*) FROM kinds", [], |row| row.get(0)).unwrap();
        assert_eq!(count, 2);
        kinds.note(&connection, kind("gone"), &[&id(400)]).unwrap();
        kinds.write(&connection).unwrap();
    }
}
