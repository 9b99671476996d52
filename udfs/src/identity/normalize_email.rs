//! `normalize_email(email [, rules])`: an address in the form that it is compared and hashed in.
//!
//! Blanks round it go, the rest becomes lower case. The shape is checked: a dot-string of RFC 5321 (at most 64 bytes)
//! with letters of any script (RFC 6531), an `@`, and a host name of at least two labels whose last is not a number.
//! Quoted local parts and addresses of hosts by number are taken for mistakes.
//!
//! With the rules `provider` addresses that reach the same mailbox become one, as the providers document it: at Gmail
//! dots do not count and googlemail.com is gmail.com; what follows a `+` is dropped at Gmail, Outlook, Hotmail, Live,
//! iCloud, Fastmail and Proton. Other hosts keep their `+`, which may be part of a name there.
//!
//! * NULL, and what is not an address: NULL. Never the empty text.
//! * Cost: O(length).

use datafusion_common::arrow::datatypes::DataType;
use datafusion_common::{Result, ScalarValue, plan_err};
use datafusion_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDFImpl};
use datafusion_macros::user_doc;

use super::texts::{rewritten, text_types};
use crate::InvalidArgument;
use crate::named::named;
use crate::rows::evaluate;

/// The function `normalize_email`.
#[user_doc(
    doc_section(label = "Identity Functions"),
    description = "Returns an e-mail address in lower case without blanks round it, or NULL if it is none. By the rules of its provider also without the dots that Gmail ignores, and without what follows a + where providers ignore it.",
    syntax_example = "normalize_email(email [, rules])",
    sql_example = r#"```sql
> SELECT normalize_email(' Ada.L+news@GoogleMail.com ') AS plain, normalize_email('Ada.L+news@GoogleMail.com', 'provider') AS mailbox, normalize_email('ada@localhost') AS none;
+---------------------------+----------------+------+
| plain                     | mailbox        | none |
+---------------------------+----------------+------+
| ada.l+news@googlemail.com | adal@gmail.com |      |
+---------------------------+----------------+------+
```"#,
    argument(name = "email", description = "The address, text."),
    argument(
        name = "rules",
        description = "A constant: plain (the default), or provider for addresses that reach the same mailbox."
    )
)]
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct NormalizeEmail;

const NAME: &str = "normalize_email";

impl ScalarUDFImpl for NormalizeEmail {
    named!(NAME);

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Utf8)
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        text_types(NAME, types, 1, 2)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let provider = match args.args.get(1) {
            None => false,
            Some(ColumnarValue::Scalar(ScalarValue::Utf8View(Some(rules)))) => match rules.as_str() {
                "plain" => false,
                "provider" => true,
                other => {
                    let message = format!("{NAME}: unknown rules \"{other}\", there are plain and provider");
                    return Err(InvalidArgument::error(message));
                }
            },
            Some(_) => return Err(InvalidArgument::error(format!("{NAME}: the rules have to be a constant text"))),
        };
        evaluate(&args, |columns| match columns.first() {
            Some(emails) => Ok(rewritten(emails, |email, result| normalized(email, provider, result))),
            None => plan_err!("{NAME} takes an address"),
        })
    }
}

fn normalized(email: &str, provider: bool, result: &mut String) -> bool {
    let email = email.trim();
    let Some((local, host)) = email.split_once('@') else { return false };
    if !is_local(local) || !is_host(host) {
        return false;
    }
    if email.is_ascii() {
        result.push_str(email);
        result.make_ascii_lowercase();
    } else {
        result.push_str(&email.to_lowercase());
    }
    if provider { mailbox(result) } else { true }
}

/// One mailbox for all its addresses.
fn mailbox(email: &mut String) -> bool {
    let Some((local, host)) = email.split_once('@') else { return false };
    let gmail = matches!(host, "gmail.com" | "googlemail.com");
    let tags = gmail
        || matches!(
            host,
            "outlook.com"
                | "hotmail.com"
                | "live.com"
                | "icloud.com"
                | "me.com"
                | "mac.com"
                | "fastmail.com"
                | "proton.me"
                | "protonmail.com"
                | "pm.me"
        );
    if !tags {
        return true;
    }
    let name = local.split('+').next().unwrap_or_default();
    let name = if gmail { name.replace('.', "") } else { name.to_owned() };
    let host = if gmail { "gmail.com" } else { host };
    let found = !name.is_empty();
    *email = format!("{name}@{host}");
    found
}

/// Words parted by single dots.
fn is_local(local: &str) -> bool {
    local.len() <= 64
        && local.split('.').all(|word| {
            let known = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-/=?^_`{|}~".contains(c);
            !word.is_empty() && word.chars().all(|c| known(c) || !c.is_ascii() && c.is_alphanumeric())
        })
}

/// At least two labels, the last of them not a number.
fn is_host(host: &str) -> bool {
    let label = |label: &str| {
        let inner = |c: char| c.is_alphanumeric() || c == '-';
        (1..=63).contains(&label.len()) && label.chars().all(inner) && !label.starts_with('-') && !label.ends_with('-')
    };
    let last = host.rsplit('.').next().unwrap_or_default();
    host.len() <= 253
        && host.contains('.')
        && host.split('.').all(label)
        && last.chars().count() >= 2
        && !last.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(email: &str, provider: bool) -> Option<String> {
        let mut result = String::new();
        normalized(email, provider, &mut result).then_some(result)
    }

    #[test]
    fn what_is_an_address() {
        for (email, expected) in [
            (" Ada@Example.COM\n", "ada@example.com"),
            ("o'neil+x@a-b.co.uk", "o'neil+x@a-b.co.uk"),
            ("ÉLODIE@Été.fr", "élodie@été.fr"),
            ("a@1und1.de", "a@1und1.de"),
        ] {
            assert_eq!(of(email, false).as_deref(), Some(expected));
        }
        let long = format!("{}@example.com", "x".repeat(65));
        for bad in [
            "",
            " ",
            "@",
            "ada",
            "ada@",
            "@example.com",
            "a@b",
            "a@b.c",
            "a b@example.com",
            "a..b@example.com",
            ".a@example.com",
            "a.@example.com",
            "a@@example.com",
            "a@b@example.com",
            "a@-b.com",
            "a@b-.com",
            "a@b..com",
            "a@b.com.",
            "a@127.0.0.1",
            "\"a b\"@example.com",
            "a@exa_mple.com",
            "a,b@example.com",
            &long,
        ] {
            assert_eq!(of(bad, false), None, "{bad}");
        }
    }

    #[test]
    fn one_mailbox_has_one_address() {
        for (email, expected) in [
            ("A.d.a+x+y@gmail.com", Some("ada@gmail.com")),
            ("ada@googlemail.com", Some("ada@gmail.com")),
            ("a.da+x@outlook.com", Some("a.da@outlook.com")),
            ("a.da+x@example.com", Some("a.da+x@example.com")),
            ("+x@gmail.com", None),
        ] {
            assert_eq!(of(email, true).as_deref(), expected);
        }
    }
}
