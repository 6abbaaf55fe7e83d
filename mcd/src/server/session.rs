//! Who is at the other end; set once by the hello, and never by a later frame.

use std::{
    collections::HashMap,
    sync::{Arc, atomic::Ordering},
};

use mc_core::{
    actor::{Actor, ActorKind, Level},
    agent::AgentName,
    canonical,
};
use mc_proto::{
    error::{ErrorKind, RpcError},
    limits,
    method::session::{self, Hello, HelloResult, PROTOCOL, Program, WhoAmI},
};

use super::{
    Server, factor,
    feed::Feed,
    limits::{Bucket, Seat, Side},
    orders::Inbox,
    unlock::{ABSOLUTE_MS, Proof},
};
use crate::{
    caller::{Caller, Factor},
    identity::{Identity, Operator},
    store::TokenOwner,
};

/// How long a token is taken as good without looking again, in milliseconds.
const TOKEN_GOOD_MS: i64 = 60_000;

/// A connection whose caller is known.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) side: Side,
    caller: Caller,
    /// The agents that an adapter may name.
    agents: Vec<AgentName>,
    operator: Option<Operator>,
    /// Who governed when the connection last looked.
    identity: Arc<Identity>,
    uid: u32,
    token: Option<Token>,
    pub(super) proof: Option<Proof>,
    pub(super) challenges: Vec<factor::Open>,
    buckets: HashMap<AgentName, Arc<Bucket>>,
    bucket: Option<Arc<Bucket>>,
    seat: Option<Seat>,
    pub(super) feed: Option<Feed>,
    pub(super) inbox: Option<Inbox>,
}

#[derive(Debug)]
struct Token {
    sha256: String,
    looked_ms: i64,
    revocations: u64,
}

/// A connection as it was accepted.
#[derive(Debug, Clone, Copy)]
pub(super) struct Peer {
    pub(super) side: Side,
    pub(super) uid: u32,
    pub(super) connection: u64,
}

impl Session {
    /// Finds out who says hello.
    ///
    /// # Errors
    ///
    /// `unauthorized`, or `rate_limited` when that agent has too many connections.
    pub(super) fn begin(server: &Server, peer: Peer, hello: Hello) -> Result<Self, RpcError> {
        if hello.protocol != PROTOCOL {
            let text = format!("this daemon speaks protocol {PROTOCOL}, not {}", hello.protocol);
            return Err(RpcError::invalid("protocol", text));
        }
        match peer.side {
            Side::Operator => Self::operator(server, peer, &hello),
            Side::Agent => Self::agent(server, peer, hello),
            Side::Helper => Self::helper(server, peer, &hello),
        }
    }

    fn operator(server: &Server, peer: Peer, hello: &Hello) -> Result<Self, RpcError> {
        if hello.token.is_some() || hello.agent.is_some() {
            return Err(unauthorized("agents use the agents' socket"));
        }
        let identity = server.identity();
        let operator = identity.operator(peer.uid);
        let operator = operator.ok_or_else(|| unauthorized("your user is no operator here"))?;
        let caller = Caller {
            actor: Actor::human(operator.name.clone(), Level::L0),
            role: Some(operator.role),
            agent: None,
            adapter: None,
            connection: peer.connection,
            factor: Factor::None,
            home: None,
        };
        let mut session = Self::of(peer, Arc::clone(&identity), caller);
        session.operator = Some(operator.clone());
        Ok(session)
    }

    /// The helper is no human and no agent: a part of the daemon in a process of its own.
    fn helper(server: &Server, peer: Peer, hello: &Hello) -> Result<Self, RpcError> {
        if hello.token.is_some() || hello.agent.is_some() {
            return Err(unauthorized("agents use the agents' socket"));
        }
        server.live().helper.joined(peer.connection);
        let caller = Caller {
            actor: Actor::system("notify"),
            role: None,
            agent: None,
            adapter: None,
            connection: peer.connection,
            factor: Factor::None,
            home: None,
        };
        Ok(Self::of(peer, server.identity(), caller))
    }

    fn agent(server: &Server, peer: Peer, hello: Hello) -> Result<Self, RpcError> {
        let identity = server.identity();
        if !identity.is_agent(peer.uid) {
            return Err(unauthorized("your user is no agent's here"));
        }
        let token = hello.token.ok_or_else(|| unauthorized("a token is needed on this socket"))?;
        let sha256 = canonical::sha256_hex(token.as_bytes());
        drop(zeroize::Zeroizing::new(token));
        let owner = server.store.token_owner(&sha256)?;
        let owner = owner.ok_or_else(|| unauthorized("this token is unknown or has ended"))?;
        let (name, adapter, agents) = match owner {
            TokenOwner::Agent(name) => {
                if hello.agent.as_ref().is_some_and(|said| *said != name) {
                    return Err(unauthorized("this token belongs to another agent"));
                }
                (name, None, Vec::new())
            }
            TokenOwner::Adapter(name, agents) => {
                if hello.agent.is_some() {
                    return Err(unauthorized("an adapter says hello without an agent"));
                }
                (name.clone(), Some(name), agents)
            }
        };
        let caller = Caller {
            actor: Actor::agent(name.to_string()),
            role: None,
            agent: adapter.is_none().then(|| name.clone()),
            adapter,
            connection: peer.connection,
            factor: Factor::None,
            home: home_of(peer.uid),
        };
        let mut session = Self::of(peer, identity, caller);
        session.seat = Some(server.limits.admit_agent(&name)?);
        session.bucket = Some(server.limits.bucket(&name));
        session.agents = agents;
        let looked_ms = server.live().clock.elapsed_ms();
        let revocations = server.live().tokens_ended.load(Ordering::SeqCst);
        session.token = Some(Token { sha256, looked_ms, revocations });
        Ok(session)
    }

    fn of(peer: Peer, identity: Arc<Identity>, caller: Caller) -> Self {
        Self {
            side: peer.side,
            uid: peer.uid,
            identity,
            caller,
            agents: Vec::new(),
            operator: None,
            token: None,
            proof: None,
            challenges: Vec::new(),
            buckets: HashMap::new(),
            bucket: None,
            seat: None,
            feed: None,
            inbox: None,
        }
    }

    /// Returns what the hello answers.
    ///
    /// # Errors
    ///
    /// `unavailable` when the system gives no random numbers for the connection's name.
    pub(super) fn welcome(&self, server: &Server) -> Result<HelloResult, RpcError> {
        let count = |bytes: usize| i64::try_from(bytes).unwrap_or(i64::MAX);
        let fixed = [
            ("frame_bytes", count(limits::FRAME_BYTES)),
            ("argument_bytes", count(limits::ARGUMENT_BYTES)),
            ("text_bytes", count(limits::TEXT_BYTES)),
            ("page_items", limits::PAGE_ITEMS),
        ];
        let all = fixed.into_iter().chain(server.limits.by_name());
        Ok(HelloResult {
            protocol: PROTOCOL,
            server: Program {
                name: "mcd".to_owned(),
                version: env!("CARGO_PKG_VERSION").to_owned(),
            },
            actor: self.whoami(server),
            squad: server.squad.clone(),
            head: server.live().head(),
            now: server.live().clock.now(),
            halted: server.live().halt.is_set(),
            limits: all.map(|(name, value)| (name.to_owned(), value)).collect(),
            connection: factor::random_name()?,
        })
    }

    /// Returns who the caller is.
    pub(super) fn whoami(&self, server: &Server) -> WhoAmI {
        let human = self.caller.actor.kind == ActorKind::Human;
        WhoAmI {
            kind: self.caller.actor.kind,
            name: self.caller.actor.name.clone(),
            role: self.caller.role,
            level: human.then(|| self.level(server)),
            level_expires_at: self.good_proof(server).map(|proof| expires_at(server, &proof)),
            shared_uid: human && server.live().is_shared_uid(),
            agents: self.agents.clone(),
            factors: self.factors(server),
        }
    }

    fn factors(&self, server: &Server) -> Vec<session::Factor> {
        let now = server.live().clock.now();
        let operator = self.operator.as_ref();
        operator.map(|operator| self.identity.factors(operator, now)).unwrap_or_default()
    }

    /// Returns the operator behind the connection.
    pub(super) fn as_operator(&self) -> Option<&Operator> {
        self.operator.as_ref()
    }

    /// Returns the name behind the connection.
    pub(super) fn name(&self) -> &str {
        &self.caller.actor.name
    }

    /// Says whether an adapter is connected.
    pub(super) fn is_adapter(&self) -> bool {
        self.caller.adapter.is_some()
    }

    /// Returns the connection's number.
    pub(super) const fn connection(&self) -> u64 {
        self.caller.connection
    }

    /// Returns the user behind the connection.
    pub(super) const fn uid(&self) -> u32 {
        self.uid
    }

    /// Returns the agents that the connection speaks for; `None` for operators.
    pub(super) fn speaks_for(&self) -> Option<Vec<AgentName>> {
        let own = self.caller.agent.iter().cloned();
        (self.side != Side::Operator).then(|| own.chain(self.agents.iter().cloned()).collect())
    }

    fn good_proof(&self, server: &Server) -> Option<Proof> {
        let now = server.live().clock.elapsed_ms();
        let epoch = server.epoch.load(Ordering::SeqCst);
        self.proof.filter(|proof| proof.is_good(now, epoch))
    }

    /// Returns until when the connection is unlocked, by the clock that never jumps; 0 without.
    pub(super) fn unlocked_until_ms(&self) -> i64 {
        self.proof.map_or(0, |proof| proof.ends_ms())
    }

    fn level(&self, server: &Server) -> Level {
        self.good_proof(server).map_or(Level::L0, |proof| proof.level)
    }

    /// Returns who asks, for one request; `named` is the agent that the frame names.
    ///
    /// # Errors
    ///
    /// `forbidden` for an agent that the caller does not speak for.
    pub(super) fn caller(
        &mut self,
        server: &Server,
        named: Option<AgentName>,
    ) -> Result<Caller, RpcError> {
        let mut caller = self.caller.clone();
        if self.side == Side::Operator {
            if named.is_some() {
                let text = "operators speak for themselves: leave `agent` out";
                return Err(RpcError::new(ErrorKind::Forbidden, text));
            }
            let proof = self.good_proof(server);
            self.proof = proof;
            if let Some(proof) = &mut self.proof {
                proof.used_ms = server.live().clock.elapsed_ms();
            }
            caller.actor.level = Some(proof.map_or(Level::L0, |proof| proof.level));
            let has_factor = !self.factors(server).is_empty();
            caller.factor = if has_factor { Factor::Enrolled } else { Factor::None };
            return Ok(caller);
        }
        let Some(named) = named else { return Ok(caller) };
        // Only an adapter has agents of its own.
        if caller.agent.as_ref() != Some(&named) && !self.agents.contains(&named) {
            let text = format!("this connection does not speak for {named}");
            return Err(RpcError::new(ErrorKind::Forbidden, text));
        }
        caller.actor = Actor::agent(named.to_string());
        caller.agent = Some(named);
        Ok(caller)
    }

    /// Counts a request against the agent that it is for; operators are not counted.
    ///
    /// # Errors
    ///
    /// `rate_limited` with when to come back.
    pub(super) fn count(
        &mut self,
        server: &Server,
        named: Option<&AgentName>,
    ) -> Result<(), RpcError> {
        let Some(own) = &self.bucket else { return Ok(()) };
        let now = server.live().clock.elapsed_ms();
        let bucket = match named {
            Some(agent) if self.agents.contains(agent) => {
                self.buckets.entry(agent.clone()).or_insert_with(|| server.limits.bucket(agent))
            }
            Some(_) | None => own,
        };
        server.limits.pass(bucket, now)
    }

    /// Looks whether the caller may still be here when somebody else governs.
    ///
    /// # Errors
    ///
    /// `unauthorized` when not: the connection then ends.
    pub(super) fn look_again(&mut self, server: &Server) -> Result<(), RpcError> {
        let identity = server.identity();
        if Arc::ptr_eq(&identity, &self.identity) {
            return Ok(());
        }
        let may_stay = match self.side {
            Side::Agent => identity.is_agent(self.uid),
            Side::Helper => identity.is_helper(self.uid),
            Side::Operator => true,
        };
        if !may_stay {
            return Err(unauthorized("agents no longer run as your user"));
        }
        if let Some(before) = &self.operator {
            let now = identity.operator(self.uid).filter(|now| now.name == before.name);
            let now = now.ok_or_else(|| unauthorized("you are no longer an operator here"))?;
            // What was proved by a passphrase that was taken away is proved no longer.
            self.proof = self.proof.filter(|_| now.passphrase == before.passphrase);
            if let Some(proof) = &mut self.proof {
                proof.level = proof.level.min(identity.level_of(self.uid));
            }
            self.caller.role = Some(now.role);
            self.operator = Some(now.clone());
        }
        self.identity = identity;
        Ok(())
    }

    /// Looks now and then whether the token is still good.
    ///
    /// # Errors
    ///
    /// `unauthorized` when it has ended: the connection then ends too.
    pub(super) fn check_token(&mut self, server: &Server) -> Result<(), RpcError> {
        let Some(token) = &mut self.token else { return Ok(()) };
        let revocations = server.live().tokens_ended.load(Ordering::SeqCst);
        let now = server.live().clock.elapsed_ms();
        if token.revocations == revocations && now - token.looked_ms < TOKEN_GOOD_MS {
            return Ok(());
        }
        let owner = server.store.token_owner(&token.sha256)?;
        let Some(owner) = owner else { return Err(unauthorized("this token has ended")) };
        if let TokenOwner::Adapter(_, agents) = owner {
            self.agents = agents;
        }
        token.revocations = revocations;
        token.looked_ms = now;
        Ok(())
    }
}

/// Returns the home directory of a user, as the machine's own list has it.
fn home_of(uid: u32) -> Option<Arc<str>> {
    let users = std::fs::read_to_string("/etc/passwd").ok()?;
    let home = users.lines().find_map(|line| {
        let mut fields = line.split(':').skip(2);
        let is_theirs = fields.next()?.parse() == Ok(uid);
        is_theirs.then(|| fields.nth(2)).flatten()
    })?;
    home.starts_with('/').then(|| Arc::from(home))
}

/// Returns when a proof ends at the latest, on the wall clock.
pub(super) fn expires_at(server: &Server, proof: &Proof) -> mc_core::time::Timestamp {
    let clock = &server.live().clock;
    let left = (proof.since_ms + ABSOLUTE_MS - clock.elapsed_ms()).max(0);
    clock.now().plus(std::time::Duration::from_millis(left.unsigned_abs()))
}

pub(super) fn unauthorized(text: &str) -> RpcError {
    RpcError::new(ErrorKind::Unauthorized, text)
}
