"""Command `cloud-terminal openapi`."""


def print_document() -> None:
    """Print the API's OpenAPI document as JSON.

    It is what `/openapi.json` of an API with the same settings answers.
    """
    import json

    from api.openapi.document import openapi_document
    from cli.process import plain_errors
    from shared.settings.load import load_settings

    with plain_errors():
        wait_seconds = int(load_settings().caller_wait_seconds)
    print(json.dumps(openapi_document(wait_seconds), ensure_ascii=False, indent=1))
