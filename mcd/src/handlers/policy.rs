//! The policy: what a call would get, and how a version comes into force.

use std::sync::Arc;

use mc_core::{
    actor::Actor,
    alert::{AlertKind, AlertStatus, Severity},
    canonical,
    event::Event,
    money::MicroUsd,
    policy::{self, Call, Decision, Policy, World},
    refusal::Refusal,
};
use mc_proto::{
    limits::SHORT_BYTES,
    method::admin::{Findings, PolicyActivate, PolicyTest, PolicyVersion},
};

use super::{
    assigning,
    budget::{Caplist, Own, payer_on},
    input,
    notify::{self, Warning},
};
use crate::{
    caller::Caller,
    live::Live,
    store::{
        Desk,
        queries::{self, Fail, Reader},
    },
};

/// How the alert about a file begins that is not in force.
const DIFFERS: &str = "policy.toml differs from the policy in force";

/// `policy.activate`: in force for every later decision once it is recorded.
///
/// # Errors
///
/// `invalid_params` with the place of the first mistake, `conflict` when it is in force already.
pub fn activate(desk: &mut Desk<'_>, params: &PolicyActivate) -> Result<PolicyVersion, Fail> {
    let note = input::needed("note", &params.note, SHORT_BYTES)?;
    if let Err(findings) = crate::policy::parse(&params.toml) {
        let text = findings.first().map_or_else(String::new, |one| {
            format!("line {}, column {}: {}", one.line, one.column, one.message)
        });
        return Err(Refusal::invalid("toml", text).into());
    }
    let Some(version) = bring_into_force(desk, &params.toml, Some(note))? else {
        return Err(Refusal::conflict("this policy is in force already").into());
    };
    if let Some(file) = desk.live.policy_file() {
        compare_file(desk, &file)?;
    }
    queries::policy_version(desk.db, version)?
        .ok_or_else(|| Refusal::not_found(format_args!("policy `{version}`")).into())
}

/// Brings the file into force, as an act of whoever owns it. A text that was in force before is no
/// new edit: a person may have activated another one since, which a restart must not take back.
pub(super) fn activate_file(desk: &mut Desk<'_>, text: &str, by_uid: u32) -> Result<(), Fail> {
    let is_new = !queries::was_policy(desk.db, &canonical::sha256_hex(text.as_bytes()))?;
    if is_new {
        let note = format!("policy.toml, which uid {by_uid} owns");
        bring_into_force(desk, text, Some(note))?;
    }
    compare_file(desk, text)
}

/// Raises one alert while the file is not what is in force, and ends it when it is.
pub(super) fn compare_file(desk: &mut Desk<'_>, text: &str) -> Result<(), Fail> {
    let in_force = queries::policy(desk.db)?.map(|policy| policy.sha256);
    let differs = in_force != Some(canonical::sha256_hex(text.as_bytes()));
    let open = queries::open_alerts(desk.db, AlertKind::Security)?;
    let mut ours = open.into_iter().filter(|alert| alert.text.starts_with(DIFFERS));
    match (differs, ours.next()) {
        (true, None) => {
            let warning = Warning {
                severity: Severity::Warning,
                kind: AlertKind::Security,
                text: format!("{DIFFERS}, and does not count by itself"),
                next: "read `mcctl policy diff policy.toml`, then `mcctl policy activate policy.toml`",
                task: None,
                agent: None,
            };
            notify::raise(desk, warning)?;
        }
        (false, Some(alert)) => {
            let event = Event::AlertChanged {
                alert: alert.id,
                task: None,
                status: AlertStatus::Resolved,
                note: Some("the file is in force".to_owned()),
            };
            desk.emit_as(Actor::system("policy"), None, event)?;
        }
        (true, Some(_)) | (false, None) => {}
    }
    Ok(())
}

/// Records a new version; `None` when it is in force already.
fn bring_into_force(
    desk: &mut Desk<'_>,
    text: &str,
    note: Option<String>,
) -> Result<Option<i64>, Fail> {
    let sha256 = canonical::sha256_hex(text.as_bytes());
    let newest = queries::policy(desk.db)?;
    if newest.as_ref().is_some_and(|policy| policy.sha256 == sha256) {
        return Ok(None);
    }
    let version = newest.map_or(1, |policy| policy.version + 1);
    desk.emit(Event::PolicyActivated { version, sha256, text: text.to_owned(), note })?;
    Ok(Some(version))
}

/// `policy.validate`: what is wrong with a file; of one that would be taken, which of its rules of
/// assignment name agents that are not there, or that take no such task.
///
/// # Errors
///
/// When the store can't be read.
pub fn validate(db: Reader<'_>, toml: &str) -> Result<Findings, Fail> {
    let policy = match crate::policy::parse(toml) {
        Ok(policy) => policy,
        Err(findings) => return Ok(Findings { valid: false, findings }),
    };
    let remarks = assigning::remarks(db, &policy)?;
    let findings = remarks.iter().map(|one| mc_proto::findings::located(toml, one)).collect();
    Ok(Findings { valid: true, findings })
}

/// Returns the policy that is asked about: a candidate, or the one in force.
pub(super) fn candidate(live: &Live, toml: Option<&str>) -> Result<Arc<Policy>, Fail> {
    let Some(toml) = toml else { return Ok(live.policy()) };
    crate::policy::parse(toml).map(Arc::new).map_err(|findings| {
        let first = findings.first().map_or_else(String::new, |one| one.message.clone());
        Refusal::invalid("toml", first).into()
    })
}

/// `policy.test`: what a call would get; records nothing.
///
/// # Errors
///
/// `not_found` for an unknown agent or task, `invalid_params` for a candidate that is no policy.
pub fn test(
    db: Reader<'_>,
    live: &Live,
    caller: &Caller,
    params: &PolicyTest,
) -> Result<Decision, Fail> {
    let policy = candidate(live, params.toml.as_deref())?;
    let name = params.agent.as_ref().or(caller.agent.as_ref());
    let agent = match name {
        Some(name) => queries::agent(db, name)?,
        None => queries::agents(db, false)?.into_iter().next().ok_or_else(|| {
            Refusal::invalid("agent", "there is no agent yet: register one, or name one")
        })?,
    };
    let task = params.task.or(agent.current_task).map(|id| queries::task(db, id)).transpose()?;
    let squad = queries::squad_row(db)?;
    let of = (None, task.as_ref().map(|task| task.id));
    let payer = payer_on(db, live.day(), &agent, of)?;
    let set = queries::all_caps(db)?;
    let caps = Caplist { db, policy: &policy, set: &set };
    let budget = caps.standings(&agent, &payer, Own::WholeRun)?;
    let call = Call {
        tool: &params.tool,
        arguments: &params.arguments,
        cwd: params.cwd.as_deref().or(agent.workspace.as_deref()),
        home: caller.home.as_deref(),
        facts: policy::Facts::NONE,
    };
    let world = World {
        squad: &squad,
        agent: &agent,
        task: task.as_ref(),
        run: None,
        budget: &budget,
        estimate: MicroUsd::ZERO,
    };
    Ok(policy::decide(&policy, &call, &world))
}
