//! Tests of the live state: records applied twice, in part, and back to front.
