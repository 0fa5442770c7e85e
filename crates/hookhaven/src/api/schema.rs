//! Schemas that several resources share, of what is text in Rust and more than that in the API: names out of a
//! closed list, limits, raw bytes. Everything else derives its own from its type.

use hookhaven_core::{ErrorClass, sender::Rejection};
use serde_json::Value;
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{Object, ObjectBuilder, RefOr, Schema, Type, schema::SchemaType},
};

use super::{LIMIT_MAX, page::LIMIT_DEFAULT, problem::CODES};

/// The body of an answer that is bytes, not JSON.
#[derive(Debug)]
pub(super) enum Raw {}

impl PartialSchema for Raw {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new().schema_type(SchemaType::AnyValue).description(Some("Bytes as they are")).into()
    }
}

impl ToSchema for Raw {}

/// The class of an attempt.
pub(super) fn class() -> Object {
    names("Class of the last attempt: what went wrong.", ErrorClass::ALL.iter().map(|class| class.as_str()))
}

pub(super) fn class_or_null() -> Object {
    or_null(class())
}

/// Why a request was rejected.
pub(super) fn reason() -> Object {
    names("Why it was rejected, by name.", Rejection::ALL.iter().map(|reason| reason.as_str()))
}

pub(super) fn reason_or_null() -> Object {
    or_null(reason())
}

/// The stable code of a problem.
pub(super) fn code() -> Object {
    names("The stable name to branch on.", CODES.iter().map(|code| code.code))
}

/// How many items a page holds.
pub(super) fn limit() -> Object {
    ObjectBuilder::new()
        .schema_type(Type::Integer)
        .minimum(Some(1))
        .maximum(Some(LIMIT_MAX))
        .default(Some(LIMIT_DEFAULT.into()))
        .description(Some("Items in a page."))
        .build()
}

fn names<'a>(description: &str, names: impl Iterator<Item = &'a str>) -> Object {
    ObjectBuilder::new().schema_type(Type::String).description(Some(description)).enum_values(Some(names)).build()
}

/// `null` is as good as absent.
fn or_null(mut schema: Object) -> Object {
    schema.schema_type = SchemaType::from_iter([Type::String, Type::Null]);
    schema.enum_values.get_or_insert_default().push(Value::Null);
    schema
}
