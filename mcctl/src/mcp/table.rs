//! The tools: one row for each method that a model may call. Names, sentences and schemas are
//! those of the wire; nothing is described a second time.

use std::{future::Future, pin::Pin, sync::Arc};

use mc_proto::{
    error::RpcError,
    method::{
        Kind, Method, MethodInfo, admin, agent, approval, params, run, session, squad, task, thread,
    },
};
use rmcp::model::{JsonObject, Tool, ToolAnnotations};
use schemars::generate::SchemaSettings;
use serde_json::{Value, value::RawValue};

use super::link::{Link, Trouble};

/// The answer to a call, on its way.
pub(super) type Answer<'a> = Pin<Box<dyn Future<Output = Result<Value, Trouble>> + Send + 'a>>;

/// A method as a tool.
#[derive(Debug, Clone, Copy)]
pub(super) struct Row {
    info: MethodInfo,
    /// Calls it with these arguments.
    pub(super) call: for<'a> fn(&'a Link, JsonObject) -> Answer<'a>,
}

/// Every tool there is.
pub(super) const TOOLS: &[Row] = &[
    row::<agent::Heartbeat>(),
    row::<session::Whoami>(),
    row::<task::List>(),
    row::<task::Get>(),
    row::<task::Create>(),
    row::<task::Update>(),
    row::<task::Claim>(),
    row::<task::Start>(),
    row::<task::Submit>(),
    row::<task::RequestChanges>(),
    row::<task::ReportBlocker>(),
    row::<task::Subscribe>(),
    row::<task::Unsubscribe>(),
    row::<task::Timeline>(),
    row::<task::AnswersGet>(),
    row::<thread::Post>(),
    row::<thread::MessageList>(),
    row::<thread::ArtifactPut>(),
    row::<thread::ArtifactGet>(),
    row::<approval::Ask>(),
    row::<approval::List>(),
    row::<approval::Get>(),
    row::<approval::Cancel>(),
    row::<run::Check>(),
    row::<run::Await>(),
    row::<run::Drop>(),
    row::<run::ToolFinish>(),
    row::<admin::PolicyTest>(),
    row::<squad::BudgetGet>(),
    row::<squad::StatusGet>(),
    row::<squad::NotificationList>(),
    row::<squad::NotificationAck>(),
];

const fn row<M>() -> Row
where
    M: Method + Send + Sync + 'static,
    M::Result: Send,
{
    Row { info: M::INFO, call: call::<M> }
}

fn call<M>(link: &Link, arguments: JsonObject) -> Answer<'_>
where
    M: Method + Send + Sync + 'static,
    M::Result: Send,
{
    Box::pin(async move {
        let (call, common) = read::<M>(arguments)?;
        let result = link.call(&call, common.idempotency_key).await?;
        serde_json::to_value(result).map_err(Trouble::answer::<M>)
    })
}

fn read<M: Method>(arguments: JsonObject) -> Result<(M, mc_proto::strict::Common), RpcError> {
    let text = Value::Object(arguments).to_string();
    let raw: &RawValue = serde_json::from_str(&text)
        .map_err(|error| RpcError::invalid("arguments", error.to_string()))?;
    params::<M>(Some(raw))
}

/// Returns the tool of a name.
pub(super) fn find(name: &str) -> Option<&'static Row> {
    TOOLS.iter().find(|row| row.name() == name)
}

impl Row {
    /// Returns its name: the method's, with the one sign that every client takes between words.
    pub(super) fn name(&self) -> String {
        self.info.name.replace('.', "_")
    }

    /// Describes it to a client.
    pub(super) fn tool(&self) -> Tool {
        let reads = self.info.kind == Kind::Query;
        let hints = ToolAnnotations::new()
            .read_only(reads)
            .idempotent(reads)
            .destructive(false)
            .open_world(false);
        Tool::new(self.name(), self.info.doc, Arc::new(self.schema())).with_annotations(hints)
    }

    /// Returns the schema of its arguments, in one piece: not every client follows references.
    fn schema(&self) -> JsonObject {
        let settings = SchemaSettings::draft2020_12().with(|settings| {
            settings.inline_subschemas = true;
            settings.meta_schema = None;
        });
        let mut schema = (self.info.params)(&mut settings.into_generator()).to_value();
        without_null(&mut schema);
        let mut fields = schema.as_object().cloned().unwrap_or_default();
        // What it is for stands in the tool's description; this is the name of the type.
        fields.remove("description");
        fields.remove("title");
        fields
    }
}

/// Takes `null` out of what a field may be: fields are left out instead, and some clients know
/// one type only.
fn without_null(schema: &mut Value) {
    match schema {
        Value::Object(fields) => {
            if let Some(Value::Array(types)) = fields.get_mut("type") {
                types.retain(|kind| kind != "null");
                if let [one] = types.as_slice() {
                    let one = one.clone();
                    fields.insert("type".to_owned(), one);
                }
            }
            if let Some(Value::Array(any)) = fields.get_mut("anyOf") {
                any.retain(|one| one.get("type").is_none_or(|kind| kind != "null"));
                if let [one] = any.as_slice() {
                    let one = one.clone();
                    fields.remove("anyOf");
                    for (name, value) in one.as_object().into_iter().flatten() {
                        // What is said about the field goes before what is said about its type.
                        fields.entry(name).or_insert_with(|| value.clone());
                    }
                }
            }
            fields.retain(|name, value| !(name == "default" && value.is_null()));
            fields.values_mut().for_each(without_null);
        }
        Value::Array(items) => items.iter_mut().for_each(without_null),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}
