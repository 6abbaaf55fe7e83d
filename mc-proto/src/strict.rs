//! Strict JSON: duplicate keys, too many keys and too deep nesting are refused before a frame is
//! read, and what is common to all requests is taken out of the parameters on the way.

use std::{borrow::Cow, cell::RefCell, collections::HashSet, fmt};

use mc_core::agent::AgentName;
use serde::{
    Deserialize, Deserializer,
    de::{
        DeserializeOwned, DeserializeSeed, Error as _, IntoDeserializer, MapAccess, SeqAccess,
        Visitor,
    },
};
use serde_json::value::RawValue;

use crate::{
    limits::{JSON_DEPTH, JSON_KEYS},
    method::session::SecondFactor,
};

/// What any request may carry beside its own parameters.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Common {
    /// The same key and body give the first answer again.
    pub idempotency_key: Option<String>,
    /// The agent that an adapter speaks for.
    pub agent: Option<AgentName>,
    /// What lifts this one act of a human to L3.
    pub second_factor: Option<SecondFactor>,
}

/// What is wrong with some JSON, and under which key.
#[derive(Debug, thiserror::Error)]
pub struct Wrong {
    /// The key whose value is wrong, where it is one.
    pub at: Option<String>,
    /// What is wrong.
    #[source]
    pub error: serde_json::Error,
}

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.at {
            Some(key) => write!(f, "`{key}`: {}", self.error),
            None => write!(f, "{}", self.error),
        }
    }
}

/// Checks that `json` is one value without duplicate keys, too many keys or too deep nesting.
///
/// # Errors
///
/// What is wrong, with line and column.
pub fn check(json: &[u8]) -> Result<(), Wrong> {
    let mut deserializer = serde_json::Deserializer::from_slice(json);
    let at = RefCell::new(None);
    let checked = Shape { depth: 0, at: &at }
        .deserialize(&mut deserializer)
        .and_then(|()| deserializer.end());
    checked.map_err(|error| Wrong { at: at.into_inner(), error })
}

/// Reads the parameters of a method; `takes_agent` says that `agent` is a parameter of its own.
///
/// Absent parameters are read as an empty object.
///
/// # Errors
///
/// The first thing that is wrong, in serde's words, and the parameter where it is the value of one.
pub fn params<T: DeserializeOwned>(
    raw: Option<&RawValue>,
    takes_agent: bool,
) -> Result<(T, Common), Wrong> {
    let (mut common, mut at) = (Common::default(), None);
    let text = raw.map_or("{}", RawValue::get);
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let outer = Outer { inner: &mut deserializer, common: &mut common, at: &mut at, takes_agent };
    let read = T::deserialize(outer).and_then(|params| deserializer.end().map(|()| params));
    match read {
        Ok(params) => Ok((params, common)),
        Err(error) => Err(Wrong { at, error }),
    }
}

#[derive(Clone, Copy)]
struct Shape<'a> {
    depth: usize,
    /// Where the first wrong value is noted: under the innermost key.
    at: &'a RefCell<Option<String>>,
}

impl<'de> DeserializeSeed<'de> for Shape<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl Shape<'_> {
    fn deeper<E: serde::de::Error>(&self) -> Result<Self, E> {
        if self.depth >= JSON_DEPTH {
            return Err(E::custom(format!("nested deeper than {JSON_DEPTH}")));
        }
        Ok(Self { depth: self.depth + 1, ..*self })
    }
}

impl<'de> Visitor<'de> for Shape<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        while items.next_element_seed(self.deeper()?)?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        // Small objects are the rule: a scan beats hashing until there are many keys.
        let mut few: Vec<Cow<'de, str>> = Vec::new();
        let mut many: HashSet<Cow<'de, str>> = HashSet::new();
        while let Some(Key(key)) = map.next_key::<Key<'de>>()? {
            if few.contains(&key) || many.contains(&key) {
                return Err(A::Error::custom(format!("duplicate key `{key}`")));
            }
            if few.len() + many.len() >= JSON_KEYS {
                return Err(A::Error::custom(format!("more than {JSON_KEYS} keys in one object")));
            }
            map.next_value_seed(self.deeper()?).inspect_err(|_| {
                self.at.borrow_mut().get_or_insert_with(|| shown(&key));
            })?;
            if few.len() < 16 {
                few.push(key);
            } else {
                many.insert(key);
            }
        }
        Ok(())
    }
}

/// Returns a key as an error shows it.
fn shown(key: &str) -> String {
    key.chars().filter(|c| !c.is_control()).take(64).collect()
}

/// A key, borrowed from the input where it has no escapes.
#[derive(Deserialize)]
#[serde(transparent)]
struct Key<'a>(#[serde(borrow)] Cow<'a, str>);

/// Hands an object on without the keys that are common to all requests.
struct Outer<'a, D> {
    inner: D,
    common: &'a mut Common,
    at: &'a mut Option<String>,
    takes_agent: bool,
}

impl<'de, D: Deserializer<'de>> Deserializer<'de> for Outer<'_, D> {
    type Error = D::Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        let Self { inner, common, at, takes_agent } = self;
        inner.deserialize_map(OuterVisitor { visitor, common, at, takes_agent })
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 u8 u16 u32 u64 f32 f64 char str string bytes byte_buf option unit
        unit_struct newtype_struct seq tuple tuple_struct map struct enum identifier ignored_any
    }
}

struct OuterVisitor<'a, V> {
    visitor: V,
    common: &'a mut Common,
    at: &'a mut Option<String>,
    takes_agent: bool,
}

impl<'de, V: Visitor<'de>> Visitor<'de> for OuterVisitor<'_, V> {
    type Value = V::Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of named parameters")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<V::Value, A::Error> {
        let Self { visitor, common, at, takes_agent } = self;
        visitor.visit_map(OuterMap { map, common, at, key: Cow::Borrowed(""), takes_agent })
    }
}

struct OuterMap<'a, 'de, A> {
    map: A,
    common: &'a mut Common,
    /// Where the key of a value that is wrong is noted.
    at: &'a mut Option<String>,
    key: Cow<'de, str>,
    takes_agent: bool,
}

impl<'de, A: MapAccess<'de>> OuterMap<'_, 'de, A> {
    /// Reads a value that is common to all requests.
    fn own<T: Deserialize<'de>>(&mut self, key: &str) -> Result<T, A::Error> {
        self.map.next_value().inspect_err(|_| *self.at = Some(shown(key)))
    }
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for OuterMap<'_, 'de, A> {
    type Error = A::Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, A::Error> {
        while let Some(Key(key)) = self.map.next_key::<Key<'de>>()? {
            match key.as_ref() {
                "idempotency_key" => self.common.idempotency_key = Some(self.own(&key)?),
                "second_factor" => self.common.second_factor = Some(self.own(&key)?),
                "agent" if !self.takes_agent => self.common.agent = Some(self.own(&key)?),
                _ => {
                    self.key.clone_from(&key);
                    let key =
                        seed.deserialize(IntoDeserializer::<A::Error>::into_deserializer(key));
                    return key.map(Some);
                }
            }
        }
        Ok(None)
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, A::Error> {
        self.map.next_value_seed(seed).inspect_err(|_| *self.at = Some(shown(&self.key)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Some2 {
        a: i64,
        #[serde(default)]
        b: Option<String>,
    }

    fn raw(text: &str) -> Box<RawValue> {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn duplicate_keys_are_refused_at_every_depth() {
        assert!(check(br#"{"a":1,"b":{"c":1,"d":2}}"#).is_ok());
        assert!(check(br#"{"a":1,"a":2}"#).is_err());
        assert!(check(br#"{"x":[{"a":1,"a":2}]}"#).is_err());
        assert!(check(br#"{"a":1,"\u0061":2}"#).is_err(), "escapes do not hide a key");
    }

    #[test]
    fn depth_and_keys_end_at_their_limits() {
        let nested = |n: usize| format!("{}{}", "[".repeat(n), "]".repeat(n));
        assert!(check(nested(JSON_DEPTH).as_bytes()).is_ok());
        assert!(check(nested(JSON_DEPTH + 2).as_bytes()).is_err());
        let object = |n: usize| {
            let keys: Vec<String> = (0..n).map(|i| format!("\"k{i}\":0")).collect();
            format!("{{{}}}", keys.join(","))
        };
        assert!(check(object(JSON_KEYS).as_bytes()).is_ok());
        assert!(check(object(JSON_KEYS + 1).as_bytes()).is_err());
        assert!(check(b"{} {}").is_err(), "one value only");
    }

    #[test]
    fn the_key_of_a_wrong_value_is_named() {
        let at = |text: &str| params::<Some2>(Some(&raw(text)), false).unwrap_err().at;
        for text in [r#"{"a":0.5}"#, r#"{"a":"1"}"#, r#"{"b":"x","a":9223372036854775808}"#] {
            assert_eq!(at(text).as_deref(), Some("a"), "{text}");
        }
        assert_eq!(at(r#"{"a":1,"b":7}"#).as_deref(), Some("b"));
        assert_eq!(at(r#"{"a":1,"idempotency_key":7}"#).as_deref(), Some("idempotency_key"));
        assert_eq!(at("{}"), None, "no value is wrong");
        let wrong = check(br#"{"x":{"cost":1e400,"y":0}}"#).unwrap_err();
        assert_eq!(wrong.at.as_deref(), Some("cost"));
        assert!(wrong.to_string().starts_with("`cost`: number out of range"), "{wrong}");
    }

    #[test]
    fn common_keys_are_taken_out_and_unknown_ones_refused() {
        let given = raw(r#"{"idempotency_key":"k","a":7,"agent":"wren","b":"x"}"#);
        let (some, common) = params::<Some2>(Some(&given), false).unwrap();
        assert_eq!(some, Some2 { a: 7, b: Some("x".into()) });
        assert_eq!(common.idempotency_key.as_deref(), Some("k"));
        assert_eq!(common.agent.unwrap().as_str(), "wren");
        assert!(params::<Some2>(Some(&given), true).is_err(), "`agent` is unknown to the method");
        assert!(params::<Some2>(Some(&raw(r#"{"a":1,"z":1}"#)), false).is_err());
        assert!(params::<Some2>(Some(&raw("[7]")), false).is_err());
    }
}
