//! `[server.tls]`: certificates of the listeners. Files are read here and belong to the configuration: one that changes
//! is a change of it, and a pair that does not fit together refuses it as a whole.
//!
//! What is made of them is `crate::tls`'s business.

use std::sync::Arc;

use super::document::{Item, Table};
use crate::{
    config::{model::ServerTls, secret::Resolver},
    tls::{BadPem, ListenerTls, Pem},
};

const EXAMPLE: &str = "a table such as { cert = \"server.pem\", key = \"server.key\" }";

pub fn tls(server: &mut Table<'_>, files: &Resolver<'_>) -> ServerTls {
    let Some(mut table) = server.take("tls").and_then(|item| item.table("a table [server.tls]")) else {
        return ServerTls::default();
    };
    let mut one = |key| table.take(key).and_then(|item| listener(&item, files)).map(Arc::new);
    let tls = ServerTls { ingest: one("ingest"), admin: one("admin") };
    if let Some(item) = table.take("client_ca") {
        item.error("it belongs to a listener", "write ingest = { cert = …, key = …, client_ca = … }");
    }
    table.finish();
    tls
}

fn listener(item: &Item<'_>, files: &Resolver<'_>) -> Option<ListenerTls> {
    let mut table = item.table(EXAMPLE)?;
    let cert = table.require("cert", "add cert = \"server.pem\", the certificate and those that lead to its root");
    let key = table.require("key", "add key = \"server.key\", the certificate's private key");
    let ca = table.take("client_ca");
    table.finish();
    let (cert, key) = (cert?, key?);
    let certificate = files.pem(&cert);
    let private_key = files.pem(&key);
    let client_ca = match &ca {
        Some(ca) => Some(files.pem(ca)?),
        None => None,
    };
    let (certificate, private_key) = (certificate?, private_key?);
    let pem = Pem { certificate: &certificate, key: &private_key, client_ca: client_ca.as_deref() };
    match ListenerTls::new(pem) {
        Ok(tls) => Some(tls),
        Err(bad) => {
            let (at, mend) = match &bad {
                BadPem::Certificate(_) => (&cert, "give a PEM file that begins with the listener's certificate"),
                BadPem::Key(_) => (&key, "give the certificate's private key as PEM, without a passphrase"),
                BadPem::ClientCa(_) => (ca.as_ref().unwrap_or(&cert), "give the authorities' certificates as PEM"),
            };
            at.error(bad.to_string(), mend);
            None
        }
    }
}
