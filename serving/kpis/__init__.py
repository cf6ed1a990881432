"""Facts about the business as answers: KPIs by any column, over time, against targets; cohorts; what goes with it."""
