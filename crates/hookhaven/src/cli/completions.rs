//! `hookhaven completions`: what a shell completes, as that shell reads it, on standard output.

use std::process::ExitCode;

use clap::CommandFactory as _;
use hookhaven_store::clock::{Clock, SystemClock};

use super::{
    Context,
    args::{Cli, CompletionsArgs},
    print::Screen,
};

pub fn run(args: &CompletionsArgs, context: &Context) -> anyhow::Result<ExitCode> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "hookhaven", &mut script);
    Screen::of(context, SystemClock::start().now()).bytes(&script)?;
    Ok(ExitCode::SUCCESS)
}

#[cfg(test)]
mod tests {
    use clap::ValueEnum as _;
    use clap_complete::Shell;

    use super::*;

    fn names(command: &clap::Command, all: &mut Vec<String>) {
        for sub in command.get_subcommands().filter(|sub| !sub.is_hide_set()) {
            all.push(sub.get_name().to_owned());
            names(sub, all);
        }
    }

    #[test]
    fn each_shell_completes_every_command() {
        let mut all = Vec::new();
        names(&Cli::command(), &mut all);
        for shell in Shell::value_variants() {
            let mut script = Vec::new();
            clap_complete::generate(*shell, &mut Cli::command(), "hookhaven", &mut script);
            let script = String::from_utf8(script).unwrap();
            let missing: Vec<_> = all.iter().filter(|name| !script.contains(name.as_str())).collect();
            assert!(missing.is_empty(), "{shell}: {missing:?}");
        }
    }
}
