//! npm's hooks: `x-npm-signature: sha256=<hex>` of the body. The hook service seems to be retired.
//!
//! Facts: npm's own client library.

use super::super::prelude::*;

pub static SENDER: Declaration = Declaration {
    name: "npm",
    title: "npm",
    scheme: Scheme::Signed(SignedSpec {
        header: "x-npm-signature",
        form: Form::prefix("sha256="),
        ..SignedSpec::DEFAULT
    }),
    event_type: &["json:/event"],
    time: &["json:/time ms"],
    order_key: &["json:/name"],
    sample_types: &["package:publish"],
    about: About {
        secret: "the text given to `npm hook add`",
        rotation: Rotation::MadeUp,
        paste: "`npm hook add <package> <url> <secret>`",
        quirks: &[
            "No time is signed: only the idempotency key stops replays.",
            "There is no event id: the key is a hash of the body.",
        ],
        docs: "https://docs.npmjs.com/cli/commands/npm-hook",
        ..About::DEFAULT
    },
    conduct: Conduct {
        reconcile: "the registry's document of the package lists its versions with their times",
        ..Conduct::UNKNOWN
    },
    ..Declaration::DEFAULT
};
