//! Values from what is typed and from what programs print.

use std::collections::BTreeMap;

use ceremony::script::Word;
use chrono::NaiveTime;
use key_metadata::Time;
use serde_json::Value;

/// The longest value that a variable has, in characters; our choice, far below what a line of the log takes.
const LONGEST: usize = 4000;

/// What a wall clock shows: a date and a time, or a time of the day that is nearest to `machine`.
pub fn wall_time(text: &str, machine: Time) -> Option<Time> {
    let text = text.trim().trim_end_matches('Z');
    if let Ok(time) = format!("{}Z", text.replacen(' ', "T", 1)).parse() {
        return Some(time);
    }
    let time = NaiveTime::parse_from_str(text, "%H:%M:%S")
        .or_else(|_| NaiveTime::parse_from_str(text, "%H:%M"))
        .ok()?;
    let machine = machine.to_utc();
    let days = [-1, 0, 1].map(|days| machine.date_naive() + chrono::TimeDelta::days(days));
    let near = days.map(|day| day.and_time(time).and_utc());
    near.into_iter()
        .min_by_key(|near| (*near - machine).num_seconds().abs())
        .map(Time::from)
}

/// The values at JSON pointers of what a program printed. The name of one that is not there, or is no text, number or word.
pub fn taken(printed: &[u8], values: &BTreeMap<Word, String>) -> Result<BTreeMap<String, String>, String> {
    if values.is_empty() {
        return Ok(BTreeMap::new());
    }
    let json: Value =
        serde_json::from_slice(printed).map_err(|error| format!("what it printed is no JSON: {error}"))?;
    let take = |(name, pointer): (&Word, &String)| {
        let value = match json.pointer(pointer) {
            Some(Value::String(text)) => text.clone(),
            Some(Value::Number(number)) => number.to_string(),
            Some(Value::Bool(word)) => word.to_string(),
            Some(Value::Null | Value::Array(_) | Value::Object(_)) | None => {
                return Err(format!("what it printed has no value at '{pointer}' for {name}"));
            }
        };
        if value.chars().count() > LONGEST {
            return Err(format!(
                "the value at '{pointer}' for {name} is longer than {LONGEST} characters"
            ));
        }
        Ok((name.to_string(), value))
    };
    values.iter().map(take).collect()
}
