"""The script MLflow stores with a model (models-from-code): snapshot rows in, probabilities by horizon out."""

from pathlib import Path
from typing import Any

import mlflow.pyfunc
import pandas as pd

from models.outcomes.outcome import OutcomeModel
from training.tracking.bundle import read_local_bundle


class HoldfastModel(mlflow.pyfunc.PythonModel):  # type: ignore[misc, name-defined]
    """Reads the bundle's text files, once they are known to be whole; nothing is unpickled."""

    def load_context(self, context: Any) -> None:
        """Load the bundle."""
        self.model = OutcomeModel.from_files(read_local_bundle(Path(context.artifacts["bundle"])))

    def predict(self, context: Any, model_input: pd.DataFrame, params: dict[str, Any] | None = None) -> pd.DataFrame:
        """Churn and expansion probability by each month ahead: columns `churn_3m`, `expansion_3m`, ..."""
        dates = {name: pd.to_datetime(model_input[name]) for name in ("as_of", "term_ends_on")}  # text from a request
        prediction = self.model.predict(model_input.assign(**dates))
        churn, expansion = prediction.event_probability("churn"), prediction.event_probability("expansion")
        columns = {}
        for month in range(1, self.model.horizon_months + 1):
            columns[f"churn_{month}m"] = churn[:, month - 1]
            columns[f"expansion_{month}m"] = expansion[:, month - 1]
        return pd.DataFrame(columns, index=model_input.index)


mlflow.models.set_model(HoldfastModel())
