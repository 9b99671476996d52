//! What becomes of views when a relation that they read changes: their queries mean what they meant, or the change is
//! refused.
//!
//! A view is kept as text. Where that text names the relation it is made to name the new one under the old name, with
//! the old names of the columns that the query uses; then every view is planned again and has to come out as before.

use std::collections::BTreeSet;
use std::sync::Arc;

use catalog::objects::{ColumnDef, ObjectId, Objects, Relation, ViewDef};

use super::mentions::{Mention, may_meet, mentions, replaced};
use crate::engine::Plan;
use crate::error::{Error, Result, SqlState};
use crate::pg_catalog::names::quoted;
use crate::session::Session;
use crate::statement::drop::describe;
use crate::statement::view;

/// A view that names the relation in its query.
pub(super) struct Reader {
    pub(super) view: Arc<ViewDef>,
    /// The columns of the relation that it uses; `None` if its query can't be planned as it is.
    pub(super) columns: Option<BTreeSet<String>>,
    /// Whether its query gives what it is defined to give, and so has to do afterwards.
    pub(super) sound: bool,
}

impl Reader {
    /// Whether it uses a column, as far as is known.
    pub(super) fn uses(&self, column: &str) -> bool {
        self.columns.as_ref().is_none_or(|columns| columns.contains(column))
    }
}

/// The views that name a relation.
pub(super) async fn readers(session: &mut Session, id: ObjectId) -> Result<Vec<Reader>> {
    let objects = Arc::clone(session.work()?.objects());
    let views = objects.views().filter(|view| view.depends_on.contains(&id)).cloned().collect::<Vec<_>>();
    if views.is_empty() {
        return Ok(Vec::new());
    }
    let planner = session.planner()?;
    let mut readers = Vec::with_capacity(views.len());
    for view in views {
        let plan = planner.view_query(&view).await.ok();
        let sound = plan.as_ref().is_some_and(|plan| is_sound(&view, plan));
        readers.push(Reader { columns: plan.map(|plan| plan.columns_of(id)), sound, view });
    }
    Ok(readers)
}

/// Whether a view's query, as it is planned, reads what it did and gives the view's columns.
pub(super) fn is_sound(view: &ViewDef, plan: &Plan) -> bool {
    let reads = |ids: &[ObjectId]| ids.iter().copied().collect::<BTreeSet<_>>();
    let names: Vec<String> = view.columns.iter().map(|column| column.name.clone()).collect();
    let types = |columns: &[ColumnDef]| columns.iter().map(|c| c.pg_type.clone()).collect::<Vec<_>>();
    reads(&plan.reads) == reads(&view.depends_on)
        && plan.columns.fields().len() == names.len()
        && types(&view::columns(&names, &plan.columns)) == types(&view.columns)
}

/// How a relation changes for those who read it.
pub(super) struct Reshaped<'a> {
    /// The relation as it was.
    pub(super) before: &'a Relation,
    /// Its new place.
    pub(super) schema: &'a str,
    /// Its new name.
    pub(super) name: &'a str,
    /// Columns that it did not have before.
    pub(super) gained: Vec<String>,
    /// The column that has a new name, and that name.
    pub(super) renamed: Option<(&'a str, &'a str)>,
}

impl Reshaped<'_> {
    /// The view with a query that means after the change what it means now; `None` if it needs none.
    pub(super) fn kept(&self, objects: &Objects, reader: &Reader) -> Result<Option<ViewDef>> {
        let view = &reader.view;
        let moved = (self.before.schema(), self.before.name()) != (self.schema, self.name);
        let is_ours = |mention: &Mention| lookup(objects, view, mention) == Some(self.before.id());
        let found: Vec<Mention> = mentions(&view.sql)?.into_iter().filter(is_ours).collect();
        let changes_names = self.renamed.is_some_and(|(old, _)| reader.uses(old))
            || !self.gained.is_empty()
                && (may_meet(&view.sql, &self.gained) || found.iter().any(|mention| mention.columns_named));
        if !moved && !changes_names {
            return Ok(None);
        }
        let new = |mention: &Mention| match mention.name.schema {
            None if !moved || self.in_path(objects, view) => quoted(self.name),
            _ => format!("{}.{}", quoted(self.schema), quoted(self.name)),
        };
        let names = found.iter().map(|mention| {
            let old = &mention.name.name;
            let mut text = new(mention);
            if changes_names {
                text = format!("(SELECT {} FROM {text})", self.columns(reader, mention.columns_named));
            }
            if !mention.aliased && (changes_names || old != self.name) {
                text = format!("{text} AS {}", quoted(old));
            }
            (mention.place.clone(), whole(mention, text))
        });
        let sql = replaced(&view.sql, &names.collect::<Vec<_>>());
        Ok((sql != view.sql).then(|| ViewDef { sql, ..view.as_ref().clone() }))
    }

    /// Whether the view finds the relation in its new place by its new name alone.
    fn in_path(&self, objects: &Objects, view: &ViewDef) -> bool {
        let first = view.search_path.iter().find(|schema| {
            **schema == self.schema || objects.lookup(schema, self.name).is_some_and(|r| r.id() != self.before.id())
        });
        first.is_some_and(|schema| schema == self.schema)
    }

    /// The select list that has the relation's columns under their old names: those that the view uses, or all.
    fn columns(&self, reader: &Reader, all: bool) -> String {
        let columns = match self.before {
            Relation::Table(table) => &table.columns,
            Relation::View(view) => &view.columns,
        };
        let used = reader.columns.as_ref().filter(|used| !all && !used.is_empty());
        let columns = columns.iter().map(|column| column.name.as_str());
        let items =
            columns.filter(|name| used.is_none_or(|used| used.contains(*name))).map(|name| match self.renamed {
                Some((old, new)) if old == name => format!("{} AS {}", quoted(new), quoted(old)),
                _ => quoted(name),
            });
        items.collect::<Vec<_>>().join(", ")
    }
}

/// What takes the place of a mention, given what takes that of the name.
fn whole(mention: &Mention, name: String) -> String {
    if mention.alone { format!("SELECT * FROM {name}") } else { name }
}

/// The relation that a view means by a name.
fn lookup(objects: &Objects, view: &ViewDef, mention: &Mention) -> Option<ObjectId> {
    let found = match &mention.name.schema {
        Some(schema) => objects.lookup(schema, &mention.name.name),
        None => view.search_path.iter().find_map(|schema| objects.lookup(schema, &mention.name.name)),
    };
    found.map(|relation| relation.id())
}

/// The views whose queries name something in a schema that gets another name, with that name in them.
pub(super) fn with_schema(view: &ViewDef, from: &str, to: &str) -> Result<ViewDef> {
    let renamed = |schema: &String| if schema == from { to.to_owned() } else { schema.clone() };
    let named = mentions(&view.sql)?.into_iter().filter(|mention| mention.name.schema.as_deref() == Some(from));
    let names = named.map(|mention| {
        let name = format!("{}.{}", quoted(to), quoted(&mention.name.name));
        (mention.place.clone(), whole(&mention, name))
    });
    Ok(ViewDef {
        sql: replaced(&view.sql, &names.collect::<Vec<_>>()),
        schema: renamed(&view.schema),
        search_path: view.search_path.iter().map(renamed).collect(),
        ..view.clone()
    })
}

/// That views come out as they were, now that everything is staged.
///
/// # Errors
/// 2BP01 with the names of those that don't. `what` is what was to be done: `rename table t`.
pub(super) async fn check(session: &mut Session, views: &[ObjectId], what: &str) -> Result<()> {
    if views.is_empty() {
        return Ok(());
    }
    let objects = Arc::clone(session.work()?.objects());
    let planner = session.planner()?;
    let mut lost = Vec::new();
    for view in views.iter().filter_map(|id| objects.view(*id)) {
        let as_before = planner.view_query(view).await.is_ok_and(|plan| is_sound(view, &plan));
        if !as_before {
            lost.push(describe(&Relation::View(Arc::clone(view))));
        }
    }
    if lost.is_empty() {
        return Ok(());
    }
    let message = format!("cannot {what} because other objects depend on it");
    Err(Error::new(SqlState::DEPENDENT_OBJECTS_STILL_EXIST, message)
        .with_detail(format!("the query of {} would not mean the same any more", lost.join(", ")))
        .with_hint("drop them first, and make them again"))
}
