//! Docker Hub: nothing is signed and there is no id.
//!
//! Facts: Docker's documentation, from memory.

use super::super::prelude::*;

pub static SENDER: Declaration = Declaration {
    name: "docker-hub",
    title: "Docker Hub",
    scheme: Scheme::Nothing,
    event_type: &["text:push"],
    time: &["json:/push_data/pushed_at"],
    order_key: &["json:/repository/repo_name"],
    sample_types: &["push"],
    about: About {
        secret: "none: Docker Hub signs nothing, so `allow` must say who may post",
        paste: "the repository → Webhooks",
        quirks: &["Nothing is verified: take a push as a hint, and ask the registry what is there."],
        docs: "https://docs.docker.com/docker-hub/repos/manage/webhooks/",
        retries: Retries::Never,
        ..About::DEFAULT
    },
    conduct: Conduct {
        reconcile: "the registry lists the tags of a repository and when each was pushed",
        ..Conduct::UNKNOWN
    },
    ..Declaration::DEFAULT
};
