//! Functions about the session and the server: who, where, since when, with which settings.
//!
//! Each file is one function, named as in SQL. A session registers its own set ([`all`]), bound to its
//! [`SessionFacts`], so that nothing of one session is seen by another.
//!
//! To add one: a file with a `function(&Arc<SessionFacts>)` that describes a [`SessionFunction`], a `mod` line and an
//! entry in [`all`].

mod current_database;
mod current_schema;
mod current_schemas;
mod current_setting;
mod current_user;
mod pg_advisory_unlock_all;
mod pg_backend_pid;
mod pg_cancel_backend;
mod pg_client_encoding;
mod pg_encoding_to_char;
mod pg_is_in_recovery;
mod pg_is_other_temp_schema;
mod pg_my_temp_schema;
mod pg_postmaster_start_time;
mod pg_size_pretty;
mod pg_sleep;
mod pg_terminate_backend;
mod pg_typeof;
mod quote_ident;
mod quote_literal;
mod session_function;
mod session_user;
mod set_config;
mod version;

use std::sync::Arc;

use catalog::objects::ObjectId;
use chrono::{DateTime, Utc};
use datafusion::logical_expr::ScalarUDF;
use parking_lot::RwLock;

use self::session_function::SessionFunction;
use super::Asker;
use super::notices::Notices;
use super::settings::Values;
use crate::engine::activity::Activity;

/// What the functions know of their session.
#[derive(Debug)]
pub(crate) struct SessionFacts {
    /// The database's name.
    pub(crate) database: String,
    /// The session's number.
    pub(crate) pid: i32,
    /// The session's settings, as they are when a function is called.
    pub(crate) settings: Arc<RwLock<Values>>,
    /// The schemas of `search_path` that exist, as the running statement sees them.
    pub(crate) path: Arc<RwLock<Vec<String>>>,
    /// The schema of the session's temporary tables, number and name, as the running statement sees it.
    pub(crate) temporary: Arc<RwLock<Option<(ObjectId, String)>>>,
    /// The live sessions.
    pub(crate) activity: Arc<Activity>,
    /// Who asks.
    pub(crate) asker: Asker,
    /// What the user is told besides results.
    pub(crate) notices: Notices,
    /// When the server started.
    pub(crate) started: DateTime<Utc>,
}

/// The functions of one session. They take the place of DataFusion's of the same names (`version()`).
pub(crate) fn all(facts: SessionFacts) -> Vec<Arc<ScalarUDF>> {
    let facts = Arc::new(facts);
    let functions = [
        current_database::function(&facts),
        current_schema::function(&facts),
        current_schemas::function(&facts),
        current_setting::function(&facts),
        current_user::function(&facts),
        pg_advisory_unlock_all::function(&facts),
        pg_backend_pid::function(&facts),
        pg_cancel_backend::function(&facts),
        pg_client_encoding::function(&facts),
        pg_encoding_to_char::function(&facts),
        pg_is_in_recovery::function(&facts),
        pg_is_other_temp_schema::function(&facts),
        pg_my_temp_schema::function(&facts),
        pg_postmaster_start_time::function(&facts),
        pg_size_pretty::function(&facts),
        pg_typeof::function(&facts),
        quote_ident::function(&facts),
        quote_literal::function(&facts),
        session_user::function(&facts),
        set_config::function(&facts),
        version::function(&facts),
    ];
    let functions = functions
        .into_iter()
        .map(ScalarUDF::from)
        .chain([pg_sleep::function(), pg_terminate_backend::function(&facts)]);
    functions.map(Arc::new).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use datafusion::arrow::array::AsArray;
    use datafusion::logical_expr::registry::FunctionRegistry;
    use datafusion::prelude::SessionContext;

    use super::*;
    use crate::session::settings::{Scope, Settings};

    fn facts(settings: &Settings) -> SessionFacts {
        SessionFacts {
            database: "audience".to_owned(),
            pid: 7,
            settings: settings.shared(),
            path: Arc::new(RwLock::new(vec!["segments".to_owned(), "public".to_owned()])),
            temporary: Arc::new(RwLock::new(Some((77, "pg_temp_77".to_owned())))),
            activity: Arc::default(),
            asker: Asker::of("ana", settings),
            notices: Notices::default(),
            started: DateTime::from_timestamp(1_700_000_000, 0).unwrap(),
        }
    }

    fn context(settings: &Settings) -> SessionContext {
        let facts = facts(settings);
        let mut context = SessionContext::new();
        for function in all(facts) {
            FunctionRegistry::register_udf(&mut context, function).unwrap();
        }
        context
    }

    /// The value of an expression, cast to text; `NULL` for null.
    async fn value(context: &SessionContext, expression: &str) -> datafusion::error::Result<String> {
        let batches = context.sql(&format!("SELECT arrow_cast({expression}, 'Utf8')")).await?.collect().await?;
        let column = batches[0].column(0).as_string::<i32>().iter().next().flatten().map(str::to_owned);
        Ok(column.unwrap_or_else(|| "NULL".to_owned()))
    }

    #[test]
    fn names_are_unique() {
        let settings = Settings::new("ana", false);
        let facts = facts(&settings);
        let mut seen = HashSet::new();
        for function in all(facts) {
            assert!(seen.insert(function.name().to_owned()), "{}", function.name());
            for alias in function.aliases() {
                assert!(seen.insert(alias.clone()), "{alias}");
            }
        }
    }

    #[tokio::test]
    async fn functions_tell_the_facts() {
        let context = context(&Settings::new("ana", false));
        for (expression, expected) in [
            ("current_user", "ana"),
            ("session_user", "ana"),
            ("current_catalog", "audience"),
            ("current_schema()", "segments"),
            ("current_schemas(true)[1]", "pg_temp_77"),
            ("current_schemas(true)[2]", "pg_catalog"),
            ("pg_my_temp_schema()", "77"),
            ("current_schemas(false)[2]", "public"),
            ("pg_backend_pid()", "7"),
            ("pg_is_in_recovery()", "false"),
            ("pg_client_encoding()", "UTF8"),
            ("pg_encoding_to_char(6)", "UTF8"),
            ("pg_typeof(1)", "bigint"),
            ("pg_typeof(ARRAY['a'])", "text[]"),
            ("pg_typeof(NULL)", "unknown"),
            ("current_setting('DATESTYLE')", "ISO, MDY"),
            ("current_setting('no.such', true)", "NULL"),
            ("quote_ident('Vip')", "\"Vip\""),
            ("quote_literal('it''s')", "'it''s'"),
            ("pg_size_pretty(20480)", "20 kB"),
        ] {
            assert_eq!(value(&context, expression).await.unwrap(), expected, "{expression}");
        }
        assert!(value(&context, "version()").await.unwrap().starts_with("PostgreSQL 15.8 (AudienceDB "));
        let started = value(&context, "pg_postmaster_start_time()").await.unwrap();
        assert!(started.starts_with("2023-11-14T22:13:20"), "{started}");
        let error = value(&context, "current_setting('no_such')").await.unwrap_err();
        assert_eq!(crate::Error::from(error).sqlstate.0, "42704");
    }

    #[tokio::test]
    async fn a_changed_setting_is_seen_by_the_next_call() {
        let mut settings = Settings::new("ana", false);
        let context = context(&settings);
        settings.set("application_name", Some("psql"), Scope::Session).unwrap();
        let expression = "current_setting('application_name')";
        assert_eq!(value(&context, expression).await.unwrap(), "psql");
    }

    #[tokio::test]
    async fn sleep_takes_its_time_and_can_be_cut_short() {
        let context = context(&Settings::new("ana", false));
        let started = std::time::Instant::now();
        let slept = context.sql("SELECT pg_sleep(0.05)").await.unwrap().collect().await.unwrap();
        assert_eq!((slept[0].num_rows(), started.elapsed().as_millis() >= 50), (1, true));
        let long = context.sql("SELECT pg_sleep(60)").await.unwrap().collect();
        assert!(tokio::time::timeout(std::time::Duration::from_millis(50), long).await.is_err());
        assert!(started.elapsed().as_secs() < 10);
    }
}
