//! The integration tests: one binary, a module per topic.
//!
//! `slt` runs every file of tests/slt in-process and over the wire. `wire`, `transactions`, `sessions`, `catalogs`,
//! `alter`, `cursors`, `temporary` and `plans` talk to a server inside this process; `cancel`, `memory`, `operation`,
//! `shutdown`, `durability`, `changes`, `lease` and `load` spawn the real binary, because they look at it from outside
//! or kill it. `reference` compares functions with figures of other programs, `reference_docs` writes udfs/README.md
//! and runs its examples, `tidy` reads the sources. `AUDIENCEDB_FULL=1` runs the long tier.
//! `slt` runs every file of tests/slt in-process and over the wire. `wire`, `transactions`, `sessions`, `catalogs`, `alter` and
//! `plans` talk to a server inside this process; `past`, `cancel`, `memory`, `operation`, `shutdown`, `durability`, `changes`,
//! `lease` and `load` spawn the real binary, because they look at it from outside or kill it. `reference` compares
//! functions with figures of other programs, `reference_docs` writes udfs/README.md and runs its examples, `tidy` reads
//! the sources. `AUDIENCEDB_FULL=1` runs the long tier.

mod alter;
mod cancel;
mod catalogs;
mod changes;
mod copy;
mod cursors;
mod demo;
mod durability;
mod erasure;
mod hints;
mod inserts;
mod lease;
mod load;
mod maintenance;
mod memory;
mod operation;
mod past;
mod plans;
mod process;
mod raw;
mod reference;
mod reference_attribution;
mod reference_behaviour;
mod reference_docs;
mod reference_linkage;
mod reference_lookalike;
mod reference_value;
mod roles;
mod sessions;
mod shutdown;
mod slt;
mod temporary;
mod tidy;
mod transactions;
mod trial;
mod values;
mod warehouse;
mod wire;

use std::process::ExitCode;

use libtest_mimic::Arguments;

fn main() -> ExitCode {
    let mut trials = slt::trials();
    trials.extend(wire::trials());
    trials.extend(values::trials());
    trials.extend(transactions::trials());
    trials.extend(sessions::trials());
    trials.extend(hints::trials());
    trials.extend(catalogs::trials());
    trials.extend(plans::trials());
    trials.extend(copy::trials());
    trials.extend(cancel::trials());
    trials.extend(memory::trials());
    trials.extend(cursors::trials());
    trials.extend(temporary::trials());
    trials.extend(operation::trials());
    trials.extend(shutdown::trials());
    trials.extend(durability::trials());
    trials.extend(inserts::trials());
    trials.extend(changes::trials());
    trials.extend(alter::trials());
    trials.extend(lease::trials());
    trials.extend(maintenance::trials());
    trials.extend(erasure::trials());
    trials.extend(past::trials());
    trials.extend(reference::trials());
    trials.extend(reference_attribution::trials());
    trials.extend(reference_behaviour::trials());
    trials.extend(reference_linkage::trials());
    trials.extend(reference_lookalike::trials());
    trials.extend(reference_value::trials());
    trials.extend(reference_docs::trials());
    trials.extend(roles::trials());
    trials.extend(load::trials());
    trials.extend(demo::trials());
    trials.extend(tidy::trials());
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}
