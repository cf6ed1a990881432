"""The simulated company as a source: a folder of files within the data folder."""

import json

from features.forgetting.stored_rows import forget_files
from features.forgetting.suppression import read_suppressed
from features.tables.progress import Progress
from features.tables.whole_file import write_whole
from params import Params, Source


def simulated_source(params: Params, progress: Progress) -> Source:
    """The simulated company as a folder of files, made again only when its settings changed."""
    folder, made_by = params.data_dir / "simulated", params.data_dir / "simulated.json"
    settings = params.simulated.model_dump(mode="json") | {"seed": params.seed}
    if not (folder.exists() and made_by.exists() and json.loads(made_by.read_text()) == settings):
        progress("simulating the company")
        made_by.unlink(missing_ok=True)
        from features.simulation import write_company  # heavy, and needed here only

        params.data_dir.mkdir(parents=True, exist_ok=True)
        write_company(folder, **params.simulated.model_dump(), seed=params.seed)
        forget_files(folder, read_suppressed(params))
        write_whole(made_by, json.dumps(settings).encode())
    return params.source.model_copy(update={"kind": "files", "path": folder})
