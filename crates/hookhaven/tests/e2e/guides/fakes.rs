//! Stand-ins for what senders' APIs answer, as far as the guides ask them: on loopback, with the answers of their
//! documentation. They live as long as the test's process.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{Arc, Mutex, PoisonError},
    thread,
};

/// The path and query of a GET to what is answered, and a `rel="next"` if there is more.
type Answers = fn(&str, &str) -> Option<(String, Option<String>)>;

pub struct Fake {
    address: SocketAddr,
    posts: Arc<Mutex<Vec<String>>>,
}

impl Fake {
    /// One webhook of `example/hello` and its deliveries, two pages of them. The one that GitHub could not deliver is
    /// there twice, as it is after a redelivery that failed too.
    pub fn github() -> Self {
        Self::start(|base, target| {
            let path = "/repos/example/hello/hooks/4711/deliveries?per_page=100";
            let delivery = |id: u64, guid: &str, status: u16| {
                format!(
                    r#"{{"id":{id},"guid":"{guid}","delivered_at":"2026-11-20T03:00:00Z","redelivery":false,
                        "event":"push","status_code":{status}}}"#
                )
            };
            let (known, lost) = (delivery(1, "delivery-1", 200), delivery(2, "delivery-lost", 502));
            match target.strip_prefix(path)? {
                "" => Some((format!("[{known},{lost}]"), Some(format!("<{base}{path}&cursor=v1_2>; rel=\"next\"")))),
                "&cursor=v1_2" => Some((format!("[{}]", delivery(3, "delivery-lost", 502)), None)),
                _ => None,
            }
        })
    }

    /// A list of two events, a page each; the second one never reached the gateway. By their ids, those that are genuine.
    pub fn stripe() -> Self {
        Self::start(|_, target| {
            let event = |id: &str| {
                format!(
                    r#"{{"id":"{id}","object":"event","api_version":"2026-10-28","created":1795000000,
                        "type":"invoice.paid","livemode":false,"data":{{"object":{{"id":"in_1","object":"invoice"}}}}}}"#
                )
            };
            if let Some(id) = target.strip_prefix("/v1/events/") {
                return ["evt_before", "evt_after"].contains(&id).then(|| (event(id), None));
            }
            let query = target.strip_prefix("/v1/events?")?;
            let (id, more) =
                if query.contains("starting_after=evt_known") { ("evt_lost", false) } else { ("evt_known", true) };
            let whole = query.contains("types%5B%5D=invoice.paid") && query.contains("created%5Bgte%5D=");
            whole.then(|| (format!(r#"{{"object":"list","data":[{}],"has_more":{more}}}"#, event(id)), None))
        })
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The paths that were posted to.
    pub fn posts(&self) -> Vec<String> {
        self.posts.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn start(answers: Answers) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port on loopback");
        let address = listener.local_addr().expect("its address");
        let posts = Arc::new(Mutex::new(Vec::new()));
        let noted = posts.clone();
        thread::spawn(move || {
            for connection in listener.incoming().flatten() {
                // Who goes away in the middle has no answer, as everywhere.
                let _ = answer(connection, &format!("http://{address}"), answers, &noted);
            }
        });
        Fake { address, posts }
    }
}

/// One request, whose body nobody looks at, and the end of its connection.
fn answer(mut connection: TcpStream, base: &str, answers: Answers, posts: &Mutex<Vec<String>>) -> std::io::Result<()> {
    let mut lines = BufReader::new(connection.try_clone()?).lines();
    let first = lines.next().transpose()?.unwrap_or_default();
    let headers: Vec<String> = lines.map_while(|line| line.ok().filter(|line| !line.is_empty())).collect();
    let shown = headers.iter().any(|header| header.to_ascii_lowercase().starts_with("authorization: bearer "));
    let mut words = first.split(' ');
    let (status, body, next) = match (words.next(), words.next()) {
        _ if !shown => ("401 Unauthorized", "{}".to_owned(), None),
        (Some("POST"), Some(path)) => {
            posts.lock().unwrap_or_else(PoisonError::into_inner).push(path.to_owned());
            ("202 Accepted", "{}".to_owned(), None)
        }
        (Some("GET"), Some(target)) => match answers(base, target) {
            Some((body, next)) => ("200 OK", body, next),
            None => ("404 Not Found", "{}".to_owned(), None),
        },
        _ => ("400 Bad Request", "{}".to_owned(), None),
    };
    let link = next.map(|next| format!("link: {next}\r\n")).unwrap_or_default();
    let length = body.len();
    write!(
        connection,
        "HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n{link}connection: close\r\n\r\n{body}"
    )
}
