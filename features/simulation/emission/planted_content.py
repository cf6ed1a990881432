"""Content that is planted among the engagement: an article that goes with renewal, and references that customers give.

Which self-help article a young account opens goes with its hidden level: `ARTICLE_OF_RENEWAL` where it is high. Which
course or event it is goes with nothing. Some e-mails are requests that ended in a reference, more of them where the
level is high. No row is added and none but the item or the kind of an e-mail is changed, from random streams of their
own, so that all else of the table stays as it is.
"""

import numpy as np
import pandas as pd

from features.simulation.emission.display import Display
from features.simulation.state import expit

ARTICLE_OF_RENEWAL = "self_help 1"
_OTHER_ARTICLES = 4  # self_help 2 to 5, drawn again where the planted one is not read
_YOUNG_DAYS = 120
_REFERENCE_SHARE = 0.015


def with_planted_content(display: Display, rows: pd.DataFrame) -> pd.DataFrame:
    """The rows of engagement, with what is planted among them."""
    profile = display.history.company.profile
    account = display.account_ids.searchsorted(rows["account_id"].to_numpy(dtype=object))
    age = rows["happened_on"].to_numpy().astype("datetime64[D]").astype(np.int64) - profile.joins[account]
    level, kind = profile.level[account], rows["kind"].to_numpy(dtype=object)
    rng = display.generator("engagement", "articles")
    reads = rng.random(len(rows)) < expit(-0.2 + 2.2 * level)
    other = 2 + rng.integers(0, _OTHER_ARTICLES, len(rows))
    items = np.where(reads, ARTICLE_OF_RENEWAL, np.char.add("self_help ", other.astype(str))).astype(object)
    young = (kind == "self_help") & (age <= _YOUNG_DAYS)
    item = np.where(young, items, rows["item"].to_numpy(dtype=object))
    asked = display.generator("engagement", "references").random(len(rows))
    gives = (kind == "email") & (asked < _REFERENCE_SHARE * np.exp(0.8 * level))
    return rows.assign(item=item, kind=np.where(gives, "reference", kind))
