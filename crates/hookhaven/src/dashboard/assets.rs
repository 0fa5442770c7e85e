//! Styles, scripts and the icon, within the binary. Their addresses carry a digest of what they hold, so that browsers
//! keep them for ever and never keep an old one.
//!
//! `vendor/` holds two libraries as they were published, with their licences; a test compares them with what npm gives.

use std::sync::LazyLock;

use aws_lc_rs::digest::{SHA256, digest};
use axum::{
    Router,
    extract::Path,
    response::{IntoResponse, Response},
    routing::get,
};
use http::{HeaderValue, StatusCode, header};

use super::Shared;

struct Asset {
    name: &'static str,
    kind: &'static str,
    bytes: &'static [u8],
}

const JS: &str = "text/javascript; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";

/// One line a file.
const ASSETS: [Asset; 9] = [
    Asset { name: "app.css", kind: CSS, bytes: include_bytes!("assets/app.css") },
    Asset { name: "app.js", kind: JS, bytes: include_bytes!("assets/app.js") },
    Asset { name: "charts.js", kind: JS, bytes: include_bytes!("assets/charts.js") },
    Asset { name: "htmx.js", kind: JS, bytes: include_bytes!("assets/vendor/htmx.min.js") },
    Asset { name: "uplot.js", kind: JS, bytes: include_bytes!("assets/vendor/uPlot.iife.min.js") },
    Asset { name: "uplot.css", kind: CSS, bytes: include_bytes!("assets/vendor/uPlot.min.css") },
    Asset { name: "events.css", kind: CSS, bytes: include_bytes!("assets/events.css") },
    Asset { name: "live.js", kind: JS, bytes: include_bytes!("assets/live.js") },
    Asset { name: "icon.svg", kind: "image/svg+xml", bytes: include_bytes!("assets/icon.svg") },
];

static LINKS: LazyLock<Vec<String>> = LazyLock::new(|| {
    let digest = |asset: &Asset| hex::encode(&digest(&SHA256, asset.bytes).as_ref()[..8]);
    ASSETS.iter().map(|asset| format!("/assets/{}/{}", digest(asset), asset.name)).collect()
});

pub(super) fn routes() -> Router<Shared> {
    Router::new().route("/assets/{digest}/{name}", get(show))
}

/// Where a file is. A name that there is none of leads nowhere; a test walks the templates.
pub(super) fn link(name: &str) -> &'static str {
    let at = ASSETS.iter().position(|asset| asset.name == name);
    at.and_then(|at| LINKS.get(at)).map_or("/assets/none", String::as_str)
}

async fn show(Path((digest, name)): Path<(String, String)>) -> Response {
    let asked = format!("/assets/{digest}/{name}");
    let found = ASSETS.iter().find(|asset| link(asset.name) == asked);
    let Some(asset) = found else { return StatusCode::NOT_FOUND.into_response() };
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static(asset.kind)),
        (header::CACHE_CONTROL, HeaderValue::from_static("public, max-age=31536000, immutable")),
    ];
    (headers, asset.bytes).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_that_a_page_can_need_fits_its_weight() {
        let bytes: usize = ASSETS.iter().map(|asset| asset.bytes.len()).sum();
        assert!(bytes < 160 << 10, "{bytes} bytes of scripts and styles leave too little of 200 KiB for a page");
    }

    #[test]
    fn addresses_change_with_what_they_hold() {
        let all: std::collections::BTreeSet<_> = ASSETS.iter().map(|asset| link(asset.name)).collect();
        assert_eq!(all.len(), ASSETS.len());
        assert_eq!(link("other.js"), "/assets/none");
    }
}
