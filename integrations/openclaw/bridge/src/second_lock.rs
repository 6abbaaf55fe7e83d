//! The second lock: the gateway's own questions before commands. Each gets a yes only when the
//! daemon confirms that it has just allowed exactly this command; whatever else happens is a no.

use mc_core::{agent::AgentName, policy::Outcome};
use mc_proto::{
    client::{CallOptions, Client, ClientError},
    method::run::{Confirm, Confirmed},
};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    gateway::Calls,
    orders::{Agents, agent_of},
};

/// A question of the gateway.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
struct Question {
    id: String,
    request: Asked,
}

/// What it is about.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Asked {
    command: String,
    cwd: Option<String>,
    host: Option<String>,
    agent_id: Option<String>,
    session_key: Option<String>,
    run_id: Option<String>,
    tool_call_id: Option<String>,
}

/// Who confirms.
pub trait Confirms: Send + Sync {
    /// Asks whether `agent` may run this command.
    fn confirm(
        &self,
        agent: AgentName,
        question: &Confirm,
    ) -> impl Future<Output = Result<Confirmed, ClientError>> + Send;
}

impl Confirms for Client {
    async fn confirm(
        &self,
        agent: AgentName,
        question: &Confirm,
    ) -> Result<Confirmed, ClientError> {
        self.call_with(question, &CallOptions::for_agent(agent)).await
    }
}

/// Answers one question as the daemon says; without a daemon the answer is no.
pub async fn answer<C: Calls, D: Confirms>(
    gateway: &C,
    daemon: Option<&D>,
    (agents, question): (&Agents, Value),
) {
    let id = question.get("id").and_then(Value::as_str).map(str::to_owned);
    let Some(id) = id else {
        return tracing::error!("a question without a number; it stays without an answer");
    };
    let verdict = judge(daemon, (agents, question)).await;
    let decision = match &verdict {
        Ok(reason) => {
            tracing::info!(%id, %reason, "allowed once");
            "allow-once"
        }
        Err(reason) => {
            tracing::warn!(%id, %reason, "denied");
            "deny"
        }
    };
    let params = json!({ "id": id, "decision": decision });
    if let Err(error) = gateway.call("exec.approval.resolve", params).await {
        // An answer that does not arrive is a no: the question runs out.
        tracing::warn!(%id, %error, "the answer was not taken");
    }
}

/// Returns why a question is answered yes, or why no.
async fn judge<D: Confirms>(
    daemon: Option<&D>,
    (agents, question): (&Agents, Value),
) -> Result<String, String> {
    let question: Question =
        serde_json::from_value(question).map_err(|error| format!("not understood: {error}"))?;
    let asked = question.request;
    if asked.host.as_deref() != Some("gateway") {
        return Err(format!("commands on {:?} are not judged", asked.host.unwrap_or_default()));
    }
    let session = asked.session_key.ok_or("it names no session")?;
    let id = asked.agent_id.unwrap_or_else(|| agent_of(&session).to_owned());
    let agent = agents.name(&id).ok_or_else(|| format!("`{id}` is no agent of the squad"))?;
    let confirm = Confirm {
        request: question.id,
        external_run: asked.run_id.ok_or("it names no run")?,
        external_id: asked.tool_call_id.ok_or("it names no call")?,
        session,
        command: asked.command,
        cwd: asked.cwd,
    };
    let daemon = daemon.ok_or("the daemon is away")?;
    match daemon.confirm(agent.clone(), &confirm).await {
        Ok(Confirmed { decision: Outcome::Allow, reason, .. }) => Ok(reason),
        Ok(Confirmed { reason, .. }) => Err(reason),
        Err(error) => Err(error.to_string()),
    }
}

/// Answers what is open: questions from before the bridge came, and those that found no room.
pub async fn answer_open<C: Calls, D: Confirms>(gateway: &C, daemon: Option<&D>, agents: &Agents) {
    let open = match gateway.call("exec.approval.list", json!({})).await {
        Ok(Value::Array(open)) => open,
        Ok(_) => return tracing::warn!("the list of open questions is not understood"),
        Err(error) => return tracing::debug!(%error, "the open questions can't be listed"),
    };
    for question in open {
        answer(gateway, daemon, (agents, question)).await;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;
    use crate::gateway::GatewayError;

    #[derive(Default)]
    struct Gateway {
        open: Vec<Value>,
        answers: Mutex<Vec<String>>,
    }

    impl Calls for Gateway {
        async fn call(&self, method: &str, params: Value) -> Result<Value, GatewayError> {
            if method == "exec.approval.resolve" {
                let decision = params["decision"].as_str().unwrap().to_owned();
                self.answers.lock().unwrap().push(decision);
            }
            Ok(Value::Array(self.open.clone()))
        }
    }

    struct Daemon(Result<Outcome, ()>);

    impl Confirms for Daemon {
        async fn confirm(
            &self,
            agent: AgentName,
            question: &Confirm,
        ) -> Result<Confirmed, ClientError> {
            assert_eq!(agent.as_str(), "wren");
            assert_eq!(question.external_run, "run-1");
            assert_eq!(question.external_id, "call-1");
            assert_eq!(question.command, "ls");
            let decision = self.0.map_err(|()| ClientError::Lost)?;
            Ok(Confirmed { decision, call: None, reason: "so".to_owned() })
        }
    }

    fn question() -> Value {
        json!({"id": "q-1", "request": {"command": "ls", "cwd": "/w", "host": "gateway",
            "agentId": "main", "sessionKey": "agent:main:main", "runId": "run-1",
            "toolCallId": "call-1"}})
    }

    async fn answered(daemon: Option<&Daemon>, question: Value) -> Vec<String> {
        let gateway = Gateway { open: vec![question.clone()], ..Gateway::default() };
        let agents = Agents::parse("main=wren").unwrap();
        answer(&gateway, daemon, (&agents, question)).await;
        answer_open(&gateway, daemon, &agents).await;
        gateway.answers.into_inner().unwrap()
    }

    #[tokio::test]
    async fn only_a_clear_yes_of_the_daemon_is_a_yes() {
        let yes = Daemon(Ok(Outcome::Allow));
        assert_eq!(answered(Some(&yes), question()).await, ["allow-once", "allow-once"]);
        for daemon in [Daemon(Ok(Outcome::Deny)), Daemon(Ok(Outcome::Ask)), Daemon(Err(()))] {
            assert_eq!(answered(Some(&daemon), question()).await, ["deny", "deny"]);
        }
        assert_eq!(answered(None, question()).await, ["deny", "deny"], "no daemon");
    }

    #[tokio::test]
    async fn a_question_that_is_not_whole_is_a_no() {
        let yes = Daemon(Ok(Outcome::Allow));
        for (field, value) in [
            ("host", json!("node")),
            ("host", Value::Null),
            ("agentId", json!("stranger")),
            ("sessionKey", Value::Null),
            ("runId", Value::Null),
            ("toolCallId", Value::Null),
            ("command", json!(1)),
        ] {
            let mut question = question();
            question["request"][field] = value.clone();
            assert_eq!(answered(Some(&yes), question).await, ["deny", "deny"], "{field} {value}");
        }
        assert!(answered(Some(&yes), json!({"request": {}})).await.is_empty(), "nothing to answer");
    }
}
