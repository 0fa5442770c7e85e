//! What the file says of who may post: addresses, published lists, proxies, certificates.

use rcgen::{CertificateParams, KeyPair};

use super::*;

const ROUTE: &str = "[destinations.billing]\nurl = \"http://h/\"\n[[routes]]\nsource = \"s\"\nto = [\"billing\"]\n";

/// A source on lines 1 to 3; `more` begins on line 4.
fn source(sender: &str, more: &str) -> String {
    format!("[sources.s]\nsender = \"{sender}\"\nsecrets = [\"x\"]\n{more}\n{ROUTE}")
}

#[test]
fn addresses_are_written_out_or_published_by_the_sender() {
    let proxies = "[server]\ntrusted_proxies = [\"127.0.0.1\", \"fd00::/8\"]\n";
    let config = config(&(source("github", "allow = [\"published\", \"10.0.0.0/8\"]") + proxies));
    let github = &config.sources["s"];
    assert!(github.allow_published && github.allow.len() == 1, "{github:?}");
    assert_eq!(config.server.trusted_proxies.len(), 2);
    let inner = super::config(&source("github", "allow = [\"192.168.1.0/24\"]"));
    assert!(!inner.sources["s"].allow_published);
}

#[test]
fn a_sender_without_a_list_has_none_to_go_by() {
    says(
        &source("shopify", "allow = [\"published\"]"),
        &[
            "hookhaven.toml:4:10: sources.s.allow[0]: shopify publishes no list of its addresses that a program could read; \
           write the addresses themselves, such as \"10.0.0.0/8\"",
        ],
    );
    says(
        &source("github", "allow = [\"publishd\"]"),
        &[
            "hookhaven.toml:4:10: sources.s.allow[0]: \"publishd\" is not an address or a range; write \"192.0.2.7\" or \
           \"10.0.0.0/8\"",
        ],
    );
}

#[test]
fn behind_a_proxy_that_is_not_trusted_an_outer_address_is_never_seen() {
    let warning = "hookhaven.toml:4:9: warning: sources.s.allow: no sender reaches 127.0.0.1 but through a proxy, and \
                   without trusted_proxies every client has the proxy's address; set trusted_proxies = [\"127.0.0.1\"], or \
                   where the proxy is, under [server]";
    for allow in ["[\"published\"]", "[\"192.30.252.0/22\"]", "[\"10.0.0.0/8\", \"2001:db8::1\"]"] {
        says(&source("github", &format!("allow = {allow}")), &[warning]);
    }
    for server in ["ingest = \"0.0.0.0:8080\"", "trusted_proxies = [\"127.0.0.1\"]"] {
        says(&(source("github", "allow = [\"published\"]") + "[server]\n" + server + "\n"), &[]);
    }
    let inner = source("github", "allow = [\"published\"]") + "[server]\ningest = \"10.1.2.3:8080\"\n";
    assert_eq!(problems(&inner).len(), 1);
}

#[test]
fn nobody_trusts_everybody() {
    says_of(
        "[server]\ntrusted_proxies = [\"0.0.0.0/0\"]\n",
        "hookhaven.toml:10:19: server.trusted_proxies: this would believe everybody who they are; name the addresses of your \
         proxies",
    );
}

/// Certificate and key in a directory of their own, and a config beside them.
fn in_directory(text: &str) -> (tempfile::TempDir, Parsed) {
    let dir = tempfile::tempdir().unwrap();
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(vec!["a".to_owned()]).unwrap().self_signed(&key).unwrap();
    std::fs::write(dir.path().join("a.pem"), certificate.pem()).unwrap();
    std::fs::write(dir.path().join("a.key"), key.serialize_pem()).unwrap();
    let parsed = parse(&dir.path().join("hookhaven.toml"), text, &environment());
    (dir, parsed)
}

fn told(text: &str) -> Vec<String> {
    let (dir, parsed) = in_directory(text);
    let place = format!("{}/", dir.path().display());
    parsed.problems.iter().map(|problem| problem.to_string().replace(&place, "")).collect()
}

#[test]
fn certificates_are_read_and_belong_to_the_configuration() {
    let tls = "[server.tls]\ningest = { cert = \"a.pem\", key = \"a.key\", client_ca = \"a.pem\" }\n";
    let insisting = "client_certificate = { names = [\"api.example.com\", \"10.0.0.1\"] }";
    let (dir, parsed) = in_directory(&(source("github", insisting) + tls));
    let config = parsed.config.unwrap_or_else(|| panic!("{:?}", parsed.problems));
    assert!(config.server.tls.ingest.is_some_and(|tls| tls.asks_clients()) && config.server.tls.admin.is_none());
    assert_eq!(config.sources["s"].client_names.len(), 2);
    let files: Vec<_> = parsed.secret_files.paths().map(|path| path.strip_prefix(dir.path()).unwrap()).collect();
    assert_eq!(files, [Path::new("a.key"), Path::new("a.pem")], "a change in one is a change of the config");
}

#[test]
fn what_is_wrong_with_certificates_is_told_of_the_file_to_blame() {
    let of = |listener: &str| told(&with(&format!("[server.tls]\n{listener}\n")));
    assert_eq!(
        of("ingest = { cert = \"a.pem\", key = \"a.pem\" }"),
        [
            "hookhaven.toml:10:34: server.tls.ingest.key: there is no private key in it that can be read; give the certificate's \
          private key as PEM, without a passphrase"
        ]
    );
    assert_eq!(
        of("admin = { cert = \"none.pem\", key = \"a.key\" }"),
        [
            "hookhaven.toml:10:18: server.tls.admin.cert: cannot read the file none.pem: there is no such file; check the path"
        ]
    );
    assert_eq!(
        of("admin = { cert = \"a.pem\" }"),
        [
            "hookhaven.toml:10:9: server.tls.admin: key is missing; add key = \"server.key\", the certificate's private key"
        ]
    );
    assert_eq!(
        of("client_ca = \"a.pem\""),
        [
            "hookhaven.toml:10:13: server.tls.client_ca: it belongs to a listener; write ingest = { cert = …, key = …, client_ca \
          = … }"
        ]
    );
}

#[test]
fn a_source_cannot_insist_on_what_no_client_is_asked_for() {
    let expected =
        ["hookhaven.toml:4:22: sources.s.client_certificate: no client is asked for a certificate on the ingest \
                     address; set ingest = { cert = …, key = …, client_ca = … } under [server.tls]"];
    let insisting = source("github", "client_certificate = { names = [\"a\"] }");
    assert_eq!(told(&insisting), expected);
    let plain = "[server.tls]\ningest = { cert = \"a.pem\", key = \"a.key\" }\n";
    assert_eq!(told(&(insisting + plain)), expected);
    let tls = "[server.tls]\ningest = { cert = \"a.pem\", key = \"a.key\", client_ca = \"a.pem\" }\n";
    for (names, what) in [
        ("[]", "sources.s.client_certificate.names: the list is empty; name whom the certificate must be made out for"),
        (
            "[\"a b\"]",
            "sources.s.client_certificate.names[0]: \"a b\" is no host name; write one such as \"api.example.com\"",
        ),
    ] {
        let text = source("github", &format!("client_certificate = {{ names = {names} }}")) + tls;
        assert!(told(&text).iter().any(|line| line.ends_with(what)), "{:?}", told(&text));
    }
}
