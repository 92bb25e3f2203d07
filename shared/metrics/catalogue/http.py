"""Metrics of HTTP requests to the API."""

from typing import Final

from shared.metrics.definition import API, Metric

#: From a health check to an order whose customer is slow.
REQUEST_BUCKETS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 200, 260)
ROUTES: Final = "the path of a route with its parameters' names; `none`: no route has this path"
ORDER_ROUTE: Final = "/v1/connector/order"
#: Codes of orders that failed by our fault: those of the objective (deploy/prometheus/rules/recording.yml).
OBJECTIVE_CODES: Final = (
    "undefined.internal.server.error",
    "unavailable.database.internal.server.error",
    "unavailable.broker.internal.server.error",
    "busy.connector.service.unavailable",
    "overloaded.connector.service.unavailable",
    "expired.payment.gateway.timeout",
)

REQUESTS: Final = Metric(
    kind="counter",
    name="http_requests",
    help="HTTP requests that were answered.",
    owners=(API,),
    labels={
        "method": "methods of HTTP; `other`",
        "route": ROUTES,
        "status": "HTTP statuses; `0`: the client left first",
    },
    advice="A fall to zero in business hours: look at the proxy and the clients. More 5xx: "
    "`http_errors_total` names their code.",
)
REQUEST_DURATION: Final = Metric(
    kind="histogram",
    name="http_request_duration_seconds",
    help="From the head of a request to the end of its answer; an order waits for its customer.",
    owners=(API,),
    labels={"route": ROUTES},
    begins_with=((ORDER_ROUTE,),),
    buckets=REQUEST_BUCKETS,
    advice="Orders take as long as the session at the terminal; other routes above 1 s point to the database "
    "(`database_call_duration_seconds`) or to a busy event loop (`event_loop_lag_seconds`).",
)
IN_FLIGHT: Final = Metric(
    kind="gauge",
    name="http_requests_in_flight",
    help="HTTP requests that are not answered yet, waiting orders included.",
    owners=(API,),
    advice="It follows the customers at terminals. If it grows while `session_slots_used` does not, "
    "orders wait for workers: start more, or see whether they are connected.",
)
ERRORS: Final = Metric(
    kind="counter",
    name="http_errors",
    help="Requests that were refused or failed, by the code of their error.",
    owners=(API,),
    labels={"route": ROUTES, "code": "codes of docs/reference/errors.md"},
    begins_with=tuple((ORDER_ROUTE, code) for code in OBJECTIVE_CODES),
    advice="Look the code up in [errors](errors.md). `overloaded` and `busy`: start more processes; "
    "`rate` and `login`: one client is out of hand; `undefined`: an error of the code, whose "
    "traceback is in the log.",
)
CONNECTIONS_REFUSED: Final = Metric(
    kind="counter",
    name="http_connections_refused",
    help="Connections that were ended before a request could be read.",
    owners=(API,),
    labels={"reason": ("malformed", "head_too_large", "head_timeout", "too_many_connections")},
    advice="Something that is no client of yours speaks to the port, or a proxy's address is missing in "
    "`CLOUD_TERMINAL_TRUSTED_PROXIES`.",
)

HTTP: Final = (REQUESTS, REQUEST_DURATION, IN_FLIGHT, ERRORS, CONNECTIONS_REFUSED)
