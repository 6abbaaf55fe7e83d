//! The log: the system's journal under a service manager, else text on standard error. Tokens,
//! passphrases and arguments of calls never get here.

use tracing_subscriber::{
    filter::Targets, layer::SubscriberExt as _, util::SubscriberInitExt as _,
};

use crate::config;

/// Starts the log once for the process; `filter` is the configured one, which `MC_LOG` overrides.
///
/// # Errors
///
/// When the filter can't be read.
pub fn start(filter: &str) -> Result<(), String> {
    let given = config::log_from_environment();
    let filter = given.as_deref().unwrap_or(filter);
    // Levels by module are enough, and need no regular expressions.
    let filter: Targets = filter
        .parse()
        .map_err(|error| format!("the log filter `{filter}` can't be read: {error}"))?;
    let registry = tracing_subscriber::registry().with(filter);
    let journal = config::logs_to_journal().then(tracing_journald::layer);
    // A second start keeps the first log.
    let started = if let Some(Ok(journal)) = journal {
        registry.with(journal).try_init()
    } else {
        let text = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
        registry.with(text.with_ansi(false).with_target(false)).try_init()
    };
    started.ok();
    Ok(())
}
