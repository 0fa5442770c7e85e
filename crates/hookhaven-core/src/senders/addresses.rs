//! Lists of the addresses that senders post from, as they publish them: where, in which form, and what a document
//! says. For sources with `allow = ["published"]`, a second wall beside the signature.
//!
//! A list is believed because of the HTTPS host it comes from, and no further: a range as wide as an eighth of the
//! Internet is no sender's. Not here: fetching and keeping (`ingest::networks` of the gateway).

use ipnet::IpNet;
use serde_json::Value;

/// Networks of one sender; GitHub has some ten, Atlassian some hundreds.
pub const NETS_MAX: usize = 4_096;
/// Of a published list, in bytes. GitHub's document of all its addresses, the longest, has some 300 KiB.
pub const LIST_BYTES_MAX: usize = 4 << 20;
/// No sender has more addresses than this prefix length leaves: a wider one is a mistake, or worse.
const PREFIX_MIN_V4: u8 = 8;
const PREFIX_MIN_V6: u8 = 16;

/// A list that a sender publishes. A sender may have several; all of them count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AddressList {
    /// HTTPS.
    pub url: &'static str,
    pub form: ListForm,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ListForm {
    /// Addresses and ranges between white space.
    Text,
    Json {
        /// A pointer to texts or arrays of texts; a step `*` means each item, or each value.
        at: &'static str,
        /// Of objects that a `*` goes through: those of which every one of these fields is, or holds, the word.
        only: &'static [(&'static str, &'static str)],
    },
}

/// A document that is no list of addresses. The last good one goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadList {
    #[error("the list is not in the form the sender publishes it in")]
    Unreadable,
    #[error("the list names no network that can be believed")]
    Empty,
    #[error("the list names more than {NETS_MAX} networks")]
    TooMany,
}

impl AddressList {
    /// A JSON document with the addresses at this pointer.
    pub const fn json(url: &'static str, at: &'static str) -> Self {
        AddressList { url, form: ListForm::Json { at, only: &[] } }
    }

    /// A text with an address or range a line.
    pub const fn text(url: &'static str) -> Self {
        AddressList { url, form: ListForm::Text }
    }

    /// Atlassian's ranges from which a product posts.
    pub const fn atlassian(only: &'static [(&'static str, &'static str)]) -> Self {
        AddressList { url: "https://ip-ranges.atlassian.com/", form: ListForm::Json { at: "/items/*/cidr", only } }
    }

    /// Svix's, which posts for senders of its own name and of others.
    pub const SVIX: AddressList = AddressList::json("https://docs.svix.com/webhook-ips.json", "/*");

    /// The networks that a document names, those next to each other as one. What is no address is passed over.
    ///
    /// # Errors
    /// A document without one network, or with too many.
    pub fn read(&self, document: &[u8]) -> Result<Vec<IpNet>, BadList> {
        let mut found = Found::default();
        match self.form {
            ListForm::Text => {
                let text = std::str::from_utf8(document).map_err(|_| BadList::Unreadable)?;
                text.split_whitespace().for_each(|word| found.take(word));
            }
            ListForm::Json { at, only } => {
                let tree: Value = serde_json::from_slice(document).map_err(|_| BadList::Unreadable)?;
                let steps: Vec<&str> = at.split('/').skip(1).collect();
                walk(&tree, &steps, only, &mut found);
            }
        }
        match found {
            Found { too_many: true, .. } => Err(BadList::TooMany),
            Found { nets, .. } if nets.is_empty() => Err(BadList::Empty),
            Found { nets, .. } => Ok(IpNet::aggregate(&nets)),
        }
    }
}

#[derive(Default)]
struct Found {
    nets: Vec<IpNet>,
    too_many: bool,
}

impl Found {
    fn take(&mut self, word: &str) {
        let net = word.parse().ok().or_else(|| word.parse().ok().map(|ip: std::net::IpAddr| IpNet::from(ip)));
        let Some(net) = net
            .filter(|net: &IpNet| net.prefix_len() >= if net.addr().is_ipv4() { PREFIX_MIN_V4 } else { PREFIX_MIN_V6 })
        else {
            return;
        };
        if self.nets.len() == NETS_MAX {
            self.too_many = true;
        } else {
            self.nets.push(net.trunc());
        }
    }
}

/// As deep as there are steps, which are ours.
fn walk(value: &Value, steps: &[&str], only: &[(&str, &str)], found: &mut Found) {
    match (steps, value) {
        ([], Value::String(text)) => found.take(text),
        ([], Value::Array(items)) => items.iter().filter_map(Value::as_str).for_each(|text| found.take(text)),
        (["*", rest @ ..], Value::Array(items)) => {
            items.iter().filter(|item| is_meant(item, only)).for_each(|item| walk(item, rest, only, found));
        }
        (["*", rest @ ..], Value::Object(fields)) => {
            fields.values().filter(|item| is_meant(item, only)).for_each(|item| walk(item, rest, only, found));
        }
        ([step, rest @ ..], Value::Object(fields)) => {
            if let Some(value) = fields.get(*step) {
                walk(value, rest, only, found);
            }
        }
        _ => {}
    }
}

fn is_meant(item: &Value, only: &[(&str, &str)]) -> bool {
    only.iter().all(|(field, word)| match item.get(field) {
        Some(Value::String(text)) => text == word,
        Some(Value::Array(items)) => items.iter().any(|item| item == word),
        _ => false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(list: AddressList, document: &str) -> Result<String, BadList> {
        let nets = list.read(document.as_bytes())?;
        Ok(nets.iter().map(ToString::to_string).collect::<Vec<_>>().join(" "))
    }

    #[test]
    fn each_form_is_read_as_its_sender_publishes_it() {
        let github = AddressList::json("https://a/", "/hooks");
        let document = r#"{"hooks":["192.30.252.0/22","2a0a:a440::/29"],"web":["1.2.3.0/24"]}"#;
        assert_eq!(read(github, document).unwrap(), "192.30.252.0/22 2a0a:a440::/29");

        let text = AddressList::text("https://a/");
        assert_eq!(read(text, "3.18.12.63\r\n3.130.192.231\n").unwrap(), "3.18.12.63/32 3.130.192.231/32");

        let document = r#"{"us":["44.228.126.217"],"eu":["2a05:d028:17:8000::/56"]}"#;
        assert_eq!(read(AddressList::SVIX, document).unwrap(), "44.228.126.217/32 2a05:d028:17:8000::/56");

        let cells = AddressList::json("https://a/", "/*/ip_ranges");
        assert_eq!(read(cells, r#"{"us_cell_1":{"ip_ranges":["23.23.0.7/32"]},"x":{}}"#).unwrap(), "23.23.0.7/32");
    }

    #[test]
    fn of_atlassians_ranges_those_a_product_posts_from_count() {
        let jira = AddressList::atlassian(&[("product", "jira"), ("direction", "egress")]);
        let item = |cidr: &str, product: &str, direction: &str| {
            format!(r#"{{"cidr":"{cidr}","product":["confluence","{product}"],"direction":["{direction}"]}}"#)
        };
        let items = [
            item("13.52.5.96/28", "jira", "egress"),
            item("13.52.6.96/28", "jira", "ingress"),
            item("13.52.7.96/28", "bitbucket", "egress"),
            r#"{"cidr":"13.52.8.96/28"}"#.to_owned(),
        ];
        assert_eq!(read(jira, &format!(r#"{{"items":[{}]}}"#, items.join(","))).unwrap(), "13.52.5.96/28");
    }

    #[test]
    fn a_document_that_names_nothing_believable_is_refused() {
        let list = AddressList::json("https://a/", "/hooks");
        for (document, why) in [
            ("", BadList::Unreadable),
            ("<html>", BadList::Unreadable),
            ("{}", BadList::Empty),
            (r#"{"hooks":[]}"#, BadList::Empty),
            (r#"{"hooks":["0.0.0.0/0","::/0","10.0.0.0/7","2000::/3"]}"#, BadList::Empty),
            (r#"{"hooks":["any","",1,null,"1.2.3.4/33"]}"#, BadList::Empty),
        ] {
            assert_eq!(read(list, document), Err(why), "{document}");
        }
        let long: Vec<String> = (0..=NETS_MAX).map(|n| format!("{}.{}.0.1", 1 + n / 256, n % 256)).collect();
        assert_eq!(AddressList::text("https://a/").read(long.join(" ").as_bytes()), Err(BadList::TooMany));
        assert!(AddressList::text("https://a/").read(long[1..].join(" ").as_bytes()).is_ok());
        assert_eq!(AddressList::text("https://a/").read(b"\xff"), Err(BadList::Unreadable));
    }

    #[test]
    fn what_is_no_address_is_passed_over_and_host_bits_are_cut() {
        let list = AddressList::json("https://a/", "/hooks");
        let document = r#"{"hooks":["1.2.3.4/24","no","0.0.0.0/0","1.2.2.0/24"]}"#;
        assert_eq!(read(list, document).unwrap(), "1.2.2.0/23");
    }
}
