"""Triggers that refuse every change of the audit trail, also by the database's owner."""

from typing import Final

from shared.storage.db.statement import Dialect

_MESSAGE: Final = "the audit trail is append-only"

_REFUSE: Final = "ct_refuse_audit_change"
_FUNCTION: Final = (
    f"CREATE FUNCTION {_REFUSE}() RETURNS trigger LANGUAGE plpgsql AS"
    f" $$ BEGIN RAISE EXCEPTION '{_MESSAGE}'; END $$"
)
_TRIGGER: Final = (
    "CREATE TRIGGER audit_trail_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_trail"
    f" FOR EACH STATEMENT EXECUTE FUNCTION {_REFUSE}()"
)

#: Statements that create the triggers; run by the first migration.
TRIGGERS: Final[dict[Dialect, tuple[str, ...]]] = {
    "postgresql": (_FUNCTION, _TRIGGER),
    "sqlite": (
        *(
            f"CREATE TRIGGER audit_trail_no_{verb.lower()} BEFORE {verb} ON audit_trail"
            f" BEGIN SELECT RAISE(ABORT, '{_MESSAGE}'); END"
            for verb in ("UPDATE", "DELETE")
        ),
        # INSERT OR REPLACE deletes the row before without a trigger of DELETE.
        (
            "CREATE TRIGGER audit_trail_no_replace BEFORE INSERT ON audit_trail"
            " WHEN EXISTS (SELECT 1 FROM audit_trail WHERE id = NEW.id)"
            f" BEGIN SELECT RAISE(ABORT, '{_MESSAGE}'); END"
        ),
    ),
}
