//! Commands that work on a data directory, a database or this machine: prove, measure, mend, move.

use std::path::PathBuf;

use clap::Args;
use hookhaven_core::Secret;

use crate::cli::values;

#[derive(Clone, Debug, Args)]
#[command(
    after_help = "Examples:\n  hookhaven torture\n  hookhaven torture --minutes 10 --data /var/lib/hookhaven-test\n  \
                        hookhaven torture --seed 2718281828 --json\n  \
                        hookhaven torture --store postgres://hookhaven@localhost/torture --minutes 10 \\\n    \
                        --store-restart 'pg_ctl -D /srv/pg stop -m immediate; pg_ctl -D /srv/pg -l /srv/pg.log start'\n\n\
                        It starts a gateway of its own on free loopback ports, in a directory of its own under the\n\
                        temporary directory or --data, and removes it at the end. Exits with 1 on any breach; then\n\
                        the directory stays, and the line to repeat it is printed."
)]
pub struct TortureArgs {
    /// How long to go on; the end takes a little longer
    #[arg(long, value_name = "N", default_value_t = 1.0, value_parser = values::minutes)]
    pub minutes: f64,
    /// Where everything random comes from [default: a fresh one, printed]
    #[arg(long, value_name = "SEED")]
    pub seed: Option<u64>,
    /// The store to torture: "file:", the embedded one, or postgres://user@host/database, which nobody may use;
    /// then three nodes run on it. env:NAME names a variable that holds it
    #[arg(long, value_name = "URL", value_parser = values::store)]
    pub store: Option<Secret>,
    /// Crash the database, too, at random moments: a line for sh that stops it at once and has it come back
    #[arg(long, value_name = "CMD", requires = "store")]
    pub store_restart: Option<String>,
    /// End after so many kills, however long they take
    #[arg(long, hide = true, value_name = "N", conflicts_with = "minutes")]
    pub kills: Option<u64>,
    /// Print the verdict as JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Clone, Debug, Args)]
#[command(after_help = "Examples:\n  hookhaven bench\n  hookhaven bench --data /var/lib/hookhaven-test --json\n\n\
                        It starts a gateway of its own on free loopback ports, in a directory of its own under the\n\
                        temporary directory or --data: name one on the disk that you mean to use.")]
pub struct BenchArgs {
    /// How long each of the two loads takes
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u16).range(1..=3_600))]
    pub seconds: u16,
    /// Print the figures as JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Clone, Debug, Args)]
#[command(after_help = "Examples:\n  hookhaven doctor\n  hookhaven doctor --data /var/lib/hookhaven --json\n\n\
                  The gateway must be stopped; nothing is changed. Exits with 0 if all is sound, 1 if something is \
                  damaged, 2 if it could not look.")]
pub struct DoctorArgs {
    /// Print what was found as JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Clone, Debug, Args)]
#[command(after_help = "Examples:\n  hookhaven reindex\n  hookhaven reindex --data /var/lib/hookhaven\n\n\
                        The gateway must be stopped. The old index stays until the new one is whole.")]
pub struct ReindexArgs {
    /// Even if the journal is damaged and the old index knows what was there
    #[arg(long)]
    pub force: bool,
}

#[derive(Clone, Debug, Args)]
#[command(
    after_help = "Examples:\n  hookhaven copy --from file:/var/lib/hookhaven --to postgres://hookhaven@db/hookhaven\n  \
                  hookhaven copy --from file:hookhaven-data --to postgres://hookhaven@db/hookhaven --password env:PGPASSWORD\n  \
                  hookhaven copy --from file:hookhaven-data --to env:DATABASE_URL --json\n\n\
                  Stop the gateway first, and give a database that none has used. The data directory is sealed at once: \n\
                  `serve` refuses it from then on (`hookhaven serve --unseal` goes back to it), and refuses the database \n\
                  until everything is there. Interrupted at any moment, the same command again goes on where it was.\n\
                  At the end both sides are counted: exits with 0 if they agree, 1 if they do not."
)]
pub struct CopyArgs {
    /// The data directory: file:DIR
    #[arg(long, value_name = "file:DIR", value_parser = values::data_directory)]
    pub from: PathBuf,
    /// The database: postgres://user@host/database, or env:NAME of a variable that holds that
    #[arg(long, value_name = "URL", value_parser = values::database)]
    pub to: Secret,
    /// Its password, if the URL has none: env:NAME or file:PATH
    #[arg(long, value_name = "REFERENCE")]
    pub password: Option<String>,
    /// The master key of the data directory and of the gateway on the database: env:NAME or file:PATH
    #[arg(long, value_name = "REFERENCE")]
    pub master_key: Option<String>,
    /// Without one, the admin token of the gateway on the database, under which the data keys are kept there: env:NAME
    /// or file:PATH [default: the one in the data directory]
    #[arg(long, value_name = "REFERENCE")]
    pub admin_token: Option<String>,
    /// End although damage took something from the journal, which is then left behind
    #[arg(long)]
    pub leave_damaged: bool,
    /// Print what was copied as JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Clone, Debug, Args)]
#[command(after_help = "Examples:\n  hookhaven backup /backups/monday\n  \
                        hookhaven serve --data /backups/monday      to go on from it\n\n\
                        A running gateway writes it, on its own machine, without stopping; if none runs, this command\n\
                        does. It holds everything that was accepted before it began, and the data keys, which only its owner can read.\n\
                        The admin token is not in it.")]
pub struct BackupArgs {
    /// A directory that is new or empty
    #[arg(value_name = "DIR")]
    pub dir: PathBuf,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}
