//! Commands about the master key.

use clap::{Args, Subcommand};

#[derive(Debug, Subcommand)]
pub enum MasterKeyCommand {
    /// Print a new master key; it is kept nowhere
    Generate(MasterKeyGenerateArgs),
    /// Say what data keys there are and what they are encrypted under; exit code 1 if that is not as configured
    Status(MasterKeyStatusArgs),
    /// Encrypt the data keys anew, under the master key that is configured now
    Rotate(MasterKeyRotateArgs),
    /// Give up data keys that are lost, and what only they can read
    Abandon(MasterKeyAbandonArgs),
}

#[derive(Clone, Debug, Args)]
#[command(after_help = "Example:\n  hookhaven master-key generate > /etc/hookhaven/master.key\n\n\
                        Then set encryption.master_key = \"file:/etc/hookhaven/master.key\", and keep a copy elsewhere: \
                        without it nobody reads what was encrypted.")]
pub struct MasterKeyGenerateArgs {}

#[derive(Clone, Debug, Args)]
#[command(after_help = "Example:\n  hookhaven master-key status --json")]
pub struct MasterKeyStatusArgs {
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Clone, Debug, Args)]
#[command(after_help = "Examples:\n  hookhaven master-key rotate\n  hookhaven master-key rotate --new-data-key\n\n\
                        First give every node the new key as encryption.master_key and the old one in \
                        encryption.previous, and restart it; then run this once; then take the old one out. A running \
                        gateway goes on meanwhile.")]
pub struct MasterKeyRotateArgs {
    /// Make a new data key, too, which encrypts from the next start on; the others go on reading
    #[arg(long)]
    pub new_data_key: bool,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Clone, Debug, Args)]
#[command(after_help = "Example:\n  hookhaven master-key abandon --yes\n\n\
                        For when data keys, or the key to them, are gone for good and no backup has them. What only they \
                        read goes: signing keys that the gateway made, schedules, URL groups. Events stay; deliveries \
                        whose credentials cannot be read end as dead letters. Stop the gateway first.")]
pub struct MasterKeyAbandonArgs {
    /// Do it
    #[arg(long)]
    pub yes: bool,
}
