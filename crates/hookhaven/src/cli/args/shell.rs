//! Commands that help at the shell: what it completes, what `man` shows.

use std::path::PathBuf;

use clap::Args;
use clap_complete::Shell;

#[derive(Clone, Debug, Args)]
#[command(after_help = "Examples:\n  hookhaven completions bash > /etc/bash_completion.d/hookhaven\n  \
                        hookhaven completions zsh > \"${fpath[1]}/_hookhaven\"\n  \
                        hookhaven completions fish > ~/.config/fish/completions/hookhaven.fish\n\n\
                        They belong to this version: write them again after an upgrade.")]
pub struct CompletionsArgs {
    /// The shell
    #[arg(value_name = "SHELL")]
    pub shell: Shell,
}

#[derive(Clone, Debug, Args)]
#[command(after_help = "Examples:\n  hookhaven man --out /usr/local/share/man/man1\n  \
                        hookhaven man --out . && man ./hookhaven-dlq-replay.1")]
pub struct ManArgs {
    /// The directory to write them into; made if it is not there
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
}
