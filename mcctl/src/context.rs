//! What every command has at hand: the options, the connection (made when it is first needed) and
//! the output.

use mc_core::time::Timestamp;
use mc_proto::method::Method;
use serde::Serialize;

use crate::{
    cli::Global,
    failure::{Exit, Failure},
    output::{self, Reader},
    session::Session,
};

/// The surroundings of one command.
#[derive(Debug)]
pub(crate) struct Context {
    global: Global,
    reader: Reader,
    session: Option<Session>,
}

impl Context {
    /// Returns the surroundings; nothing is connected yet.
    pub(crate) fn new(global: Global) -> Self {
        let reader = if global.json { Reader::Program } else { Reader::Person };
        Self { global, reader, session: None }
    }

    /// Returns the options that every command takes.
    pub(crate) fn global(&self) -> &Global {
        &self.global
    }

    /// Says whether a program reads the output.
    pub(crate) fn is_json(&self) -> bool {
        self.reader == Reader::Program
    }

    /// Has no answer take longer than `seconds`; for what can't wait.
    pub(crate) fn hurry(&mut self, seconds: u64) {
        self.global.timeout = self.global.timeout.min(seconds);
    }

    /// Returns the connection; connects first, if need be.
    ///
    /// # Errors
    ///
    /// When there is no connection to be had.
    pub(crate) fn session(&mut self) -> Result<&mut Session, Failure> {
        let session = match self.session.take() {
            Some(session) => session,
            None => Session::open(&self.global)?,
        };
        Ok(self.session.insert(session))
    }

    /// Sends `call` and returns its result.
    ///
    /// # Errors
    ///
    /// What the daemon refuses, or that it is not there.
    pub(crate) fn call<M: Method>(&mut self, call: &M) -> Result<M::Result, Failure> {
        self.session()?.call(call)
    }

    /// Returns the daemon's clock as of the hello.
    ///
    /// # Errors
    ///
    /// When there is no connection to be had.
    pub(crate) fn now(&mut self) -> Result<Timestamp, Failure> {
        Ok(self.session()?.greeting().now)
    }

    /// Returns the name of the connection.
    ///
    /// # Errors
    ///
    /// When there is no connection to be had.
    pub(crate) fn connection(&mut self) -> Result<String, Failure> {
        Ok(self.session()?.greeting().connection.clone())
    }

    /// Prints `value`: as JSON, or for a person as `view` shows it.
    ///
    /// # Errors
    ///
    /// When standard output does not take it.
    pub(crate) fn print<T: Serialize>(
        &self,
        value: &T,
        view: impl FnOnce(&T) -> String,
    ) -> Result<(), Failure> {
        match self.reader {
            Reader::Program => output::json(value),
            Reader::Person => output::text(&view(value)),
        }
    }

    /// Sends `call` and prints its result.
    ///
    /// # Errors
    ///
    /// What the daemon refuses, or that it is not there.
    pub(crate) fn show<M: Method>(
        &mut self,
        call: &M,
        view: impl FnOnce(&M::Result, Timestamp) -> String,
    ) -> Result<Exit, Failure> {
        let result = self.call(call)?;
        let now = self.now()?;
        self.print(&result, |result| view(result, now))?;
        Ok(Exit::Done)
    }
}
