//! The other way round: id, type and time, put where a sender would put them, into a sample that is to be signed.

use super::{FactPlaces, Joined, Piece, Slot, TYPE_JOINT};
use crate::{senders::sample::Body, time::Time};

impl FactPlaces {
    /// Headers that carry id and type, for a sample to be signed.
    pub(in crate::senders) fn headers(&self, id: &str, event_type: &str) -> Vec<(String, String)> {
        let all = self.id_pieces(id).into_iter().chain(self.type_pieces(event_type).unwrap_or_default());
        let mut headers: Vec<(String, String)> = Vec::new();
        for (slot, text) in all {
            let Slot::Header(name) = slot else { continue };
            // The type may be a part of the id.
            headers.retain(|(known, _)| known != name.as_str());
            headers.push((name.to_string(), text));
        }
        headers
    }

    /// Puts id, type and time into a sample body where they stand in one. `None` if there is no place for that type.
    pub(in crate::senders) fn put(&self, body: &mut Body, id: &str, event_type: &str, now: Time) -> Option<()> {
        let types = self.type_pieces(event_type)?;
        for (slot, text) in self.id_pieces(id) {
            self.put_one(body, slot, text);
        }
        // Where the type is what is there, a time could make it another.
        let by_name = types.iter().any(|(slot, _)| matches!(slot, Slot::Has(_)));
        if let Some((Slot::Json(at), unit)) = self.time.first().filter(|_| !by_name) {
            body.set_time(self.pointers.get(*at)?, *unit, now);
        }
        for (slot, text) in types {
            self.put_one(body, slot, text);
        }
        Some(())
    }

    fn put_one(&self, body: &mut Body, slot: &Slot, text: String) {
        match slot {
            Slot::Json(at) => self.pointers.get(*at).into_iter().for_each(|p| body.set(p, text.clone().into())),
            Slot::Has(all) => {
                let named = all.iter().find(|(_, name)| **name == *text).and_then(|(at, _)| self.pointers.get(*at));
                named.into_iter().for_each(|p| body.set(p, serde_json::json!({ "sample": true })));
            }
            Slot::Header(_) | Slot::Text(_) => {}
        }
    }

    /// What each place of the id gets: the last of several the id itself.
    fn id_pieces(&self, id: &str) -> Vec<(&Slot, String)> {
        let Some(pieces) = self.id.first() else { return Vec::new() };
        let text = |n: usize| if n + 1 == pieces.len() { id.to_owned() } else { "1".to_owned() };
        pieces.iter().enumerate().map(|(n, piece)| (&piece.slot, text(n))).collect()
    }

    /// What each place of the type gets: a part of it. `None` if none of the places can say it.
    fn type_pieces(&self, event_type: &str) -> Option<Vec<(&Slot, String)>> {
        if self.event_type.is_empty() {
            return Some(Vec::new());
        }
        let fits = |pieces: &Joined| match &pieces[..] {
            [Piece { slot: Slot::Has(all), .. }] => all.iter().any(|(_, name)| **name == *event_type),
            [Piece { slot: Slot::Text(word), .. }] => **word == *event_type,
            [Piece { slot: Slot::Text(word), .. }, ..] if event_type.split(TYPE_JOINT).next() != Some(word) => false,
            _ => event_type.split(TYPE_JOINT).count() >= pieces.iter().filter(|piece| !piece.optional).count(),
        };
        let pieces = self.event_type.iter().find(|pieces| fits(pieces))?;
        Some(pieces.iter().map(|p| &p.slot).zip(event_type.splitn(pieces.len(), TYPE_JOINT).map(Into::into)).collect())
    }
}
