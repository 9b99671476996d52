//! Which columns of which relations a query looks at: those that any of its expressions names, as in PostgreSQL,
//! whether or not they reach the result.
//!
//! The plan is read as it comes from the SQL planner, before anything is optimized away and before views are put in
//! the place of their names: a relation stands in it as a [`Guarded`] leaf. What is not understood counts as a look at
//! every column below.

use std::collections::BTreeSet;
use std::sync::Arc;

use catalog::objects::{ObjectId, Relation};
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::common::{Column, Constraints, DFSchema, Result};
use datafusion::logical_expr::{Distinct, Expr, LogicalPlan, TableSource, TableType};

/// A relation in a plan whose use has still to be checked. Can't be run: what it stands for takes its place.
pub(crate) struct Guarded {
    /// The relation.
    pub(crate) relation: Relation,
    /// What reads it.
    pub(crate) source: Arc<dyn TableSource>,
}

impl TableSource for Guarded {
    fn schema(&self) -> SchemaRef {
        self.source.schema()
    }

    fn constraints(&self) -> Option<&Constraints> {
        self.source.constraints()
    }

    fn table_type(&self) -> TableType {
        self.source.table_type()
    }

    fn get_column_default(&self, column: &str) -> Option<&Expr> {
        self.source.get_column_default(column)
    }
}

/// One mention of a relation in FROM.
#[derive(Debug)]
pub(crate) struct Use {
    /// The relation.
    pub(crate) relation: Relation,
    /// The columns looked at. None are in `SELECT count(*)`.
    pub(crate) columns: BTreeSet<String>,
}

/// All uses of relations in a plan, in the order it names them.
pub(crate) fn uses(plan: &LogicalPlan) -> Result<Vec<Use>> {
    let mut walk = Walk::default();
    let origins = walk.plan(plan)?;
    walk.mark_all(&origins);
    Ok(walk.uses)
}

/// The relation, by its place among the uses, and the column that an output column passes on; `None` for what was
/// computed, whose ingredients are counted where that was done.
type Origin = Option<(usize, usize)>;

/// Columns that expressions can name, and where they come from.
struct Scope {
    schema: DFSchema,
    origins: Vec<Origin>,
}

#[derive(Default)]
struct Walk {
    uses: Vec<Use>,
    /// What correlated subqueries can name, innermost last.
    outer: Vec<Scope>,
}

impl Walk {
    /// Counts what a plan looks at; returns the origins of its columns.
    fn plan(&mut self, plan: &LogicalPlan) -> Result<Vec<Origin>> {
        let width = plan.schema().fields().len();
        match plan {
            LogicalPlan::TableScan(scan) => {
                let Some(guarded) = scan.source.downcast_ref::<Guarded>() else { return Ok(vec![None; width]) };
                let place = self.uses.len();
                self.uses.push(Use { relation: guarded.relation.clone(), columns: BTreeSet::new() });
                let origins = match &scan.projection {
                    Some(projection) => projection.iter().map(|index| Some((place, *index))).collect(),
                    None => (0..width).map(|index| Some((place, index))).collect(),
                };
                Ok(origins)
            }
            LogicalPlan::Join(join) => {
                let left = self.plan(&join.left)?;
                // A LATERAL on the right can name what is on the left.
                self.outer.push(Scope { schema: join.left.schema().as_ref().clone(), origins: left.clone() });
                let right = self.plan(&join.right)?;
                self.outer.pop();
                let both: Vec<Origin> = left.iter().chain(&right).copied().collect();
                let schema = join.left.schema().join(join.right.schema())?;
                self.expressions(plan, Scope { schema, origins: both.clone() })?;
                if width == both.len() {
                    return Ok(both);
                }
                self.mark_all(&both);
                Ok(vec![None; width])
            }
            LogicalPlan::SubqueryAlias(_)
            | LogicalPlan::Subquery(_)
            | LogicalPlan::Filter(_)
            | LogicalPlan::Sort(_)
            | LogicalPlan::Limit(_)
            | LogicalPlan::Repartition(_)
            | LogicalPlan::Distinct(Distinct::All(_)) => self.through(plan, width, true),
            LogicalPlan::Window(_) => {
                let mut origins = self.through(plan, width, true)?;
                origins.resize(width, None);
                Ok(origins)
            }
            LogicalPlan::Projection(_) | LogicalPlan::Distinct(Distinct::On(_)) => {
                self.through(plan, width, false)?;
                Ok(vec![None; width])
            }
            LogicalPlan::Aggregate(aggregate) => {
                let origins = self.plan(&aggregate.input)?;
                let scope = Scope { schema: aggregate.input.schema().as_ref().clone(), origins };
                let passed = self.implied(&aggregate.group_expr, &scope);
                self.expressions_but(plan, scope, &passed)?;
                let mut origins: Vec<Origin> = vec![None; width];
                for (place, origin) in passed {
                    origins[place] = origin;
                }
                Ok(origins)
            }
            _ => {
                for input in plan.inputs() {
                    let origins = self.plan(input)?;
                    self.mark_all(&origins);
                }
                let scope = Scope { schema: DFSchema::empty(), origins: Vec::new() };
                self.expressions(plan, scope)?;
                Ok(vec![None; width])
            }
        }
    }

    /// A node with one input, whose columns it passes on if `passes`.
    fn through(&mut self, plan: &LogicalPlan, width: usize, passes: bool) -> Result<Vec<Origin>> {
        let inputs = plan.inputs();
        let [input] = inputs.as_slice() else {
            for input in inputs {
                let origins = self.plan(input)?;
                self.mark_all(&origins);
            }
            return Ok(vec![None; width]);
        };
        let origins = self.plan(input)?;
        self.expressions(plan, Scope { schema: input.schema().as_ref().clone(), origins: origins.clone() })?;
        if passes && origins.len() > width {
            self.mark_all(&origins);
            return Ok(vec![None; width]);
        }
        Ok(origins)
    }

    /// The columns of GROUP BY that follow from the key of their table, which stands before them: the planner adds
    /// those by itself, so they count where they are named above it. Place in the list, and origin.
    fn implied(&self, groups: &[Expr], scope: &Scope) -> Vec<(usize, Origin)> {
        let mut implied = Vec::new();
        let mut before: Vec<(usize, &str)> = Vec::new();
        for (place, group) in groups.iter().enumerate() {
            let Expr::Column(column) = group else { continue };
            let Some(origin) = scope.schema.maybe_index_of_column(column).and_then(|i| scope.origins.get(i).copied())
            else {
                continue;
            };
            let Some((number, index)) = origin else { continue };
            let Some(Relation::Table(table)) = self.uses.get(number).map(|used| &used.relation) else { continue };
            let is_named = |key: &String| before.iter().any(|(of, name)| *of == number && name == key);
            if !table.primary_key.is_empty() && table.primary_key.iter().all(is_named) {
                implied.push((place, origin));
            }
            if let Some(column) = table.columns.get(index) {
                before.push((number, &column.name));
            }
        }
        implied
    }

    /// Counts what a node's expressions name, in the node and in subqueries.
    fn expressions(&mut self, plan: &LogicalPlan, scope: Scope) -> Result<()> {
        self.expressions_but(plan, scope, &[])
    }

    #[expect(deprecated, reason = "a wildcard that is still there must not go uncounted")]
    /// [`Walk::expressions`] without some of the node's expressions, by their places.
    fn expressions_but(&mut self, plan: &LogicalPlan, scope: Scope, without: &[(usize, Origin)]) -> Result<()> {
        let mut place = 0;
        plan.apply_expressions(|expression| {
            place += 1;
            if without.iter().any(|(passed, _)| *passed == place - 1) {
                return Ok(TreeNodeRecursion::Continue);
            }
            // `*` alone as an expression is every column; in `count(*)` it is none.
            if matches!(expression, Expr::Wildcard { .. }) {
                self.mark_all(&scope.origins);
            }
            expression.apply(|part| {
                match part {
                    Expr::Column(column) => self.mark(&scope, column),
                    Expr::OuterReferenceColumn(_, column) => self.mark_outer(column),
                    Expr::Wildcard { qualifier: Some(_), .. } => self.mark_all(&scope.origins),
                    _ => {}
                }
                Ok(TreeNodeRecursion::Continue)
            })
        })?;
        self.outer.push(scope);
        let walked = plan.apply_subqueries(|subquery| {
            let origins = self.plan(subquery)?;
            self.mark_all(&origins);
            Ok(TreeNodeRecursion::Continue)
        });
        self.outer.pop();
        walked.map(|_| ())
    }

    fn mark(&mut self, scope: &Scope, column: &Column) {
        match find(scope, column) {
            Some(found) => self.mark_all(&found),
            None => self.mark_all(&scope.origins),
        }
    }

    fn mark_outer(&mut self, column: &Column) {
        let found = self.outer.iter().rev().find_map(|scope| find(scope, column));
        match found {
            Some(found) => self.mark_all(&found),
            None => {
                let all: Vec<Origin> = self.outer.iter().flat_map(|scope| scope.origins.clone()).collect();
                self.mark_all(&all);
            }
        }
    }

    fn mark_all(&mut self, origins: &[Origin]) {
        for (place, index) in origins.iter().flatten() {
            let used = &mut self.uses[*place];
            let columns = match &used.relation {
                Relation::Table(table) => &table.columns,
                Relation::View(view) => &view.columns,
            };
            // Leaves have the columns of their relation, in its order.
            if let Some(column) = columns.get(*index) {
                used.columns.insert(column.name.clone());
            }
        }
    }
}

/// Where a named column comes from: one origin, or several if the name doesn't say which.
fn find(scope: &Scope, column: &Column) -> Option<Vec<Origin>> {
    if let Some(index) = scope.schema.maybe_index_of_column(column) {
        return scope.origins.get(index).map(|origin| vec![*origin]);
    }
    let same = scope.schema.fields().iter().enumerate().filter(|(_, field)| field.name() == &column.name);
    let same: Vec<Origin> = same.filter_map(|(index, _)| scope.origins.get(index).copied()).collect();
    (!same.is_empty()).then_some(same)
}

impl std::fmt::Debug for Guarded {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Guarded").field("relation", &self.id()).finish_non_exhaustive()
    }
}

impl Guarded {
    /// Number of the relation.
    pub(crate) fn id(&self) -> ObjectId {
        self.relation.id()
    }
}
