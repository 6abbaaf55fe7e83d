//! `mcd`: runs the daemon, and looks after its files while it does not run.

use std::{
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
};

use clap::{Parser, Subcommand};
use mc_proto::home::Home;
use mcd::{
    clock::SystemClock,
    config::{Config, ConfigError},
    daemon::{self, Daemon, DaemonConfig, Host, StartError},
    halt::Halt,
    logging, store,
};

/// The daemon of Mission Control.
#[derive(Debug, Parser)]
#[command(version, arg_required_else_help = true)]
struct Arguments {
    /// Keep configuration, state and sockets under this directory
    #[arg(long, global = true)]
    home: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the daemon
    Run,
    /// Check configuration, identity, policy, database and modes
    Check,
    /// Bring the database's schema up to date, after a copy
    Migrate,
    /// Check the journal's hash chain
    Verify,
    /// Make all tables again from the journal
    Rebuild,
    /// Print the policy with every default filled in
    DescribePolicy,
    /// Send notices to the sinks of notify.toml: a process of its own, with the network and
    /// without the database
    #[command(disable_help_flag = true)]
    Notify {
        /// As `mcd notify --help` says
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<std::ffi::OsString>,
    },
    /// Set the emergency stop by its file, with or without a running daemon
    Halt,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let home = Home::find(arguments.home.as_deref());
    let done = match arguments.command {
        Command::Run => run(home),
        Command::Check => Ok(check(&home)),
        Command::Migrate => offline(&home, |home| {
            store::migrate(&home.database())?;
            Ok("the schema is up to date".to_owned())
        }),
        Command::Verify => verify(&home),
        Command::Rebuild => offline(&home, |home| {
            store::rebuild(&home.database())?;
            Ok("all tables were made again from the journal".to_owned())
        }),
        Command::DescribePolicy => describe_policy(&home),
        Command::Notify { arguments: rest } => notify(arguments.home.as_deref(), &rest),
        Command::Halt => halt(&home),
    };
    done.unwrap_or_else(|error| {
        say(&format!("mcd: {error}"));
        ExitCode::from(error.exit_code())
    })
}

type Done = Result<ExitCode, StartError>;

fn run(home: Home) -> Done {
    let config = Config::load(&home)?;
    logging::start(&config.log).map_err(|text| StartError::Config(ConfigError::Wrong { text }))?;
    raise_descriptors();
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o077));
    let setup = DaemonConfig { home, clock: Arc::new(SystemClock), host: Host::Own };
    Daemon::start(setup)?.wait();
    Ok(ExitCode::SUCCESS)
}

/// Takes as many descriptors as the system gives.
fn raise_descriptors() {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    // What is not given is not needed on a small squad.
    setrlimit(Resource::Nofile, limit).ok();
}

fn check(home: &Home) -> ExitCode {
    let findings = daemon::check(home);
    if findings.is_empty() {
        tell("configuration, identity, policy, database and modes are in order");
        return ExitCode::SUCCESS;
    }
    for finding in findings {
        say(&finding);
    }
    ExitCode::FAILURE
}

/// Does something that needs the daemon not to run.
fn offline(home: &Home, act: impl FnOnce(&Home) -> Result<String, store::StoreError>) -> Done {
    let _lock = mcd::server::listeners::lock(home)?;
    tell(&act(home)?);
    Ok(ExitCode::SUCCESS)
}

fn verify(home: &Home) -> Done {
    let verified = store::verify(&home.database())?;
    for finding in &verified.findings {
        say(finding);
    }
    if !verified.clean {
        return Ok(ExitCode::FAILURE);
    }
    tell(&format!("{} events, head {} {}", verified.events, verified.head, verified.head_hash));
    Ok(ExitCode::SUCCESS)
}

fn describe_policy(home: &Home) -> Done {
    let path = home.config.join("policy.toml");
    let text = if path.exists() { std::fs::read_to_string(&path)? } else { String::new() };
    let policy = mcd::policy::parse(&text).map_err(|wrong| ConfigError::wrong(&path, &wrong))?;
    let text = toml::to_string(policy.doc()).map_err(std::io::Error::other)?;
    tell(text.trim_end());
    Ok(ExitCode::SUCCESS)
}

/// Becomes the helper that lies beside this program: what it needs for the network is not linked
/// in here.
fn notify(home: Option<&Path>, rest: &[std::ffi::OsString]) -> Done {
    let helper = std::env::current_exe()?.with_file_name("mcd-notify");
    let mut command = std::process::Command::new(&helper);
    if let Some(home) = home {
        command.arg("--home").arg(home);
    }
    let error = command.args(rest).exec();
    let text = format!("{} can't be run: {error}; install it beside mcd", helper.display());
    Err(std::io::Error::new(error.kind(), text).into())
}

fn halt(home: &Home) -> Done {
    let uid = rustix::process::getuid().as_raw();
    Halt::reopen(&home.halt_file()).set(&format!("`mcd halt` by uid {uid}"))?;
    tell("the emergency stop is set; `mcctl squad emergency-resume` ends it");
    Ok(ExitCode::SUCCESS)
}

#[expect(clippy::print_stdout, reason = "this program's one way to answer")]
fn tell(text: &str) {
    println!("{text}");
}

#[expect(clippy::print_stderr, reason = "this program's one way to complain")]
fn say(text: &str) {
    eprintln!("{text}");
}
