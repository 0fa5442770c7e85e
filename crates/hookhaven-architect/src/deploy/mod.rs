//! What it is deployed with: one file for each kind of place, and `deploy/README.md` for all.
//!
//! Not here: where that is decided (`intake`, `design`), the config itself (`config`).

mod containers;
mod kubernetes;
mod machine;
mod platform;
mod readme;
mod site;

pub use site::Site;

use crate::{File, Plan, intake::Host};

pub fn files(plan: &Plan) -> Vec<File> {
    let files = match plan.intake.infrastructure.host {
        // Functions cannot hold what was acknowledged: a small machine beside them does.
        Host::Machine | Host::Serverless => machine::files(plan),
        Host::Containers => containers::files(plan),
        Host::Kubernetes => kubernetes::files(plan),
        Host::Platform => platform::files(plan),
    };
    [files, vec![readme::file(plan)]].concat()
}
