//! Which channel a conversion is owed to: by rules for single paths, and by models of all paths.

mod attribute;
mod attribution_first_touch;
mod attribution_first_touch_exp_if;
mod attribution_first_touch_exp_timeout;
mod attribution_last_touch;
mod attribution_last_touch_exp_if;
mod attribution_last_touch_exp_timeout;
mod markov_credits;
mod model;
mod names;
mod paths;
mod shapley_credits;
mod touch;
mod touches;
mod transitions;

use datafusion_expr::{AggregateUDF, WindowUDF};

use crate::Functions;

pub use attribute::Attribute;
pub use attribution_first_touch::AttributionFirstTouch;
pub use attribution_first_touch_exp_if::AttributionFirstTouchExpIf;
pub use attribution_first_touch_exp_timeout::AttributionFirstTouchExpTimeout;
pub use attribution_last_touch::AttributionLastTouch;
pub use attribution_last_touch_exp_if::AttributionLastTouchExpIf;
pub use attribution_last_touch_exp_timeout::AttributionLastTouchExpTimeout;
pub use markov_credits::MarkovCredits;
pub use shapley_credits::ShapleyCredits;

/// The functions of this package.
pub(crate) fn functions() -> Functions {
    Functions {
        aggregates: vec![
            AggregateUDF::from(Attribute),
            AggregateUDF::from(MarkovCredits),
            AggregateUDF::from(ShapleyCredits),
        ],
        windows: vec![
            WindowUDF::from(AttributionFirstTouch),
            WindowUDF::from(AttributionFirstTouchExpIf),
            WindowUDF::from(AttributionFirstTouchExpTimeout),
            WindowUDF::from(AttributionLastTouch),
            WindowUDF::from(AttributionLastTouchExpIf),
            WindowUDF::from(AttributionLastTouchExpTimeout),
        ],
        ..Functions::default()
    }
}
