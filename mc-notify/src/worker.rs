//! One thread and one connection a sink: a sink that hangs holds up nobody but itself.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    thread,
    time::Duration,
};

use mc_core::delivery::Delivery;
use mc_proto::{
    client::{BlockingClient, ClientError, hello},
    error::ErrorKind,
    method::{
        delivery::{Attach, Done, Next},
        remote::Show,
    },
};

use crate::{
    answers::Answers,
    config::{Config, Served},
    sinks::{Http, Surroundings, telegram::Question},
};

/// How long the daemon may hold a question when nothing is due, in milliseconds.
const WAIT_MS: u64 = 25_000;
/// How long its answer may take beyond that.
const ANSWER: Duration = Duration::from_secs(35);
/// The pauses before the daemon is tried again.
const AGAIN: [Duration; 4] = [
    Duration::from_millis(200),
    Duration::from_millis(500),
    Duration::from_secs(2),
    Duration::from_secs(5),
];

/// Returns who takes the answers of each sink that wants some.
///
/// # Errors
///
/// When it can't be kept or known which were taken: then none must be.
pub(crate) fn answers(
    socket: &Path,
    state: Option<&Path>,
    config: &Config,
) -> anyhow::Result<Vec<Answers>> {
    let mut all = Vec::new();
    for served in &config.sinks {
        let Some(telegram) = served.sink.takes_answers() else { continue };
        let name = &served.declared.name;
        let Some(state) = state else {
            anyhow::bail!(
                "{name} takes answers, and there is no place to note which were taken: name a \
                 directory with --state DIR (the system service has one)"
            );
        };
        all.push(Answers::new((socket, state), (name, telegram), config.answer)?);
    }
    Ok(all)
}

/// Serves all sinks; never ends by itself while there is one.
pub(crate) fn serve(socket: &Path, config: Config, answers: Vec<Answers>) {
    let sinks = config.sinks.iter().map(|one| one.declared.clone()).collect();
    let attach = Arc::new(Attach { sinks, schedule: config.schedule });
    let answer = config.answer;
    if config.sinks.is_empty() {
        tracing::info!("notify.toml names no sink: there is nothing to do");
        declare_nothing(socket, &attach);
        return;
    }
    let takers = answers.into_iter().map(|taker| thread::spawn(move || taker.run()));
    let takers: Vec<_> = takers.collect();
    let workers = config.sinks.into_iter().map(|served| {
        let (socket, attach) = (socket.to_path_buf(), Arc::clone(&attach));
        thread::spawn(move || Worker { socket, attach, served, answer }.run())
    });
    let workers: Vec<_> = workers.collect();
    for thread in workers.into_iter().chain(takers) {
        if thread.join().is_err() {
            tracing::error!("a sink's thread panicked; the service manager starts all again");
            std::process::exit(70);
        }
    }
}

/// Tells the daemon that nothing is sent any more, so that nothing waits for ever.
fn declare_nothing(socket: &Path, attach: &Attach) {
    let client = connect(socket);
    if let Err(error) = client.and_then(|mut client| client.call(attach)) {
        tracing::warn!(%error, "the daemon could not be told");
    }
}

/// Connects to the daemon as the helper that this is.
pub(crate) fn connect(socket: &Path) -> Result<BlockingClient, ClientError> {
    BlockingClient::connect(socket, &hello("mcd-notify", env!("CARGO_PKG_VERSION")), ANSWER)
}

struct Worker {
    socket: PathBuf,
    attach: Arc<Attach>,
    served: Served,
    /// How long the receiver may take.
    answer: Duration,
}

impl Worker {
    fn run(self) {
        let mut tries = 0;
        loop {
            let lost = connect(&self.socket).and_then(|client| {
                if tries > 0 {
                    tracing::info!(sink = self.served.declared.name, "the daemon is there again");
                }
                tries = 0;
                self.serve(client)
            });
            if let Err(error) = lost {
                if tries == 0 {
                    tracing::warn!(sink = self.served.declared.name, %error, "trying again");
                }
                let pause = AGAIN.get(tries).or(AGAIN.last()).copied().unwrap_or_default();
                tries += 1;
                thread::sleep(pause);
            }
        }
    }

    /// Sends what is due until the connection ends.
    fn serve(&self, mut client: BlockingClient) -> Result<(), ClientError> {
        let attached = client.call(&*self.attach)?;
        let (squad, answer) = (attached.squad, self.answer);
        let around = Surroundings { squad, http: Http::within(answer), answer };
        let sink = self.served.declared.name.clone();
        tracing::info!(sink, "ready");
        loop {
            let due = client.call(&Next { sink: sink.clone(), wait_ms: WAIT_MS })?;
            let Some(delivery) = due.delivery else { continue };
            let mut done = Done { delivery: delivery.id, ..Done::default() };
            let questions = self.questions(&mut client, &delivery)?;
            if let Err(trouble) = self.served.sink.send(&around, &delivery, &questions) {
                trouble.report(&mut done, delivery.failures);
            }
            tracing::info!(sink, delivery = %done.delivery, outcome = ?done.outcome,
                error = done.error, "tried");
            match client.call(&done) {
                // Somebody else has it in hand by now: it took too long here.
                Err(error) if error.refused().is_some_and(|e| e.kind() == ErrorKind::Conflict) => {
                    tracing::warn!(sink, %error, "too late");
                }
                other => drop(other?),
            }
        }
    }

    /// Asks the daemon how the approvals of a delivery may be put, where answers are taken.
    fn questions(
        &self,
        client: &mut BlockingClient,
        delivery: &Delivery,
    ) -> Result<Vec<Question>, ClientError> {
        let mut all = Vec::new();
        for approval in self.served.sink.asks(delivery) {
            all.push(match client.call(&Show { approval }) {
                Ok(shown) => Ok(shown),
                Err(ClientError::Refused(error)) => Err(error.message),
                Err(error) => return Err(error),
            });
        }
        Ok(all)
    }
}
