"""The competition's photos, through Kaggle's own client."""

from pathlib import Path

from src.stage import Section, UserError


class Data(Section):
    """The block `kaggle.data` of params.yaml."""

    competition: str


def fetch(data: Data, scratch: Path) -> Path:
    """Downloads the competition's zip; raises UserError that says what to do if Kaggle does not give it."""
    from kaggle.api.kaggle_api_extended import KaggleApi  # importing it already looks for credentials

    api = KaggleApi()
    try:
        api.authenticate()
    except SystemExit:
        raise UserError(
            "no Kaggle credentials: create an API token at kaggle.com/settings and save it as ~/.kaggle/kaggle.json"
        ) from None
    try:
        api.competition_download_files(data.competition, path=str(scratch), quiet=False)
    except Exception as error:
        # The client's messages can hold request headers, so only the status is repeated.
        status = getattr(getattr(error, "response", None), "status_code", type(error).__name__)
        raise UserError(
            f"Kaggle did not give {data.competition} ({status}); join it and accept its rules at "
            f"kaggle.com/competitions/{data.competition}/rules"
        ) from None
    return scratch / f"{data.competition}.zip"
