//! What customers will be worth: BG/NBD and Gamma-Gamma models.

mod bgnbd;
mod bgnbd_expected;
mod bgnbd_fit;
mod bgnbd_p_alive;
mod clv;
mod counted;
mod fitting;
mod gamma;
mod gamma_gamma;
mod gg_expected;
mod gg_fit;
mod maximum;
mod model;

use datafusion_expr::{AggregateUDF, ScalarUDF};

use crate::Functions;

pub use bgnbd_expected::BgNbdExpected;
pub use bgnbd_fit::BgNbdFit;
pub use bgnbd_p_alive::BgNbdPAlive;
pub use clv::Clv;
pub use gg_expected::GgExpected;
pub use gg_fit::GgFit;

/// The functions of this package.
pub(crate) fn functions() -> Functions {
    Functions {
        scalars: vec![
            ScalarUDF::from(BgNbdExpected),
            ScalarUDF::from(BgNbdPAlive),
            ScalarUDF::from(Clv),
            ScalarUDF::from(GgExpected),
        ],
        aggregates: vec![AggregateUDF::from(BgNbdFit), AggregateUDF::from(GgFit)],
        ..Functions::default()
    }
}
