//! A token in a file of the data directory: as it is, or sealed once there is a master key, so that a copy of the
//! directory tells nobody a way in. Pure.

use base64::{Engine, engine::general_purpose::STANDARD};
use hookhaven_core::Secret;
use hookhaven_store::clock::Entropy;

use super::{SealError, envelope::SealedIn, ring::Ring};

const PREFIX: &[u8] = b"sealed:";

pub fn is_sealed(text: &[u8]) -> bool {
    text.trim_ascii().starts_with(PREFIX)
}

/// What is written into the file of this name.
pub fn to_text(token: &Secret, file: &str, ring: Option<&Ring>, entropy: &dyn Entropy) -> Result<Vec<u8>, SealError> {
    let mut text = match ring {
        Some(ring) => {
            let envelope = ring.seal(SealedIn::File(file), token.expose(), entropy)?;
            [PREFIX, STANDARD.encode(envelope).as_bytes()].concat()
        }
        None => token.expose().to_vec(),
    };
    text.push(b'\n');
    Ok(text)
}

/// What stands there. `None` if that is nothing, or nobody has the key to it.
pub fn of_text(text: &[u8], file: &str, ring: Option<&Ring>) -> Option<Secret> {
    let text = text.trim_ascii();
    match text.strip_prefix(PREFIX) {
        Some(sealed) => Secret::new(ring?.open(SealedIn::File(file), &STANDARD.decode(sealed).ok()?).ok()?),
        None => Secret::new(text),
    }
}

#[cfg(test)]
mod tests {
    use hookhaven_core::Time;
    use hookhaven_store::clock::SeededEntropy;

    use super::*;
    use crate::seal::DataKey;

    #[test]
    fn a_token_is_sealed_where_there_is_a_key_to_do_it_with() {
        let entropy = SeededEntropy::new(1);
        let ring = Ring::new(vec![(Time::EPOCH, DataKey::made(&entropy).unwrap())]).unwrap();
        let token = Secret::new("canary").unwrap();
        let bare = to_text(&token, "t", None, &entropy).unwrap();
        let sealed = to_text(&token, "t", Some(&ring), &entropy).unwrap();
        assert_eq!((&bare[..], is_sealed(&bare), is_sealed(&sealed)), (&b"canary\n"[..], false, true));
        assert!(!String::from_utf8_lossy(&sealed).contains("canary"));
        for text in [&bare, &sealed] {
            assert_eq!(of_text(text, "t", Some(&ring)).as_ref(), Some(&token));
        }
        assert_eq!((of_text(&sealed, "t", None), of_text(&sealed, "u", Some(&ring))), (None, None));
        assert_eq!((of_text(b" \n", "t", None), of_text(b"sealed:?", "t", Some(&ring))), (None, None));
    }
}
