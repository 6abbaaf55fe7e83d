//! The bridge itself: one link to the daemon, one connection to the gateway, orders in one
//! direction and what was seen in the other.

use std::{path::PathBuf, time::Duration};

use mc_core::agent::Runtime;
use mc_proto::{
    client::{Client, Follow, Incoming, Link, LinkConfig, LinkEvent, ServerRequest},
    error::RpcError,
    method::{
        feed::{Attach, Capability, Report},
        session::Hello,
    },
};
use serde_json::Value;
use tokio::{
    sync::{mpsc, watch},
    time::{MissedTickBehavior, interval},
};

use crate::{
    frame::Duty,
    gateway::{Gateway, GatewayConfig, GatewayEvent},
    halt::HaltWatch,
    identity::{self, Identity, IdentityError},
    orders::{Agents, Orders},
    plugin::{self, Finding},
    second_lock,
};

/// How often the gateway is looked at when nothing says that it has changed. An alarm has to sound
/// within five seconds.
const LOOK: Duration = Duration::from_secs(1);

/// What the bridge needs to know.
#[derive(Debug)]
pub struct BridgeConfig {
    /// The gateway.
    pub gateway: GatewayConfig,
    /// The bridge's identity there.
    pub identity: Identity,
    /// The daemon.
    pub daemon: DaemonConfig,
    /// Its halt file; told by the daemon where it is `None`.
    pub halt_file: Option<PathBuf>,
    /// Who is who.
    pub agents: Agents,
}

/// Where the daemon is and how it knows the bridge.
#[derive(Debug)]
pub struct DaemonConfig {
    /// Its socket for agents.
    pub socket: PathBuf,
    /// The file of the adapter's token; read again when the daemon no longer takes the token.
    pub token_file: PathBuf,
    /// Our version.
    pub version: String,
}

impl DaemonConfig {
    /// Reads the token and returns how to say hello.
    ///
    /// # Errors
    ///
    /// When the file is not there, or others can read it.
    pub fn hello(&self) -> Result<Hello, IdentityError> {
        let token = identity::private_text(&self.token_file)?;
        let mut hello = mc_proto::client::hello("mc-openclaw", &self.version);
        hello.token = Some(token);
        Ok(hello)
    }

    fn link(&self, hello: Hello) -> (Link, mpsc::Receiver<LinkEvent>) {
        Link::start(LinkConfig { path: self.socket.clone(), hello, follow: Follow::Nothing })
    }
}

/// Runs until the process is told to end.
///
/// # Errors
///
/// When the adapter's token can't be read.
pub async fn run(config: BridgeConfig) -> Result<(), IdentityError> {
    let hello = config.daemon.hello()?;
    let duty = config.gateway.duty;
    let (gateway, gateway_events) = Gateway::start(config.gateway, config.identity);
    let (link, daemon_events) = config.daemon.link(hello.clone());
    let orders = Orders::new(gateway.clone(), config.agents.clone());
    let (halt_file, its_halt_file) = watch::channel(config.halt_file.clone());
    let halt_file = config.halt_file.is_none().then_some(halt_file);
    tokio::spawn(HaltWatch { orders: orders.clone(), file: its_halt_file }.watch());
    let (daemon, its_daemon) = watch::channel(None);
    let (nudge, nudged) = mpsc::channel(1);
    let agents = config.agents;
    let watcher = Watcher {
        gateway: gateway.clone(),
        duty,
        agents: agents.clone(),
        daemon: its_daemon,
        reported: None,
    };
    tokio::spawn(watcher.watch(nudged));
    let version = "unknown".to_owned();
    let place = config.daemon;
    let bridge = Bridge {
        gateway,
        duty,
        orders,
        agents,
        place,
        hello,
        link,
        daemon,
        halt_file,
        version,
        nudge,
    };
    bridge.serve(gateway_events, daemon_events).await;
    Ok(())
}

/// Answers the daemon. Nothing here waits for the gateway: an order must never queue behind a look.
struct Bridge {
    gateway: Gateway,
    duty: Duty,
    orders: Orders<Gateway>,
    agents: Agents,
    place: DaemonConfig,
    hello: Hello,
    link: Link,
    /// The daemon while it is there; the watcher sees each change.
    daemon: watch::Sender<Option<Client>>,
    /// Where the daemon tells that its halt file is; `None` where we were told by the command line.
    halt_file: Option<watch::Sender<Option<PathBuf>>>,
    /// The gateway's version, as last heard.
    version: String,
    /// Makes the watcher look now.
    nudge: mpsc::Sender<()>,
}

impl Bridge {
    async fn serve(
        mut self,
        mut gateway: mpsc::Receiver<GatewayEvent>,
        mut daemon: mpsc::Receiver<LinkEvent>,
    ) {
        loop {
            tokio::select! {
                event = daemon.recv() => match event {
                    Some(event) => {
                        if let Some(anew) = self.hear_daemon(event).await {
                            daemon = anew;
                        }
                    }
                    None => return,
                },
                event = gateway.recv() => match event {
                    Some(event) => self.hear_gateway(event).await,
                    None => return,
                },
            }
        }
    }

    /// Takes in what the link tells; returns the events of a new link, if one was made.
    async fn hear_daemon(&mut self, event: LinkEvent) -> Option<mpsc::Receiver<LinkEvent>> {
        match event {
            LinkEvent::Up(client) => {
                self.attach(client).await;
            }
            LinkEvent::Request(request) => self.order(request),
            LinkEvent::Lost { error, attempt, .. } => {
                self.daemon.send_replace(None);
                if attempt == 1 {
                    tracing::warn!(%error, "the daemon is away");
                }
                if error.refused().is_some() {
                    return self.link_with_new_token();
                }
            }
            LinkEvent::Item(_) | LinkEvent::Lagged(_) | LinkEvent::Beat(_) => {}
        }
        None
    }

    /// Enrolling again replaces the token: the file then holds another one than we said hello with.
    fn link_with_new_token(&mut self) -> Option<mpsc::Receiver<LinkEvent>> {
        let hello = match self.place.hello() {
            Ok(hello) if hello != self.hello => hello,
            Ok(_) => return None,
            Err(error) => {
                tracing::error!(%error, "the token can't be read");
                return None;
            }
        };
        self.hello = hello.clone();
        let (link, events) = self.place.link(hello);
        self.link = link;
        Some(events)
    }

    async fn hear_gateway(&mut self, event: GatewayEvent) {
        match event {
            GatewayEvent::Up { version } => {
                tracing::info!(%version, "connected to the gateway");
                if self.version != version {
                    self.version = version;
                    let daemon = self.daemon.borrow().clone();
                    if let Some(daemon) = daemon {
                        self.attach(daemon).await;
                    }
                }
                self.look();
            }
            GatewayEvent::Changed => self.look(),
            GatewayEvent::Asked(question) => self.answer(question),
            GatewayEvent::Down(why) => tracing::warn!(%why, "the gateway is away"),
        }
    }

    /// Says at the daemon what stands behind this connection; then what was seen is told anew.
    async fn attach(&mut self, daemon: Client) {
        let attach = Attach {
            runtime: Runtime::Openclaw,
            version: self.version.clone(),
            agents: self.agents.names(),
            capabilities: match self.duty {
                Duty::Orders => vec![Capability::Abort, Capability::Deliver],
                Duty::SecondLock => {
                    vec![Capability::Abort, Capability::Deliver, Capability::Confirm]
                }
            },
        };
        match daemon.call(&attach).await {
            Ok(attached) => {
                tracing::info!("attached to the daemon");
                if let Some(halt_file) = &self.halt_file {
                    halt_file.send_replace(Some(attached.halt_file.into()));
                }
                self.daemon.send_replace(Some(daemon));
            }
            Err(error) => tracing::error!(%error, "the daemon does not take the bridge"),
        }
    }

    fn look(&self) {
        // A full channel means that the watcher is about to look anyway.
        self.nudge.try_send(()).ok();
    }

    /// Answers a question beside everything else.
    fn answer(&self, question: Value) {
        let (gateway, agents) = (self.gateway.clone(), self.agents.clone());
        let daemon = self.daemon.borrow().clone();
        tokio::spawn(async move {
            second_lock::answer(&gateway, daemon.as_ref(), (&agents, question)).await;
        });
    }

    /// Carries an order out beside everything else, so that a slow one holds nothing up.
    fn order(&self, request: ServerRequest) {
        let orders = self.orders.clone();
        tokio::spawn(async move { carry_out(&orders, request).await });
    }
}

/// Looks whether the gateway asks before it acts and tells the daemon when that has changed; with
/// the second lock it also answers questions that were left open.
struct Watcher {
    gateway: Gateway,
    duty: Duty,
    agents: Agents,
    daemon: watch::Receiver<Option<Client>>,
    /// What the daemon knows.
    reported: Option<Finding>,
}

impl Watcher {
    async fn watch(mut self, mut nudged: mpsc::Receiver<()>) {
        let mut look = interval(LOOK);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                nudge = nudged.recv() => if nudge.is_none() { return },
                changed = self.daemon.changed() => match changed {
                    // A daemon that is new knows nothing.
                    Ok(()) => self.reported = None,
                    Err(_) => return,
                },
                _ = look.tick() => {}
            }
            self.look().await;
        }
    }

    async fn look(&mut self) {
        let daemon = self.daemon.borrow().clone();
        if self.duty == Duty::SecondLock {
            second_lock::answer_open(&self.gateway, daemon.as_ref(), &self.agents).await;
        }
        let Some(daemon) = daemon else { return };
        let finding = match plugin::inspect(&self.gateway, self.duty).await {
            Ok(finding) => finding,
            Err(error) => return tracing::debug!(%error, "the plugin can't be looked for"),
        };
        if self.reported.as_ref() == Some(&finding) {
            return;
        }
        let report = Report {
            runtime: Runtime::Openclaw,
            state: finding.state,
            detail: finding.detail.clone(),
            unchecked: None,
        };
        match daemon.call(&report).await {
            Ok(_) => {
                tracing::info!(state = ?finding.state, detail = %finding.detail, "reported");
                self.reported = Some(finding);
            }
            Err(error) => tracing::warn!(%error, "the finding could not be reported"),
        }
    }
}

async fn carry_out(orders: &Orders<Gateway>, request: ServerRequest) {
    match request.method.as_str() {
        "runtime.ping" => request.answer(&serde_json::json!({})),
        "runtime.abort" => match Incoming::read(&request.params) {
            Ok(order) => {
                let done = orders.abort(&order).await;
                tracing::info!(agent = %order.agent, session = ?order.session, reason = %order.reason, ended = done.ended, detail = %done.detail, "abort");
                request.answer(&done);
            }
            Err(error) => request.refuse(&unread(&error)),
        },
        "runtime.deliver" => match Incoming::read(&request.params) {
            Ok(order) => match orders.deliver(&order).await {
                Ok(()) => request.answer(&serde_json::json!({})),
                Err(error) => {
                    tracing::warn!(agent = %order.agent, id = %order.id, %error, "not delivered");
                    request.refuse(&error);
                }
            },
            Err(error) => request.refuse(&unread(&error)),
        },
        other => {
            let error = mc_proto::method::unknown(other);
            request.refuse(&error);
        }
    }
}

fn unread(error: &serde_json::Error) -> RpcError {
    RpcError::invalid("params", error.to_string())
}
