//! `pg_proc`: every function of the engine.
//!
//! Those that PostgreSQL has too are listed with its numbers and signatures, the others with what they declare and a
//! number that follows from their name and arguments. What they say of themselves is their comment.

use std::collections::{BTreeSet, HashMap};

use datafusion::arrow::datatypes::{DataType, Field};
use datafusion::common::Result;
use datafusion::execution::session_state::SessionState;
use datafusion::logical_expr::function::WindowUDFFieldArgs;
use datafusion::logical_expr::{Documentation, Signature, TypeSignature, Volatility};

use super::probe::{self, Probed, probe};
use super::rows::{Datum, Rows};
use super::table::Wanted;
use super::{PgCatalog, builtin, functions, oids};
use crate::macros::MACROS;
use crate::values::pg_type::PgType;

/// `"any"`
const ANY: u32 = 2276;
/// `record`
const RECORD: u32 = 2249;
/// `anyelement`
const ANYELEMENT: u32 = 2283;

/// A function that can be called.
#[derive(Debug, Clone)]
pub(crate) struct EngineFunction {
    pub(crate) oid: u32,
    pub(crate) name: String,
    /// `f`, `a` or `w`.
    pub(crate) kind: &'static str,
    /// Types of its arguments.
    pub(crate) arguments: Vec<u32>,
    /// Types of all arguments and results, where some are results.
    all_arguments: Option<Vec<u32>>,
    /// `i`, `o`, `v` … for each of them.
    modes: Option<Vec<String>>,
    /// Names of its arguments, where it has any.
    pub(crate) argument_names: Vec<String>,
    pub(crate) returns: u32,
    pub(crate) returns_set: bool,
    variadic: u32,
    defaults: i64,
    /// `i`, `s` or `v`.
    pub(crate) volatility: &'static str,
    /// Whether NULL in gives NULL out.
    pub(crate) strict: bool,
    leakproof: bool,
    parallel: &'static str,
    /// What its documentation says; `None` where PostgreSQL's own description holds.
    pub(crate) description: Option<String>,
}

/// All functions of the engine.
#[derive(Debug, Default)]
pub(crate) struct EngineFunctions {
    all: Vec<EngineFunction>,
    by_oid: HashMap<u32, usize>,
}

/// What a function says of itself.
struct Declared<'a> {
    kind: &'static str,
    signature: Option<&'a Signature>,
    documentation: Option<&'a Documentation>,
    /// Where it checks its arguments itself.
    probed: Option<Probed>,
    returns: Option<u32>,
}

impl<'a> Declared<'a> {
    /// A function that says no more than its kind.
    fn of_kind(kind: &'static str) -> Self {
        Self { kind, signature: None, documentation: None, probed: None, returns: None }
    }

    /// One with a signature, asked for its types where the signature does not have them.
    fn asked(
        kind: &'static str,
        signature: &'a Signature,
        documentation: Option<&'a Documentation>,
        coerce: impl Fn(&[DataType]) -> Result<Vec<DataType>>,
        returns: impl Fn(&[DataType]) -> Result<DataType>,
    ) -> Self {
        let of_exact = exact(signature).and_then(|types| returns(&types).ok());
        let count = documentation.and_then(|documentation| documentation.arguments.as_ref()).map(Vec::len);
        let probed = match (&signature.type_signature, count) {
            (TypeSignature::UserDefined, Some(count)) => probe(count, coerce, returns),
            _ => None,
        };
        let result = of_exact.or_else(|| probed.as_ref()?.returns.clone());
        let returns = result.map(|result| type_oid(&result));
        Self { kind, signature: Some(signature), documentation, probed, returns }
    }
}

impl EngineFunctions {
    /// The functions registered in `state`, and those of `pg_catalog`.
    pub(crate) fn of(state: &SessionState) -> Self {
        let mut all = Vec::new();
        for (name, function) in state.scalar_functions() {
            let coerce = |types: &[DataType]| function.coerce_types(types);
            let returns = |types: &[DataType]| function.return_type(types);
            let (signature, documentation) = (function.signature(), function.documentation());
            add(&mut all, name, &Declared::asked("f", signature, documentation, coerce, returns));
        }
        for (name, function) in state.aggregate_functions() {
            let coerce = |types: &[DataType]| function.coerce_types(types);
            let returns = |types: &[DataType]| function.return_type(types);
            let (signature, documentation) = (function.signature(), function.documentation());
            add(&mut all, name, &Declared::asked("a", signature, documentation, coerce, returns));
        }
        for (name, function) in state.window_functions() {
            // Aggregates over windows are aggregates.
            if state.aggregate_functions().contains_key(name) {
                continue;
            }
            let coerce = |types: &[DataType]| function.coerce_types(types);
            let returns = |types: &[DataType]| {
                let fields = probe::fields(types);
                function.field(WindowUDFFieldArgs::new(&fields, name)).map(|field| field.data_type().clone())
            };
            let (signature, documentation) = (function.signature(), function.documentation());
            add(&mut all, name, &Declared::asked("w", signature, documentation, coerce, returns));
        }
        let of_catalogs = functions::names().map(str::to_owned);
        for name in of_catalogs.chain(state.table_functions().keys().cloned()) {
            let name = name.as_str();
            if !state.scalar_functions().contains_key(name) {
                add(&mut all, name, &Declared::of_kind("f"));
            }
        }
        for table_function in MACROS {
            let declared = Declared { returns: Some(RECORD), ..Declared::of_kind("f") };
            add(&mut all, table_function.name, &declared);
            if let Some(function) = all.last_mut() {
                function.returns_set = true;
                function.description = Some(format!("{}: {}", table_function.syntax, table_function.description));
            }
        }
        // What types are read and written by is not called by name, but drivers look it up.
        let listed: BTreeSet<u32> = all.iter().map(|function| function.oid).collect();
        let of_types = types_functions();
        all.extend(
            builtin::FUNCTIONS
                .iter()
                .filter(|function| of_types.contains(&function.oid) && !listed.contains(&function.oid))
                .map(of_builtin),
        );
        all.sort_by(|a, b| (&a.name, a.oid).cmp(&(&b.name, b.oid)));
        all.dedup_by_key(|function| function.oid);
        let by_oid = all.iter().enumerate().map(|(i, function)| (function.oid, i)).collect();
        Self { all, by_oid }
    }

    /// By name.
    pub(crate) fn all(&self) -> &[EngineFunction] {
        &self.all
    }

    /// The function with that number.
    pub(crate) fn by_oid(&self, oid: u32) -> Option<&EngineFunction> {
        self.by_oid.get(&oid).map(|i| &self.all[*i])
    }
}

/// Adds PostgreSQL's functions of that name, or the one that is declared.
fn add(all: &mut Vec<EngineFunction>, name: &str, declared: &Declared<'_>) {
    let types_are_known = |function: &&builtin::BuiltinFunction| {
        function.arguments.iter().chain([&function.returns]).all(|oid| *oid == ANY || *oid < 10_000)
    };
    let before = all.len();
    let same = builtin::FUNCTIONS.iter().filter(|function| function.name == name && function.kind == declared.kind);
    all.extend(same.filter(types_are_known).map(of_builtin));
    if all.len() > before {
        return;
    }
    let documentation = declared.documentation;
    let names: Vec<String> = documentation
        .and_then(|documentation| documentation.arguments.as_ref())
        .map(|arguments| arguments.iter().map(|(name, _)| name.clone()).collect())
        .unwrap_or_default();
    let arguments: Vec<u32> = match (declared.signature.and_then(exact), &declared.probed) {
        (Some(types), _) => types.iter().map(type_oid).collect(),
        (None, Some(probed)) => {
            probed.arguments.iter().map(|argument| argument.as_ref().map_or(ANY, type_oid)).collect()
        }
        (None, None) => vec![ANY; names.len().max(declared.signature.map_or(0, arity))],
    };
    all.push(EngineFunction {
        oid: oids::function(name, &arguments),
        name: name.to_owned(),
        kind: declared.kind,
        argument_names: if names.len() == arguments.len() { names } else { Vec::new() },
        arguments,
        all_arguments: None,
        modes: None,
        returns: declared.returns.unwrap_or(ANYELEMENT),
        returns_set: false,
        variadic: 0,
        defaults: 0,
        volatility: match declared.signature.map(|signature| signature.volatility) {
            Some(Volatility::Immutable) => "i",
            Some(Volatility::Volatile) => "v",
            _ => "s",
        },
        strict: false,
        leakproof: false,
        parallel: "s",
        // Which arguments may be left out, only the syntax says.
        description: documentation.map(|documentation| {
            format!("{}: {}", documentation.syntax_example.trim(), documentation.description.trim())
        }),
    });
}

fn of_builtin(function: &builtin::BuiltinFunction) -> EngineFunction {
    let names = function.names.iter().flatten().map(|name| (*name).to_owned()).collect();
    EngineFunction {
        oid: function.oid,
        name: function.name.to_owned(),
        kind: function.kind,
        arguments: function.arguments.clone(),
        all_arguments: function.all_arguments.clone(),
        modes: function.modes.as_ref().map(|modes| modes.iter().map(|mode| (*mode).to_owned()).collect()),
        argument_names: names,
        returns: function.returns,
        returns_set: function.returns_set,
        variadic: function.variadic,
        defaults: function.defaults,
        volatility: function.volatility,
        strict: function.strict,
        leakproof: function.leakproof,
        parallel: function.parallel,
        description: None,
    }
}

/// The functions by which types are read, written, sent and received.
fn types_functions() -> BTreeSet<u32> {
    let number = |value: &Datum<'_>| if let Datum::Int(n) = value { u32::try_from(*n).unwrap_or_default() } else { 0 };
    let types = builtin::rows("pg_type").unwrap_or_default();
    types.iter().flat_map(|row| row[15..=21].iter().map(number)).filter(|oid| *oid != 0).collect()
}

/// The argument types of a function that takes exactly these.
fn exact(signature: &Signature) -> Option<Vec<DataType>> {
    match &signature.type_signature {
        TypeSignature::Exact(types) => Some(types.clone()),
        TypeSignature::Nullary => Some(Vec::new()),
        TypeSignature::Uniform(count, types) if types.len() == 1 => Some(vec![types[0].clone(); *count]),
        _ => None,
    }
}

/// How many arguments a function takes, where it says so.
fn arity(signature: &Signature) -> usize {
    match &signature.type_signature {
        TypeSignature::Any(count) | TypeSignature::Uniform(count, _) | TypeSignature::Comparable(count) => *count,
        TypeSignature::Numeric(count) | TypeSignature::String(count) => *count,
        TypeSignature::Coercible(arguments) => arguments.len(),
        _ => 0,
    }
}

fn type_oid(data_type: &DataType) -> u32 {
    match data_type {
        DataType::Null => ANYELEMENT,
        other => PgType::of(&Field::new("", other.clone(), true)).oid,
    }
}

pub(super) fn fill(catalog: &PgCatalog, wanted: &Wanted, rows: &mut Rows) -> Result<()> {
    let mut out = rows.columns([
        "oid",
        "proname",
        "pronamespace",
        "proowner",
        "prolang",
        "procost",
        "prorows",
        "provariadic",
        "prokind",
        "proleakproof",
        "proisstrict",
        "proretset",
        "provolatile",
        "proparallel",
        "pronargs",
        "pronargdefaults",
        "prorettype",
        "proargtypes",
        "proallargtypes",
        "proargmodes",
        "proargnames",
        "prosrc",
    ])?;
    for function in catalog.functions.all().iter().filter(|function| wanted.wants("oid", function.oid)) {
        let numbers = |types: &Vec<u32>| Datum::ints(types.iter().map(|oid| i64::from(*oid)));
        let texts = |texts: &Vec<String>| Datum::texts(texts.iter().cloned());
        out.push([
            function.oid.into(),
            function.name.as_str().into(),
            oids::PG_CATALOG.into(),
            oids::SUPERUSER.into(),
            oids::INTERNAL_LANGUAGE.into(),
            Datum::Float(1.0),
            Datum::Float(if function.returns_set { 1000.0 } else { 0.0 }),
            function.variadic.into(),
            function.kind.into(),
            function.leakproof.into(),
            function.strict.into(),
            function.returns_set.into(),
            function.volatility.into(),
            function.parallel.into(),
            i64::try_from(function.arguments.len()).unwrap_or_default().into(),
            function.defaults.into(),
            function.returns.into(),
            numbers(&function.arguments),
            function.all_arguments.as_ref().map_or(Datum::Null, numbers),
            function.modes.as_ref().map_or(Datum::Null, texts),
            texts(&function.argument_names),
            // The engine computes it: the name is all there is to say.
            function.name.as_str().into(),
        ])?;
    }
    Ok(())
}

impl EngineFunction {
    /// Its arguments as a declaration lists them, with defaults left out.
    pub(crate) fn declaration(&self) -> String {
        let types = self.all_arguments.as_ref().unwrap_or(&self.arguments);
        let argument = |(i, oid): (usize, &u32)| {
            let mode = self.modes.as_ref().and_then(|modes| modes.get(i)).map(String::as_str);
            let mode = match mode {
                Some("o") => "OUT ",
                Some("b") => "INOUT ",
                Some("v") => "VARIADIC ",
                Some("t") => return None,
                _ if self.variadic != 0 && i + 1 == types.len() => "VARIADIC ",
                _ => "",
            };
            let name = self.argument_names.get(i).filter(|name| !name.is_empty());
            let name = name.map(|name| format!("{} ", super::names::quoted(name))).unwrap_or_default();
            Some(format!("{mode}{name}{}", super::names::type_name(*oid)))
        };
        types.iter().enumerate().filter_map(argument).collect::<Vec<_>>().join(", ")
    }

    /// The type of its result.
    pub(crate) fn result(&self) -> String {
        let set = if self.returns_set { "SETOF " } else { "" };
        let table: Vec<String> = self
            .modes
            .iter()
            .flatten()
            .zip(self.all_arguments.iter().flatten())
            .enumerate()
            .filter(|(_, (mode, _))| *mode == "t")
            .map(|(i, (_, oid))| {
                let name = self.argument_names.get(i).map(String::as_str).unwrap_or_default();
                format!("{name} {}", super::names::type_name(*oid))
            })
            .collect();
        match table.is_empty() {
            true => format!("{set}{}", super::names::type_name(self.returns)),
            false => format!("TABLE({})", table.join(", ")),
        }
    }

    /// The statement that would make it.
    pub(crate) fn statement(&self) -> String {
        let volatility = match self.volatility {
            "i" => " IMMUTABLE",
            "s" => " STABLE",
            _ => "",
        };
        let parallel = if self.parallel == "s" { " PARALLEL SAFE" } else { "" };
        let strict = if self.strict { " STRICT" } else { "" };
        format!(
            "CREATE OR REPLACE FUNCTION pg_catalog.{}({})\n RETURNS {}\n LANGUAGE internal\n{volatility}{parallel}{strict}\nAS $function${}$function$\n",
            super::names::quoted(&self.name),
            self.declaration(),
            self.result(),
            self.name,
        )
    }

    /// Whether it is an aggregate, which has no source text.
    pub(crate) fn is_aggregate(&self) -> bool {
        self.kind == "a"
    }
}
