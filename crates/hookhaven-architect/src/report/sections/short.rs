//! For a team that does not need this: what to hold on to in what it has, and what would change the answer.
//!
//! Not here: the verdict itself.

use crate::{
    Plan,
    design::SourceDesign,
    intake::SenderAnswers,
    report::{
        document::{Block, Text, code, plain, prose, say},
        said,
    },
    words::{count, span},
};

pub fn blocks(plan: &Plan) -> Vec<Block> {
    vec![
        Block::table(
            ["sender", "verify", "secret", "answer within", "if you are down"],
            said::each(plan).map(row).collect(),
        ),
        Block::heading(say!("What would change this")),
        Block::List(changes(plan)),
    ]
}

fn row((sender, source): (&SenderAnswers, &SourceDesign)) -> [Text; 5] {
    let verify = match said::known(sender) {
        Some((declared, _)) => said::scheme(declared),
        None => plain("find out how it signs"),
    };
    let secret = match source.secret_variables.first() {
        Some(variable) => code(variable),
        None => plain("none: it signs nothing"),
    };
    let waits = sender.sender.and_then(|declared| declared.about.timeout_s);
    let answer = match waits {
        Some(limit_s) => say!("{} s; your handler takes {}", limit_s, span(sender.processing.takes)),
        None => say!("it does not say; your handler takes {}", span(sender.processing.takes)),
    };
    [plain(sender.title()), verify, secret, answer, prose(&source.loss.why)]
}

fn changes(plan: &Plan) -> Vec<Text> {
    let mut items = vec![
        say!("An event is lost, or done twice, and somebody minds."),
        say!(
            "The handler takes longer than a sender waits, or is deployed while events come in and they do not come \
             again."
        ),
        say!("{} events on the busiest day become many times as many.", count(plan.design.load.peak_day)),
        say!("Somebody has to say what became of one event, and nobody can."),
    ];
    for planned in &plan.intake.planned {
        let title = planned.sender.map_or(planned.name.as_str(), |declared| declared.title);
        items.push(say!("{} comes, which you plan.", title));
    }
    items
}
