//! What is published, and what publishers made for it: `/messages`, `/queues`, `/schedules`, `/url-groups`,
//! `/flow-control`. One file a resource; what they stand on comes through [`Publications`](crate::publications).
//!
//! Not here: publishing itself, and making any of it, which is the publishing API's; the signing keys (`publish_keys`);
//! cancelling and replaying a message, which is done to its delivery (`deliveries`).

mod flow_control;
mod found;
mod messages;
mod queues;
mod schedules;
mod url_groups;

use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;

pub use self::{
    flow_control::PinRequest,
    messages::{MessageDetail, MessageView},
    queues::DeletedQueue,
};
use super::{Shared, page, problem::Problem, schema};
use crate::publications::Names;

pub(super) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new()
        .merge(messages::routes())
        .merge(queues::routes())
        .merge(schedules::routes())
        .merge(url_groups::routes())
        .merge(flow_control::routes())
}

/// How a list of what has names is asked for.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct NamesParams {
    /// Found anywhere in the name.
    search: Option<String>,
    /// `next` of the page before.
    after: Option<String>,
    #[param(schema_with = schema::limit)]
    limit: Option<usize>,
}

impl NamesParams {
    fn names(self) -> Result<Names, Problem> {
        Ok(Names { search: self.search.unwrap_or_default(), page: page::page(self.after, self.limit)? })
    }
}
