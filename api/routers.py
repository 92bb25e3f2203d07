"""Every router of the API, in the order of the document."""

from typing import Final

from fastapi import APIRouter

from api.connector.routes import public as healthcheck
from api.connector.routes import router as connector
from api.investigation.merchant_routes import router as investigation
from api.investigation.merchant_routes import totals_router as totals
from api.investigation.operator_routes import router as operator_investigation
from api.investigation.operator_routes import totals_router as operator_totals
from api.operator.administration.credential_routes import administration as credential_administration
from api.operator.administration.credential_routes import router as credentials
from api.operator.administration.merchant_routes import administration as merchant_administration
from api.operator.administration.merchant_routes import router as merchants
from api.operator.audit_routes import router as audit
from api.operator.delivery_routes import deciding as operator_replays
from api.operator.delivery_routes import router as operator_deliveries
from api.operator.fleet_routes import administration as fleet_administration
from api.operator.fleet_routes import router as fleet
from api.operator.gateway_routes import router as gateway
from api.operator.overview_routes import router as overview
from api.operator.routes import deciding as operator_decisions
from api.operator.routes import router as operator
from api.operator.terminal_routes import router as operator_terminals
from api.payments.routes import router as payments
from api.terminals.routes import imports as terminal_imports
from api.terminals.routes import router as terminals
from api.webhooks.delivery_routes import router as deliveries
from api.webhooks.event_routes import router as events
from api.webhooks.routes import router as webhook_endpoints
from api.webhooks.routes import tests_router as webhook_tests

ROUTERS: Final[tuple[APIRouter, ...]] = (
    connector,
    healthcheck,
    # Before the routes of one payment: their paths have words in the place of its id.
    investigation,
    payments,
    totals,
    gateway,
    operator_investigation,
    operator_totals,
    operator,
    operator_decisions,
    merchants,
    merchant_administration,
    credentials,
    credential_administration,
    audit,
    fleet,
    fleet_administration,
    overview,
    terminals,
    terminal_imports,
    operator_terminals,
    webhook_endpoints,
    webhook_tests,
    deliveries,
    events,
    operator_replays,
    operator_deliveries,
)
